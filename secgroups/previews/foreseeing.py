"""The outcomes of adding and removing groups, as their tasks would find them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from inventory.drivers.base import Driver
from inventory.drivers.exceptions import CloudError, CloudRefused, GroupNotFound
from inventory.drivers.values import Group
from inventory.messages import provider_disabled
from inventory.models import Vm
from inventory.rest.resources import Viewer
from secgroups import messages
from secgroups.analysis.instance_ports import at_cloud, from_inventory
from secgroups.arguments import MembershipChange
from secgroups.changes import planned, the_one
from secgroups.models import SecurityGroup
from secgroups.plan import Change, Outcome
from secgroups.previews import messages as warnings
from secgroups.previews.asking import asking, shown
from secgroups.previews.values import Warned


class Foreseen:
    """The outcomes of changes of one instance, by what the inventory has or the cloud says.

    `outcomes` and `warnings` are by the keys of `changes`, as are `refs`, those of the groups that were found.
    """

    def __init__(
        self, vm: Vm, changes: Mapping[int, MembershipChange], viewer: Viewer, *, ask_cloud: bool
    ) -> None:
        self.vm = vm
        self.ports = from_inventory(vm, viewer)
        self.outcomes: dict[int, Outcome] = {}
        self.warnings: defaultdict[int, list[Warned]] = defaultdict(list)
        self.refs: dict[int, str] = {}
        self._changes = changes
        self._viewer = viewer
        #: The groups of changes and ports by ref; None for unknown ones.
        self._groups: dict[str, Group | None] = {}
        if not changes:
            return
        if not vm.provider.enabled:
            self._fail(CloudError(provider_disabled(vm.provider.name)))
        elif ask_cloud:
            self._ask_cloud()
        else:
            self._plan(None)

    def _ask_cloud(self) -> None:
        with asking(self.vm.provider) as driver:
            try:
                ports = driver.ports(self.vm.ems_ref)
                self.ports = at_cloud(self.vm, ports, self._viewer)
                self._plan(driver)
            except CloudError as error:
                self._fail(error)

    def _fail(self, error: CloudError) -> None:
        message = str(shown(error, self.vm.provider, self._viewer.user))
        self.outcomes = dict.fromkeys(self._changes, Outcome("Error", message))
        if not error.permanent:
            for key in self._changes:
                self.warnings[key].append(Warned("unknown", warnings.NO_ANSWER))

    def _plan(self, driver: Driver | None) -> None:
        self._look_up()
        changes = [
            change for key, asked in self._changes.items() if (change := self._identified(key, asked, driver))
        ]
        driver_class = self.vm.provider.driver_class
        if driver_class:  # otherwise every change was refused
            self.outcomes |= planned(self.vm, driver_class, self.ports.ports, changes, self._groups).outcomes

    def _look_up(self) -> None:
        refs = {ref for port in self.ports.ports for ref in port.group_refs}
        refs |= {change.group.ems_ref for change in self._changes.values() if change.group.ems_ref}
        rows = SecurityGroup.objects.filter(provider=self.vm.provider, ems_ref__in=refs)
        self._groups = dict.fromkeys(refs) | {group.ref: group for group in rows.as_values()}

    def _identified(self, key: int, asked: MembershipChange, driver: Driver | None) -> Change | None:
        """The change, with its group. If there is none, notes the outcome and returns None."""
        name, ref = asked.group.name, asked.group.ems_ref
        group = self._groups.get(ref) if ref else None
        try:
            group = group or self._found(driver, name, ref)
        except (CloudRefused, GroupNotFound) as error:
            reason = shown(error, self.vm.provider, self._viewer.user)
            subject = messages.change_of(asked.action, name, self.vm.name)
            self.outcomes[key] = Outcome("Error", messages.cannot(asked.action, subject, reason))
            if driver is None:
                self.warnings[key].append(Warned("unknown", warnings.NOT_ASKED))
            return None
        self.refs[key] = group.ref
        return Change(key, asked.action, group, asked.ports)

    def _found(self, driver: Driver | None, name: str, ref: str | None) -> Group:
        """The group at the cloud; without a driver there is none."""
        groups: tuple[Group, ...] = ()
        if driver:
            groups = driver.groups_by_ref([ref]) if ref else driver.groups_named(name, self.ports.ports)
        return the_one(groups, name, ref, self.vm)
