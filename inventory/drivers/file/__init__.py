"""Exported inventories, which can be viewed without their cloud and without credentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from django.conf import settings

from inventory.drivers.file.document import loaded
from inventory.drivers.file.folder import content_of, file_named
from inventory.drivers.readonly import ReadOnlyDriver
from inventory.drivers.values import Inventory


class FileDriver(ReadOnlyDriver):
    """Reads a file in `settings.INVENTORY_FILES`, named by the provider's URL: `file:///acme.json`."""

    vendor: ClassVar[str] = "file"
    title: ClassVar[str] = "Exported inventory"
    asked_for: ClassVar[Mapping[str, bool]] = {"url": True}
    needs_credentials: ClassVar[bool] = False
    groups_have_networks: ClassVar[bool | None] = None  # any cloud may have been exported

    def inventory(self) -> Inventory:
        name = file_named(self.connection.url)
        return loaded(content_of(settings.INVENTORY_FILES, name), name)
