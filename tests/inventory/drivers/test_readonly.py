"""A driver that can only read is one that has `inventory`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inventory.drivers.exceptions import CloudRefused, InstanceGone
from inventory.drivers.readonly import ReadOnlyDriver
from inventory.drivers.values import Connection, Group, Instance, Inventory, Port, Rule, Tenant

WEB, PORT = Group("sg-1", "web"), Port("p-1", instance_ref="i-1", group_refs=("sg-1",))
RULE = Rule("r-1", "sg-1", "inbound")


class Picture(ReadOnlyDriver):
    vendor = "picture"

    def inventory(self) -> Inventory:
        return Inventory(
            (Tenant("t-1", "tenant"),),
            groups=(WEB, Group("sg-2", "db")),
            rules=(RULE, Rule("r-2", "sg-2", "inbound")),
            instances=(Instance("i-1", "web-1", "on", "running"),),
            ports=(PORT, Port("p-2")),
        )


@pytest.fixture
def driver() -> Picture:
    return Picture(Connection())


def test_it_says_that_it_takes_no_change() -> None:
    assert not Picture.supports_security_groups
    assert not Picture.supports_group_edits


def test_it_needs_credentials_unless_it_says_otherwise() -> None:
    assert Picture.needs_credentials


def test_it_is_verified_by_being_read(driver: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(check.allowed, check.needed) for check in driver.verify()] == [(True, True)]

    def fails(picture: Picture) -> Inventory:
        raise CloudRefused("There is no picture.")

    monkeypatch.setattr(Picture, "inventory", fails)
    with pytest.raises(CloudRefused, match="no picture"):
        driver.verify()


def test_single_things_are_found_in_the_inventory(driver: Picture) -> None:
    assert driver.ports("i-1") == (PORT,)
    assert driver.groups_by_ref({"sg-1", "sg-9"}) == (WEB,)
    assert driver.rules_of("sg-1") == (RULE,)
    assert driver.rules_of("sg-9") == ()
    with pytest.raises(InstanceGone, match="i-9"):
        driver.ports("i-9")


@pytest.mark.parametrize(
    "change",
    [
        lambda driver: driver.groups_named("web", [PORT]),
        lambda driver: driver.change_groups(PORT, []),
        lambda driver: driver.placed(WEB),
        lambda driver: driver.namesakes(WEB),
        lambda driver: driver.create_group(WEB),
        lambda driver: driver.edit_group("sg-1", "www", None),
        lambda driver: driver.delete_group("sg-1"),
        lambda driver: driver.create_rule(RULE),
        lambda driver: driver.delete_rule(RULE),
    ],
)
def test_every_change_is_refused(driver: Picture, change: Callable[[Picture], object]) -> None:
    with pytest.raises(CloudRefused, match=r"^A provider of type picture is read-only\.$"):
        change(driver)
