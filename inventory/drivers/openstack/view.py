"""The visibility of things in OpenStack. Administrators see everything, and others their own project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inventory.drivers.exceptions import CredentialsRefused
from inventory.drivers.values import AddressList, Group, Instance, Inventory, Network, Port, Rule, same

if TYPE_CHECKING:
    from inventory.drivers.openstack.client import Client

#: Neutron's types.
NEUTRON = frozenset({Network, Group, Rule, Port, AddressList})


@dataclass
class View:
    """The visibility of things for a user, learned while reading. The project `own` is always visible."""

    own: str
    #: The types of which other projects' things are not visible.
    partial: set[type] = field(default_factory=set)
    untold: set[str] = field(default_factory=set)

    def look_at(self, groups: Iterable[Group]) -> None:
        """Learn from a list of all groups. Neutron omits groups that a user may not see, without an error.

        So only an unshared group of another project proves that everything is visible.
        """
        owned = (group for group in groups if isinstance(group.tenant_ref, str) and group.tenant_ref)
        if all(group.usable_by(self.own) for group in owned):
            self.partial |= NEUTRON

    def ask(self, client: Client, tenant_ref: str | None = None) -> None:
        """Learn from Nova whether other projects are visible, unless this is about the own project."""
        if same(tenant_ref, self.own):
            return
        try:
            next(client.read("compute", "/servers/detail", "servers", all_tenants=1, limit=1), None)
        except CredentialsRefused:
            self.partial |= NEUTRON | {Instance}

    def hidden(self, instances: Mapping[str, Instance]) -> Iterator[Instance]:
        """The known instances that are not visible."""
        if Instance in self.partial:
            yield from (instance for instance in instances.values() if not same(instance.tenant_ref, self.own))

    def of(self, inventory: Inventory) -> Inventory:
        own = frozenset(filter(None, [self.own]))
        return replace(inventory, covered=dict.fromkeys(self.partial, own), untold=frozenset(self.untold))
