"""What is known while edits are foreseen, as the cloud has it now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cached_property

from django.utils import timezone

from inventory.db.conditions import EVERYTHING
from inventory.drivers.base import Driver
from inventory.drivers.values import Group, Port, Rule, Scope
from inventory.rest.resources import get_resource_type
from secgroups.previews.asking import driver_of
from secgroups.previews.sites import Site, Users


class CloudSite(Site):
    """What the cloud knows of groups. What it can't be asked is from the inventory: which rules name a group."""

    @cached_property
    def _driver(self) -> Driver:
        return driver_of(self.provider)

    def as_of(self, group: str) -> datetime | None:
        return super().as_of(group) if self.failure else timezone.now()

    @cached_property
    def _existing(self) -> Collection[str]:
        return {group.ref for group in self._driver.groups_by_ref(self._refs)}

    def _read_rules(self, group: str) -> Iterable[Rule]:
        return self._driver.rules_of(group)

    def ports(self, group: str) -> Users[Port]:
        ports = self._driver.inventory_of(Scope("security_group", group)).ports
        if self._viewer.scope(get_resource_type("network_ports")) is EVERYTHING:
            return Users(bool(ports), ports)
        rows = self._visible("network_ports").filter(ems_ref__in=[port.ref for port in ports])
        refs = set(rows.values_list("ems_ref", flat=True))
        visible = [port for port in ports if port.ref in refs]
        return Users(bool(ports), visible, has_hidden=len(visible) < len(ports))

    def placed(self, group: Group) -> Group:
        return self._driver.placed(group)

    def _namesakes(self, group: Group) -> Iterable[Group]:
        return self._driver.namesakes(group)
