"""The outcomes of adding and removing groups, as their tasks would find them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import nullcontext
from functools import cached_property

from django.utils import timezone
from msgspec import UNSET

from inventory.db.lookups import Texts
from inventory.db.statements import CompiledQuery, Param
from inventory.drivers.base import Driver
from inventory.drivers.exceptions import CloudError, CloudRefused, GroupNotFound
from inventory.drivers.values import Group
from inventory.messages import provider_disabled
from inventory.models import Vm
from inventory.rest.resources import Viewer
from inventory.services import waiting_for_clouds
from secgroups import messages
from secgroups.analysis.instance_ports import InstancePorts, at_cloud, from_inventory
from secgroups.arguments import MembershipChange
from secgroups.changes import planned
from secgroups.known_groups import the_one
from secgroups.models import SecurityGroup
from secgroups.plan import Change, Outcome
from secgroups.previews import messages as warnings
from secgroups.previews.asking import driver_class_of, driver_of, is_unanswered, shown
from secgroups.previews.values import Warned
from secgroups.reverting import changed_at_cloud

_groups = CompiledQuery(
    lambda: SecurityGroup.objects.filter(provider=Param("provider"), ems_ref__among=Param("refs")).for_values()
)


class Foreseen:
    """The outcomes of changes of one instance, by what the inventory has or the cloud says.

    `outcomes` and `warnings` are by the keys of `changes`, as are `refs`, those of the groups that were found.
    """

    def __init__(
        self, vm: Vm, changes: Mapping[int, MembershipChange], viewer: Viewer, *, ask_cloud: bool
    ) -> None:
        self.vm = vm
        self.outcomes: dict[int, Outcome] = {}
        self.warnings: defaultdict[int, list[Warned]] = defaultdict(list)
        self.refs: dict[int, str] = {}
        self._changes = changes
        self._viewer = viewer
        if not changes:
            return
        with waiting_for_clouds() if ask_cloud else nullcontext():
            try:
                self._foresee(ask_cloud)
            except Exception as error:
                self._fail(error)

    @cached_property
    def ports(self) -> InstancePorts:
        """As the cloud has them if it answered, otherwise as the inventory has them."""
        return from_inventory(self.vm, self._viewer)

    @cached_property
    def groups(self) -> Mapping[str, tuple[int, Group]]:
        """The groups of ports and changes that are in the inventory, by ref, with their ids."""
        refs = {ref for port in self.ports.ports for ref in port.group_refs}
        refs |= {change.group.ems_ref for change in self._changes.values() if change.group.ems_ref}
        rows = _groups(provider=self.vm.provider_id, refs=Texts(refs))
        return {group.ref: (pk, group) for pk, group in SecurityGroup.objects.all().values_of(rows)}

    def _foresee(self, ask_cloud: bool) -> None:
        """Raises the error of all changes that have no outcome then."""
        provider, driver = self.vm.provider, None
        if not provider.enabled:
            raise CloudError(provider_disabled(provider.name))
        if ask_cloud:
            driver = driver_of(provider)
            self.ports = at_cloud(self.vm, driver.ports(self.vm.ems_ref), self._viewer)
        self._plan(driver)

    def _fail(self, error: Exception) -> None:
        message = str(shown(error, self.vm.provider, self._viewer.user))
        for key in self._changes.keys() - self.outcomes.keys():
            self.outcomes[key] = Outcome("Error", message)
            if is_unanswered(error):
                self.warnings[key].append(Warned("unknown", warnings.NO_ANSWER))

    def _plan(self, driver: Driver | None) -> None:
        changes = [
            change
            for key, asked in self._changes.items()
            if (change := self._identified(key, asked, driver)) and not self._is_obstructed(change, asked)
        ]
        groups = {ref: group for ref, (_, group) in self.groups.items()}
        driver_class = driver_class_of(self.vm.provider)
        self.outcomes |= planned(self.vm, driver_class, self.ports.ports, changes, groups).outcomes

    def _is_obstructed(self, change: Change, asked: MembershipChange) -> bool:
        """Whether it is a revert, and the ports are not as the task left them. Notes the outcome then."""
        if asked.reverts is UNSET:
            return False
        as_of = self.ports.as_of or timezone.now()
        if reason := changed_at_cloud(asked.reverts, change, self.ports.ports, as_of):
            subject = messages.change_of(change.action, change.group.name, self.vm.name)
            self.outcomes[change.id] = Outcome("Error", messages.cannot(change.action, subject, reason))
        return bool(reason)

    def _identified(self, key: int, asked: MembershipChange, driver: Driver | None) -> Change | None:
        """The change, with its group. If there is none, notes the outcome and returns None."""
        name, ref = asked.group.name, asked.group.ems_ref
        known = self.groups.get(ref or "")
        try:
            group = known[1] if known else self._found(driver, name, ref)
        except (CloudRefused, GroupNotFound) as error:
            reason = shown(error, self.vm.provider, self._viewer.user)
            subject = messages.change_of(asked.action, name, self.vm.name)
            self.outcomes[key] = Outcome("Error", messages.cannot(asked.action, subject, reason))
            if driver is None:
                self.warnings[key].append(Warned("unknown", warnings.NOT_ASKED))
            return None
        self.refs[key] = group.ref
        is_revert, is_end = asked.reverts is not UNSET, asked.expiration is not UNSET
        return Change(key, asked.action, group, asked.ports, whole=is_revert, partial=is_end)

    def _found(self, driver: Driver | None, name: str, ref: str | None) -> Group:
        """The group at the cloud; without a driver there is none."""
        groups: tuple[Group, ...] = ()
        if driver:
            groups = driver.groups_by_ref([ref]) if ref else driver.groups_named(name, self.ports.ports)
        return the_one(groups, name, ref, self.vm)
