"""Clouds that can be read, but not changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from inventory.drivers import messages
from inventory.drivers.base import Driver
from inventory.drivers.exceptions import CloudRefused, InstanceGone
from inventory.drivers.values import Check, Group, Port, Rule, Scope


class ReadOnlyDriver(Driver):
    """A driver that only implements `inventory`.

    Its flags refuse every change before it is queued. Its methods end tasks that were queued earlier, with another
    driver.
    """

    supports_security_groups: ClassVar[bool] = False
    supports_group_edits: ClassVar[bool] = False

    def verify(self) -> tuple[Check, ...]:
        self.inventory()
        return (Check("read the inventory", True, messages.READABLE, needed=True),)

    def ports(self, instance_ref: str) -> tuple[Port, ...]:
        inventory = self.inventory_of(Scope("instance", instance_ref))
        if not inventory.instances:
            raise InstanceGone(messages.no_instance(instance_ref))
        return inventory.ports

    def groups_by_ref(self, refs: Collection[str]) -> tuple[Group, ...]:
        return tuple(group for group in self.inventory().groups if group.ref in refs)

    def rules_of(self, group_ref: str) -> tuple[Rule, ...]:
        return self.inventory_of(Scope("security_group", group_ref)).rules

    def groups_named(self, name: str, ports: Sequence[Port]) -> tuple[Group, ...]:
        raise self._refusal()

    def change_groups(self, port: Port, group_refs: Sequence[str]) -> str | None:
        raise self._refusal()

    def placed(self, group: Group) -> Group:
        raise self._refusal()

    def namesakes(self, group: Group) -> tuple[Group, ...]:
        raise self._refusal()

    def create_group(self, group: Group) -> tuple[Group, str | None]:
        raise self._refusal()

    def edit_group(self, ref: str, name: str | None, description: str | None) -> tuple[Group, str | None]:
        raise self._refusal()

    def delete_group(self, ref: str) -> str | None:
        raise self._refusal()

    def create_rule(self, rule: Rule) -> tuple[Rule, str | None]:
        raise self._refusal()

    def delete_rule(self, rule: Rule) -> str | None:
        raise self._refusal()

    def _refusal(self) -> CloudRefused:
        return CloudRefused(messages.read_only(self.vendor))
