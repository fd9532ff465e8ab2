"""The groups that tasks of an instance name and that its ports have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inventory.drivers.base import Driver
from inventory.drivers.exceptions import CloudError, CloudRefused, GroupNotFound
from inventory.drivers.values import Group, Port
from inventory.models import Vm
from secgroups import messages
from secgroups.models import SecurityGroup
from secgroups.port_writer import PortWriter


class KnownGroups:
    """Groups from the inventory and, where it lacks them, from the cloud.

    `by_ref` has those that were looked up; None for the ones that the inventory lacks.
    """

    def __init__(self, vm: Vm, driver: Driver, cloud: PortWriter) -> None:
        self._vm, self._driver, self._cloud = vm, driver, cloud
        self.by_ref: dict[str, Group | None] = {}
        #: The cloud's answers for other groups, by name and ref; each is requested once.
        self._answers: dict[tuple[str, str | None], Group | CloudError] = {}

    def look_up(self, refs: Iterable[str]) -> None:
        """Look up these groups in the inventory, each once."""
        if new := set(refs) - self.by_ref.keys():
            rows = SecurityGroup.objects.filter(provider=self._vm.provider, ems_ref__in=new)
            self.by_ref |= dict.fromkeys(new) | {group.ref: group for group in rows.as_values()}

    def find(self, name: str, ref: str | None) -> Group:
        """The group with this ref, from the inventory or the cloud, or with this name at the cloud.

        Raises `GroupNotFound` and `CloudRefused`, and whatever else the cloud raises.
        """
        if ref and (group := self.by_ref.get(ref)):
            return group
        if (name, ref) not in self._answers:
            try:
                self._answers[name, ref] = self._at_cloud(name, ref)
            except (CloudRefused, GroupNotFound) as error:
                self._answers[name, ref] = error
        answer = self._answers[name, ref]
        if isinstance(answer, CloudError):
            raise answer
        return answer

    def _at_cloud(self, name: str, ref: str | None) -> Group:
        if ref:
            groups = self._cloud.ask(lambda: self._driver.groups_by_ref([ref]))
        else:
            groups = self._cloud.ask(lambda: self._driver.groups_named(name, self._cloud.ports))
        return the_one(groups, name, ref, self._vm)

    def missing(self, ports: Sequence[Port]) -> tuple[Group, ...]:
        """The groups of these ports that are not yet in the inventory, read from the cloud."""
        self.look_up(groups_of(ports))
        unknown = [ref for ref in groups_of(ports) if self.by_ref[ref] is None]
        try:
            groups = self._driver.groups_by_ref(unknown) if unknown else ()
        except CloudError:
            return ()  # the next refresh adds them
        self.by_ref |= {group.ref: group for group in groups}
        return groups

    def name(self, ref: str) -> str:
        """The name of a group, or its ref if it is unknown."""
        group = self.by_ref.get(ref)
        return group.name if group else ref


def the_one(groups: Sequence[Group], name: str, ref: str | None, vm: Vm) -> Group:
    """The only one of the groups that the cloud found. Raises `GroupNotFound` and `CloudRefused`."""
    if not groups:
        raise GroupNotFound(messages.not_at_cloud(vm.name))
    if len(groups) > 1:
        raise GroupNotFound(messages.several_at_cloud([group.ref for group in groups]))
    if name not in {groups[0].name, ref}:  # without a name in the request, the ref stands in its place
        message = messages.other_name_at_cloud(ref or "", groups[0].name)
        raise CloudRefused(message, general=message)
    return groups[0]


def groups_of(ports: Iterable[Port]) -> set[str]:
    """The refs of all groups on these ports."""
    return {ref for port in ports for ref in port.group_refs}
