"""Address groups that rules name: an extension of Neutron, which a cloud may lack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from inventory.drivers.boundary import fitted
from inventory.drivers.exceptions import CloudError, CloudRefused, CloudUnavailable, ForeignAnswer
from inventory.drivers.openstack import parsers
from inventory.drivers.values import AddressList, Inventory, Scope
from tests.live.faults import Answer, running
from tests.live.openstack_fake import GROUP, OTHER, PROJECT, FakeOpenStack

LIST = "GET address-groups"


@pytest.fixture
def cloud() -> Iterator[FakeOpenStack]:
    """Each of its two groups names an address group."""
    with running(FakeOpenStack()) as cloud:
        cloud.address_groups = [
            {"id": "ag-1", "name": "offices", "project_id": PROJECT, "addresses": ["2001:db8::/32", "10.0.0.0/8"]},
            {"id": "ag-2", "name": "new", "project_id": "p-2", "addresses": []},
            {"id": "ag-3", "name": "unnamed", "project_id": PROJECT, "addresses": []},
        ]
        cloud.rules = [rule("r-1", GROUP, "ag-1"), rule("r-2", OTHER, "ag-2")]
        yield cloud


def rule(ref: str, group: str, address_group: Any) -> dict[str, Any]:
    identity = {"id": ref, "security_group_id": group, "remote_address_group_id": address_group}
    return {**identity, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}


OFFICES = AddressList("ag-1", "offices", PROJECT, entries=("10.0.0.0/8", "2001:db8::/32"))


def test_an_address_group_has_its_owner_and_its_entries(cloud: FakeOpenStack) -> None:
    read = cloud.driver().inventory()
    assert read.address_lists == (OFFICES, AddressList("ag-2", "new", "p-2", entries=()))
    assert {item.address_list_ref for item in read.rules} == {"ag-1", "ag-2"}


def test_a_group_comes_with_those_that_its_rules_name(cloud: FakeOpenStack) -> None:
    assert cloud.driver().inventory_of(Scope("security_group", GROUP)).address_lists == (OFFICES,)
    whole = cloud.driver().inventory_of(Scope("cloud_tenant", PROJECT)).address_lists
    assert [one.ref for one in whole] == ["ag-1", "ag-2"]


def test_without_any_nothing_is_asked(cloud: FakeOpenStack) -> None:
    cloud.rules = []
    assert cloud.driver().inventory().address_lists == ()
    assert cloud.count(LIST) == 0


@pytest.mark.parametrize("status", [403, 404, 501])
@pytest.mark.parametrize("scope", [None, Scope("security_group", GROUP), Scope("cloud_tenant", PROJECT)])
def test_what_is_refused_or_not_offered_is_not_told(
    cloud: FakeOpenStack, status: int, scope: Scope | None
) -> None:
    cloud.answer_with(LIST, Answer(status, b"{}"))
    read = cloud.driver().inventory_of(scope) if scope else cloud.driver().inventory()
    assert (read.address_lists, read.untold) == ((), {"entries"})
    assert "ag-1" in {item.address_list_ref for item in read.rules}


@pytest.mark.parametrize(("status", "error"), [(400, CloudRefused), (500, CloudUnavailable)])
def test_a_failure_is_not_done_without(cloud: FakeOpenStack, status: int, error: type[CloudError]) -> None:
    cloud.answer_with(LIST, Answer(status, b"{}"))
    with pytest.raises(error):
        cloud.driver().inventory()


@pytest.mark.parametrize("body", [b"", b"null", b'{"address_groups": null}', b'{"address_groups": [{"name": 1}]}'])
def test_something_else_is_no_answer(cloud: FakeOpenStack, body: bytes) -> None:
    cloud.answer_with(LIST, Answer(200, body))
    with pytest.raises(ForeignAnswer):
        cloud.driver().inventory()


@pytest.mark.parametrize("addresses", ["10.0.0.0/8", {"10.0.0.0/8": 1}, ["10.0.0.0/8", 5], [["10.0.0.0/8"]], [""]])
def test_addresses_that_are_none_are_unknown_and_not_fewer(cloud: FakeOpenStack, addresses: Any) -> None:
    cloud.address_groups[0]["addresses"] = addresses
    read = fitted(cloud.driver().inventory())
    assert [one.entries for one in read.address_lists] == [None, ()]
    assert [misfit.attribute for misfit in read.misfits] == ["entries"]


def test_addresses_that_are_not_told_are_unknown(cloud: FakeOpenStack) -> None:
    del cloud.address_groups[0]["addresses"]
    read = fitted(cloud.driver().inventory())
    assert (read.address_lists[0].entries, read.misfits) == (None, ())


@pytest.mark.parametrize("odd", ["", 5, [], {}, ["ag-1"]])
def test_a_name_that_is_none_is_asked_for_nowhere(cloud: FakeOpenStack, odd: Any) -> None:
    cloud.rules.append(rule("r-3", GROUP, odd))
    read = fitted(cloud.driver().inventory())
    assert [misfit.ref for misfit in read.misfits] == ["r-3"]
    assert len(read.address_lists) == 2


def test_one_without_a_name_is_called_by_its_id() -> None:
    assert parsers.address_list({"id": "ag-1", "name": ""}) == AddressList("ag-1", "ag-1")


def test_a_value_of_another_type_is_named() -> None:
    item = json.loads('{"id": "ag-1", "name": 5, "project_id": ["p"], "addresses": []}')
    read = fitted(Inventory(address_lists=(parsers.address_list(item),)))
    assert [misfit.attribute for misfit in read.misfits] == ["tenant_ref"]
