"""Whose things OpenStack shows to a user: everybody's to an administrator, the own project's to anybody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inventory.drivers.exceptions import CredentialsRefused
from inventory.drivers.values import Group, Instance, Inventory, Network, Port, Rule, same

if TYPE_CHECKING:
    from inventory.drivers.openstack.client import Client

#: What Neutron has.
NEUTRON = frozenset({Network, Group, Rule, Port})


@dataclass
class View:
    """What a reading has learned of whose things it is shown; `own` is the project that is shown in any case."""

    own: str
    #: The kinds of which others' things are not shown.
    partial: set[type] = field(default_factory=set)
    untold: set[str] = field(default_factory=set)

    def look_at(self, groups: Iterable[Group]) -> None:
        """Learn from a list of all groups. Neutron refuses nobody: it leaves out what is not theirs to see.

        So only a group that is another project's alone tells that everything is shown.
        """
        known = (group for group in groups if isinstance(group.tenant_ref, str) and group.tenant_ref)
        if all(group.usable_by(self.own) for group in known):
            self.partial |= NEUTRON

    def ask(self, client: Client, tenant_ref: str | None = None) -> None:
        """Learn from Nova alone whether more is shown, unless it is about what the own project has."""
        if same(tenant_ref, self.own):
            return
        try:
            next(client.read("compute", "/servers/detail", "servers", all_tenants=1, limit=1), None)
        except CredentialsRefused:
            self.partial |= NEUTRON | {Instance}

    def hidden(self, known: Mapping[str, Instance]) -> Iterator[Instance]:
        """Those of the known instances that would not be shown."""
        if Instance in self.partial:
            yield from (one for one in known.values() if not same(one.tenant_ref, self.own))

    def of(self, inventory: Inventory) -> Inventory:
        own = frozenset(filter(None, [self.own]))
        return replace(inventory, covered=dict.fromkeys(self.partial, own), untold=frozenset(self.untold))
