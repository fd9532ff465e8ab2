"""What is known while edits are foreseen, as the cloud has it now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cached_property

from django.utils import timezone

from inventory.drivers.base import Driver
from inventory.drivers.values import Group, Port, Rule, Scope
from secgroups.previews.asking import driver_of
from secgroups.previews.sites import Site


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

    def is_attached(self, group: str) -> bool:
        return bool(self.ports(group))

    def ports(self, group: str) -> Sequence[Port]:
        if group not in self._ports:
            self._ports[group] = self._driver.inventory_of(Scope("security_group", group)).ports
        return self._ports[group]

    @cached_property
    def _ports(self) -> dict[str, Sequence[Port]]:
        return {}

    def placed(self, group: Group) -> Group:
        return self._driver.placed(group)

    def _namesakes(self, group: Group) -> Iterable[Group]:
        return self._driver.namesakes(group)
