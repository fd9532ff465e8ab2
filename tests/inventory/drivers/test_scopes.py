"""What belongs to one thing of an inventory."""

from __future__ import annotations

import pytest

from inventory.drivers.values import AddressList, Group, Instance, Inventory, Network, Port, Rule, Scope, Tenant

RED, BLUE = Tenant("red", "red"), Tenant("blue", "blue")
RED_NET, BLUE_NET = Network("n-1", "net", tenant_ref="red"), Network("n-2", "net", tenant_ref="blue")
WEB, DB = Group("g-web", "web", tenant_ref="red"), Group("g-db", "db", tenant_ref="blue")
FROM_DB = Rule("r-1", "g-web", "inbound", source_group_ref="g-db")
OUT = Rule("r-2", "g-db", "outbound")
TO_OFFICES = Rule("r-3", "g-db", "outbound", source_ip_range="pl-1", address_list_ref="pl-1")
OFFICES, UNNAMED = AddressList("pl-1", "offices", "red", entries=()), AddressList("pl-2", "unnamed", "blue")
ONE = Instance("i-1", "one", "on", "running", "red")
TWO = Instance("i-2", "two", "on", "running", "blue")
ON_ONE = Port("p-1", instance_ref="i-1", tenant_ref="red", group_refs=("g-web", "g-db"))
ON_TWO = Port("p-2", instance_ref="i-2", tenant_ref="blue", group_refs=("g-db",))
FREE = Port("p-3", tenant_ref="red")
EVERYTHING = Inventory(
    (RED, BLUE),
    (RED_NET, BLUE_NET),
    (WEB, DB),
    (FROM_DB, OUT, TO_OFFICES),
    (ONE, TWO),
    (ON_ONE, ON_TWO, FREE),
    (OFFICES, UNNAMED),
)


@pytest.mark.parametrize(
    ("scope", "part"),
    [
        (
            Scope("cloud_tenant", "red"),
            Inventory((RED,), (RED_NET,), (WEB,), (FROM_DB,), (ONE,), (ON_ONE, FREE)),
        ),
        (
            Scope("cloud_tenant", "blue"),
            Inventory((BLUE,), (BLUE_NET,), (DB,), (OUT, TO_OFFICES), (TWO,), (ON_TWO,), (OFFICES,)),
        ),
        (Scope("instance", "i-1"), Inventory(groups=(WEB, DB), instances=(ONE,), ports=(ON_ONE,))),
        (
            Scope("security_group", "g-db"),
            Inventory(groups=(DB,), rules=(OUT, TO_OFFICES), ports=(ON_ONE, ON_TWO), address_lists=(OFFICES,)),
        ),
        (Scope("security_group", "g-web"), Inventory(groups=(WEB,), rules=(FROM_DB,), ports=(ON_ONE,))),
        (Scope("cloud_tenant", "green"), Inventory()),
        (Scope("instance", "i-3"), Inventory()),
        (Scope("security_group", "g-3"), Inventory()),
    ],
)
def test_a_scope_has_what_belongs_to_it(scope: Scope, part: Inventory) -> None:
    assert EVERYTHING.within(scope) == part


def test_what_is_left_of_a_thing_that_is_gone_is_nothing() -> None:
    left = Inventory(ports=(ON_ONE,))
    assert left.within(Scope("instance", "i-1")) == left.within(Scope("security_group", "g-web")) == Inventory()
