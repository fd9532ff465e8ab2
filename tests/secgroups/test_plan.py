"""The rules of the clouds for adding and removing groups, checked without a cloud."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inventory.drivers.values import EVERYBODY, Group, Port
from secgroups.plan import Action, Change, Outcome, Plan, plan

WEB, DB, OPS = (Group(f"sg-{name}", name, network_ref="vpc-1") for name in ("web", "db", "ops"))


def a_port(ref: str = "p1", *groups: Group, network: str = "vpc-1", **attributes: Any) -> Port:
    return Port(ref, network_ref=network, group_refs=tuple(group.ref for group in groups), **attributes)


def changed(
    ports: list[Port], action: Action, group: Group, *narrowed: str, minimum: int = 0
) -> tuple[Outcome, dict[str, tuple[str, ...]]]:
    """The outcome of one change and what it writes: port → its new list."""
    made = plan("vm-1", ports, [Change(7, action, group, narrowed)], minimum=minimum)
    return made.outcomes[7], written(made, ports)


def written(made: Plan, ports: list[Port]) -> dict[str, tuple[str, ...]]:
    return {port.ref: groups for port, groups in made.writes(ports)}


def test_it_adds_a_group_to_every_port() -> None:
    outcome, writes = changed([a_port("p1", DB), a_port("p2")], "add", WEB)
    assert outcome == Outcome("Ok", "Added security group web to vm-1 on 2 ports.", ("p1", "p2"))
    assert writes == {"p1": ("sg-db", "sg-web"), "p2": ("sg-web",)}


def test_it_removes_a_group_from_every_port_that_has_it() -> None:
    outcome, writes = changed([a_port("p1", DB, WEB), a_port("p2", DB), a_port("p3", WEB, DB)], "remove", WEB)
    assert outcome == Outcome("Ok", "Removed security group web from vm-1 on 2 ports.", ("p1", "p3"))
    assert writes == {"p1": ("sg-db",), "p3": ("sg-db",)}


def test_it_leaves_the_ports_alone_that_have_the_group_already() -> None:
    outcome, writes = changed([a_port("p1", WEB), a_port("p2")], "add", WEB)
    assert outcome == Outcome("Ok", "Added security group web to vm-1.", ("p2",))
    assert writes == {"p2": ("sg-web",)}


@pytest.mark.parametrize("action", ["add", "remove"])
def test_it_can_be_narrowed_to_some_ports(action: Action) -> None:
    has = [WEB] if action == "remove" else []
    ports = [a_port("p1", DB, *has), a_port("p2", DB, *has), a_port("p3", DB, *has)]
    outcome, writes = changed(ports, action, WEB, "p3", "p1")
    assert outcome.written == ("p1", "p3")
    assert set(writes) == {"p1", "p3"}


def test_a_port_that_the_instance_does_not_have_stops_the_change() -> None:
    outcome, writes = changed([a_port("p1"), a_port("p2")], "add", WEB, "p1", "p9", "p8")
    assert outcome == Outcome("Error", "vm-1 has no port p8, p9. Nothing was changed.")
    assert not writes


def test_an_instance_without_ports_can_have_no_group() -> None:
    outcome, _ = changed([], "add", WEB)
    assert outcome == Outcome("Error", "vm-1 has no port that can have security groups.")


def test_a_port_without_port_security_is_left_out_and_named() -> None:
    outcome, writes = changed([a_port("p1"), a_port("p2", port_security_enabled=False)], "add", WEB)
    assert outcome.status == "Ok"
    assert outcome.message == ("Added security group web to vm-1. Skipped port p2: it has port security disabled.")
    assert writes == {"p1": ("sg-web",)}


@pytest.mark.parametrize("action", ["add", "remove"])
def test_it_refuses_to_write_a_port_that_a_service_of_the_cloud_manages(action: Action) -> None:
    has = [WEB] if action == "remove" else []
    managed = a_port("p2", DB, *has, name="ELB app/shop/1", requester_managed=True)
    outcome, writes = changed([a_port("p1", DB, *has), managed], action, WEB)
    assert outcome == Outcome(
        "Error",
        f"Cannot {action} web {'to' if action == 'add' else 'from'} vm-1: port p2 (ELB app/shop/1) is managed by "
        "a service of the cloud, and only that service may change its groups. Nothing was changed. "
        'Name the other ports in "ports" to change only these.',
    )
    assert not writes
    outcome, writes = changed([a_port("p1", DB, *has), managed], action, WEB, "p1")
    assert (outcome.status, list(writes)) == ("Ok", ["p1"])


def test_a_managed_port_of_an_instance_without_others_is_no_reason_to_name_others() -> None:
    outcome, _ = changed([a_port("p1", requester_managed=True)], "add", WEB)
    assert outcome.message.endswith("only that service may change its groups. Nothing was changed.")


def test_a_managed_port_that_need_not_be_written_is_no_obstacle() -> None:
    managed = a_port("p2", WEB, requester_managed=True)
    outcome, writes = changed([a_port("p1"), managed], "add", WEB)
    assert (outcome.status, writes) == ("Ok", {"p1": ("sg-web",)})
    outcome, writes = changed([managed], "add", WEB)
    assert (outcome.status, writes) == ("Ok", {})
    assert outcome.message.startswith("Nothing to do")


def test_it_is_an_error_if_every_port_is_left_out() -> None:
    outcome, writes = changed([a_port("p1", port_security_enabled=False)], "add", WEB)
    assert outcome == Outcome("Error", "No port of vm-1 can have web: port p1 has port security disabled.")
    assert not writes


def test_it_refuses_a_group_of_another_network() -> None:
    elsewhere = Group("sg-web-2", "web", network_ref="vpc-2")
    outcome, writes = changed([a_port("p1")], "add", elsewhere)
    assert outcome.status == "Error"
    assert outcome.message == (
        "No port of vm-1 can have web: port p1 is in network vpc-1, but web belongs to vpc-2."
    )
    assert not writes


def test_a_group_of_one_network_goes_on_the_ports_that_are_in_it() -> None:
    outcome, writes = changed(
        [a_port("p1"), a_port("p2", network="vpc-2")], "add", Group("sg", "web", network_ref="vpc-2")
    )
    assert writes == {"p2": ("sg",)}
    assert "Skipped port p1: it is in network vpc-1, but web belongs to vpc-2." in outcome.message


def test_the_last_group_stays_where_the_cloud_insists_on_one_and_no_port_is_changed() -> None:
    outcome, writes = changed([a_port("p1", WEB, DB), a_port("p2", WEB)], "remove", WEB, minimum=1)
    assert outcome.status == "Error"
    assert outcome.message == (
        "Cannot remove web from vm-1: it is the last security group of port p2, which must keep at least 1. "
        "Nothing was changed."
    )
    assert not writes


def test_a_group_that_is_not_the_last_can_go_where_the_cloud_insists_on_one() -> None:
    outcome, writes = changed([a_port("p1", WEB, DB)], "remove", WEB, minimum=1)
    assert (outcome.status, writes) == ("Ok", {"p1": ("sg-db",)})


def test_it_does_not_warn_of_a_port_that_has_none_only_between_two_changes() -> None:
    made = plan("vm", [a_port("p1", WEB)], [Change(1, "remove", WEB), Change(2, "add", DB)], minimum=0)
    assert [outcome.status for outcome in made.outcomes.values()] == ["Ok", "Ok"]


def test_it_warns_of_a_port_that_has_no_group_left() -> None:
    outcome, writes = changed([a_port("p1", WEB), a_port("p2", WEB, DB)], "remove", WEB, minimum=0)
    assert outcome.status == "Warn"
    assert "Port p1 has no security group left, so all inbound traffic to it is dropped." in outcome.message
    assert writes == {"p1": (), "p2": ("sg-db",)}


@pytest.mark.parametrize(
    ("action", "groups", "message"),
    [
        ("add", [WEB], "Nothing to do: vm-1 already has security group web."),
        ("remove", [DB], "Nothing to do: vm-1 does not have security group web."),
    ],
)
def test_what_is_so_already_is_ok_and_not_written(action: Action, groups: list[Group], message: str) -> None:
    outcome, writes = changed([a_port("p1", *groups)], action, WEB, minimum=1)
    assert outcome == Outcome("Ok", message)
    assert not writes


def test_a_change_builds_on_those_before_it() -> None:
    ports = [a_port("p1", WEB)]
    made = plan("vm-1", ports, [Change(1, "add", DB), Change(2, "remove", WEB)], minimum=1)
    assert [outcome.status for outcome in made.outcomes.values()] == ["Ok", "Ok"]
    assert written(made, ports) == {"p1": ("sg-db",)}


def test_the_same_changes_in_another_order_end_otherwise() -> None:
    ports = [a_port("p1", WEB)]
    made = plan("vm-1", ports, [Change(2, "remove", WEB), Change(1, "add", DB)], minimum=1)
    assert {key: outcome.status for key, outcome in made.outcomes.items()} == {2: "Error", 1: "Ok"}
    assert written(made, ports) == {"p1": ("sg-web", "sg-db")}


def test_a_change_and_its_opposite_write_nothing() -> None:
    ports = [a_port("p1", DB)]
    made = plan("vm-1", ports, [Change(1, "add", WEB), Change(2, "remove", WEB)])
    assert not written(made, ports)


def test_one_that_can_not_be_done_does_not_stop_the_others() -> None:
    ports = [a_port("p1", WEB)]
    made = plan("vm-1", ports, [Change(1, "add", DB, ("p9",)), Change(2, "add", OPS)], minimum=1)
    assert [made.outcomes[key].status for key in (1, 2)] == ["Error", "Ok"]
    assert written(made, ports) == {"p1": ("sg-web", "sg-ops")}


def test_what_others_put_on_a_port_since_it_was_read_is_kept() -> None:
    made = plan("vm-1", [a_port("p1", WEB)], [Change(1, "add", DB), Change(2, "remove", WEB)])
    assert written(made, [a_port("p1", OPS, WEB)]) == {"p1": ("sg-ops", "sg-db")}


def test_what_others_did_of_it_is_not_written_again() -> None:
    made = plan("vm-1", [a_port("p1", WEB)], [Change(1, "add", DB), Change(2, "remove", WEB)])
    assert not written(made, [a_port("p1", DB, OPS)])


def test_undone_brings_back_what_was_and_keeps_what_others_did() -> None:
    start = [a_port("p1", WEB), a_port("p2", WEB, DB)]
    made = plan("vm-1", start, [Change(1, "add", DB), Change(2, "remove", WEB)])
    now = [a_port("p1", OPS, DB), a_port("p2", DB)]
    assert written(made.undone(start), now) == {"p1": ("sg-ops", "sg-web"), "p2": ("sg-db", "sg-web")}


def of_tenant(name: str, tenant: str, *shared_with: str) -> Group:
    return Group(f"sg-{name}", name, tenant_ref=tenant, shared_with=shared_with)


def test_a_group_of_another_tenant_is_refused() -> None:
    outcome, writes = changed([a_port(tenant_ref="theirs")], "add", of_tenant("web", "ours"))
    assert outcome == Outcome(
        "Error",
        "No port of vm-1 can have web: port p1 is in tenant theirs, but web belongs only to ours.",
    )
    assert not writes


@pytest.mark.parametrize("shared_with", ["theirs", EVERYBODY])
def test_a_group_that_another_tenant_shares_is_taken(shared_with: str) -> None:
    outcome, _ = changed([a_port(tenant_ref="theirs")], "add", of_tenant("web", "ours", shared_with))
    assert outcome.status == "Ok"


def test_a_group_of_another_tenant_that_is_there_can_be_removed() -> None:
    web = of_tenant("web", "ours")
    outcome, writes = changed([a_port("p1", DB, web, tenant_ref="theirs")], "remove", web)
    assert outcome.status == "Ok"
    assert writes == {"p1": ("sg-db",)}


def test_stateful_and_stateless_groups_do_not_come_together() -> None:
    quick = Group("sg-quick", "quick", network_ref="vpc-1", stateful=False)
    has_stateful, has_none = a_port("p1", DB), a_port("p2")
    outcome, writes = changed([has_stateful, has_none], "add", quick)
    assert outcome.message == (
        "Added security group quick to vm-1. Skipped port p1: it has stateful groups, but quick is stateless."
    )
    assert writes == {"p2": ("sg-quick",)}


def test_a_stateful_group_is_not_added_to_stateless_ones() -> None:
    made = plan("vm-1", [a_port("p1", OPS)], [Change(7, "add", WEB)], stateless={"sg-ops"})
    assert "port p1 has stateless groups, but web is stateful" in made.outcomes[7].message


def test_a_stateless_group_may_take_the_place_of_the_last_stateful_one() -> None:
    ports = [a_port("p1", DB)]
    quick = Group("sg-quick", "quick", network_ref="vpc-1", stateful=False)
    made = plan("vm-1", ports, [Change(1, "remove", DB), Change(2, "add", quick)])
    assert made.outcomes[2].status == "Ok"
    assert written(made, ports) == {"p1": ("sg-quick",)}


@pytest.mark.parametrize(
    ("group", "port", "confined", "reason"),
    [
        (Group("sg", "web"), {}, False, "is in an unknown tenant, but the tenant of web is unknown"),
        (
            Group("sg", "web"),
            {"tenant_ref": "ours"},
            False,
            "is in tenant ours, but the tenant of web is unknown",
        ),
        (of_tenant("web", "ours"), {}, False, "is in an unknown tenant, but web belongs only to ours"),
        (
            of_tenant("web", "ours"),
            {"tenant_ref": "ours"},
            True,
            "network vpc-1, but the network of web is unknown",
        ),
        (Group("sg", "web", network_ref="vpc-1"), {"network_ref": None}, True, "is in an unknown network"),
    ],
)
def test_what_is_unknown_is_equal_to_nothing(
    group: Group, port: dict[str, Any], confined: bool, reason: str
) -> None:
    ports = [replace(a_port(), **port)]
    made = plan("vm-1", ports, [Change(7, "add", group)], confined=confined)
    assert made.outcomes[7].status == "Error"
    assert reason in made.outcomes[7].message
    assert not written(made, ports)


def test_what_a_port_has_it_may_keep_and_lose_whatever_is_known_of_it() -> None:
    ports = [a_port("p1", WEB, DB)]
    kept, removed = (plan("vm-1", ports, [Change(7, action, WEB)]) for action in ("add", "remove"))
    assert (kept.outcomes[7].status, written(kept, ports)) == ("Ok", {})
    assert written(removed, ports) == {"p1": ("sg-db",)}


def test_a_group_goes_on_the_ports_in_the_networks_that_it_is_associated_with() -> None:
    web = Group("sg-web", "web", network_ref="vpc-2", associated_network_refs=("vpc-1",))
    ports = [a_port("p1"), a_port("p2", network="vpc-2"), a_port("p3", network="vpc-3")]
    made = plan("vm-1", ports, [Change(7, "add", web)], confined=True)
    assert written(made, ports).keys() == {"p1", "p2"}
    assert "Skipped port p3: it is in network vpc-3, but web belongs to vpc-2." in made.outcomes[7].message
