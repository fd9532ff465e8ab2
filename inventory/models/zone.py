from __future__ import annotations

from django.db import models

from inventory.models.base import Timestamped
from inventory.querysets import ResourceQuerySet


class Zone(Timestamped):
    """Where a provider's work is done. Portcullis has only one, for clients that ask."""

    DEFAULT = "default"

    name = models.CharField(max_length=255, unique=True)
    description = models.CharField(max_length=255)

    objects = ResourceQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name
