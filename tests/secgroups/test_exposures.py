"""Exposures are what the rules say, whatever refreshes and changes did before."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from inventory.drivers.values import Port, Rule, Scope
from inventory.models import NetworkPort, Vm
from inventory.refresh import refresh
from inventory.services import delete_provider
from secgroups import exposures
from secgroups.exposures import settle_exposures, settle_leftovers
from secgroups.models import Exposure, FirewallRule, PublicPort, SecurityGroup, TouchedGroup
from secgroups.services import group_deletion, rule_creation, rule_deletion
from secgroups.tasks import settle_exposures as task
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import Grip, MemoryCloud
from tests.queries import writes
from tests.secgroups import small_exposures as small
from tests.secgroups.carrying import carried_out, queue
from tests.secgroups.editing import edited

WEB = "sg-staging-web"


def rows() -> list[dict[str, Any]]:
    assert not TouchedGroup.objects.filter(security_group__in=SecurityGroup.objects.values("pk")).exists()
    return small.kept()


def computed_from_nothing() -> list[dict[str, Any]]:
    """The rows that are made where there are none."""
    save = transaction.savepoint()
    Exposure.objects.all().delete()
    TouchedGroup.objects.bulk_create(
        TouchedGroup(security_group_id=pk) for pk in SecurityGroup.objects.values_list("pk", flat=True)
    )
    settle_leftovers()
    found = small.kept()
    transaction.savepoint_rollback(save)
    return found


def fresh(cloud: MemoryCloud, cast: Cast, seed: int) -> None:
    small.fill(cloud, Random(seed))  # noqa: S311 - no secret
    refresh(cast.acme, Grip(), force=True)


def assert_right_in_clouds(cloud: MemoryCloud, cast: Cast, seeds: range) -> None:
    for seed in seeds:
        fresh(cloud, cast, seed)
        small.assert_none_false_none_missed(cloud)


def test_none_is_false_and_none_is_missed(cast: Cast, cloud: MemoryCloud) -> None:
    assert_right_in_clouds(cloud, cast, range(20))


@pytest.mark.walk
def test_none_is_false_and_none_is_missed_in_a_thousand_clouds(cast: Cast, cloud: MemoryCloud) -> None:
    assert_right_in_clouds(cloud, cast, range(1_000, 2_000))


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(n, marks=pytest.mark.walk) for n in range(100, 200))])
def test_after_any_history_they_are_as_if_computed_from_nothing(cast: Cast, cloud: MemoryCloud, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - no secret
    fresh(cloud, cast, seed)
    for step in range(12):
        before = ids()
        random.choice(STEPS)(cloud, cast, random, step)
        assert rows() == computed_from_nothing()
        small.assert_none_false_none_missed(cloud, (*small.POINTS, *((6, made) for made in range(1, 12))))
        after = ids()
        assert {key: before[key] for key in before.keys() & after} == {
            key: after[key] for key in before.keys() & after
        }


def ids() -> dict[Any, int]:
    columns = ("security_group", "network_protocol", "host_protocol", "port", "end_port")
    return {tuple(key): pk for pk, *key in Exposure.objects.values_list("pk", *columns)}


def change_rules(cloud: MemoryCloud, cast: Cast, random: Random, step: int) -> None:
    cloud.rule_list = [rule for rule in cloud.rule_list if random.random() > 0.3]
    used = {rule.ref for rule in cloud.rule_list}
    new = (small.random_rule(random, number) for number in range(8) if f"r-{number}" not in used)
    cloud.rule_list += [rule for rule in new if random.random() > 0.5]
    refresh(cast.acme, Grip(), force=True)


def change_ports(cloud: MemoryCloud, cast: Cast, random: Random, step: int) -> None:
    cloud.port_list = [
        small.random_port(random, port.ref) if random.random() > 0.5 else port for port in cloud.port_list
    ]
    refresh(cast.acme, Grip(), force=True)


def change_lists(cloud: MemoryCloud, cast: Cast, random: Random, step: int) -> None:
    entries = random.choice([*small.LISTS.values()])
    index = random.randrange(len(cloud.address_lists))
    cloud.address_lists[index] = replace(cloud.address_lists[index], entries=entries)
    refresh(cast.acme, Grip(), force=True)


def terminate(cloud: MemoryCloud, cast: Cast, random: Random, step: int) -> None:
    if len(cloud.instance_list) > 1:
        cloud.terminate(random.choice(cloud.instance_list).ref)
    refresh(cast.acme, Grip(), force=True)


def refresh_one_group(cloud: MemoryCloud, cast: Cast, random: Random, step: int) -> None:
    ref = random.choice(small.GROUPS)
    rules = [rule for rule in cloud.rule_list if rule.group_ref == ref]
    for rule in rules:
        cloud.rule_list.remove(rule)
    cloud.rule_list += [replace(small.random_rule(random, step), ref=rule.ref, group_ref=ref) for rule in rules]
    lists = {rule.address_list_ref for rule in cloud.rule_list if rule.address_list_ref}
    assert lists <= {one.ref for one in cloud.address_lists}
    refresh(cast.acme, Grip(), scope=Scope("security_group", ref))


def change_memberships(cloud: MemoryCloud, cast: Cast, random: Random, step: int) -> None:
    held = {port.instance_ref for port in cloud.port_list} - {None}
    vms = list(Vm.objects.filter(provider=cast.acme, ems_ref__in=held).order_by("pk"))
    if vms:
        vm = random.choice(vms)
        queue(vm, random.choice(("add", "remove")), random.choice(small.GROUPS[:-1]))
        [task] = carried_out(vm)
        assert task.status != "Error" or "the last security group" in task.message, task.message


def edit_rules(cloud: MemoryCloud, cast: Cast, random: Random, step: int) -> None:
    group = SecurityGroup.objects.get(provider=cast.acme, ems_ref=random.choice(small.GROUPS))
    rule = group.firewall_rules.order_by("pk").first()
    if rule and random.random() > 0.5:
        [task] = edited(cast.acme, rule_deletion(rule))
    else:
        ssh = {"direction": "inbound", "host_protocol": "tcp", "port": step, "end_port": step}
        [task] = edited(cast.acme, rule_creation(group, **ssh, source_ip_range="8.8.8.0/24"))
    assert task.status == "Ok", task.message


STEPS = (change_rules, change_ports, change_lists, terminate, refresh_one_group, change_memberships, edit_rules)


@pytest.fixture
def ssh(cast: Cast, cloud: MemoryCloud) -> Exposure:
    """The exposure of a group whose only rule lets everybody reach port 22."""
    cloud.rule_list.append(rule("r-ssh"))
    refresh(cast.acme, Grip())
    row: Exposure = Exposure.objects.get()
    return row


def rule(ref: str, text: str = "0.0.0.0/0", port: int = 22, group: str = WEB) -> Rule:
    return Rule(ref, group, "inbound", "IPV4", "tcp", port, port, text)


def severity() -> str:
    return str(Exposure.objects.values_list("severity", flat=True).get())


def test_an_exposure_says_what_is_open_to_whom_and_why(ssh: Exposure) -> None:
    [row] = rows()
    assert row == {
        "group": WEB,
        "provider_id": ssh.provider_id,
        "rules": ["r-ssh"],
        "network_protocol": "IPV4",
        "host_protocol": "tcp",
        "port": 22,
        "end_port": 22,
        "service": "ssh",
        "source_ip_ranges": ["0.0.0.0/0"],
        "breadth": "world",
        "severity": "low",
        "total_vms": 0,
        "total_public_vms": 0,
    }


def test_it_gets_worse_with_who_has_the_group(cast: Cast, cloud: MemoryCloud, ssh: Exposure) -> None:
    cloud.set_port("eni-staging-single-1", group_refs=(WEB,))
    refresh(cast.acme, Grip())
    assert severity() == "medium"
    cloud.set_port("eni-staging-single-1", ip_addresses=("10.0.0.1",), public_ip_addresses=("52.0.0.1",))
    refresh(cast.acme, Grip())
    assert severity() == "critical"
    cloud.terminate("i-staging-single")
    refresh(cast.acme, Grip())
    assert severity() == "low"
    assert Exposure.objects.get() == ssh


def test_a_port_without_an_instance_counts_for_the_severity(cast: Cast, cloud: MemoryCloud, ssh: Exposure) -> None:
    cloud.port_list.append(Port("eni-lb", group_refs=(WEB,), public_ip_addresses=("52.0.0.1",)))
    refresh(cast.acme, Grip())
    [row] = rows()
    assert (row["severity"], row["total_vms"], row["total_public_vms"]) == ("critical", 0, 0)


def test_only_addresses_of_its_family_make_it_public(cast: Cast, cloud: MemoryCloud, ssh: Exposure) -> None:
    cloud.set_port("eni-staging-single-1", group_refs=(WEB,), ip_addresses=("2a00::1",))
    refresh(cast.acme, Grip())
    assert severity() == "medium"
    cloud.rule_list.append(replace(rule("r-6", "::/0"), network_protocol="IPV6"))
    refresh(cast.acme, Grip())
    found = Exposure.objects.values_list("network_protocol", "severity", "total_public_vms")
    assert set(found) == {("IPV4", "medium", 0), ("IPV6", "critical", 1)}


def test_a_change_of_memberships_is_seen_at_once(cast: Cast, cloud: MemoryCloud, ssh: Exposure) -> None:
    queue(cast.staging.single, "add", "web")
    carried_out(cast.staging.single)
    [row] = rows()
    assert (row["severity"], row["total_vms"]) == ("medium", 1)


def test_an_edit_is_seen_at_once(cast: Cast, cloud: MemoryCloud, ssh: Exposure) -> None:
    edited(cast.acme, rule_deletion(FirewallRule.objects.get()))
    assert rows() == []
    attributes = {"direction": "inbound", "host_protocol": "tcp", "port": 3389, "end_port": 3389}
    edited(cast.acme, rule_creation(cast.staging.web, **attributes, source_ip_range="0.0.0.0/0"))
    [row] = rows()
    assert row["service"] == "rdp"
    edited(cast.acme, group_deletion(cast.staging.web))
    assert rows() == []


def test_a_refresh_without_news_writes_nothing(cast: Cast, cloud: MemoryCloud, ssh: Exposure) -> None:
    with CaptureQueriesContext(connection) as queries:
        refresh(cast.acme, Grip())
    assert len(writes(queries)) == 1  # the outcome at the provider


def test_only_the_groups_that_something_touched_are_computed(
    cast: Cast, cloud: MemoryCloud, ssh: Exposure
) -> None:
    cloud.rule_list.append(rule("r-other", group="sg-production-web"))
    refresh(cast.acme, Grip())
    Exposure.objects.filter(pk=ssh.pk).update(severity="none")
    cloud.rule_list.append(rule("r-more", port=443, group="sg-production-web"))
    refresh(cast.acme, Grip())
    assert Exposure.objects.count() == 3
    assert Exposure.objects.get(pk=ssh.pk).severity == "none"


def test_the_public_addresses_that_a_read_does_not_tell_stay(
    cast: Cast, cloud: MemoryCloud, ssh: Exposure
) -> None:
    cloud.set_port("eni-staging-single-1", group_refs=(WEB,), public_ip_addresses=("52.0.0.1",))
    refresh(cast.acme, Grip())
    assert severity() == "critical"
    cloud.set_port("eni-staging-single-1", ip_addresses=(), public_ip_addresses=())
    cloud.untold = {"public_ip_addresses"}
    refresh(cast.acme, Grip())
    assert severity() == "critical"
    refresh(cast.acme, Grip(), force=True)
    assert severity() == "medium"


def test_what_others_leave_behind_is_worked_off_by_the_schedule(cast: Cast) -> None:
    actors.public_rule(cast.staging.web, 22)
    gone = actors.group(cast.staging.network, "gone")
    actors.public_rule(gone, 22)
    gone.delete()
    assert not Exposure.objects.exists()
    task()
    assert [row["group"] for row in small.kept()] == [WEB]
    assert not TouchedGroup.objects.exists()


def test_what_is_undone_leaves_marks_as_they_were(cast: Cast) -> None:
    marks = list(TouchedGroup.objects.order_by("pk").values())
    with transaction.atomic():
        actors.public_rule(cast.staging.web, 22)
        settle_exposures(cast.acme.pk, own=True)
        assert Exposure.objects.exists()
        transaction.set_rollback(True)
    assert not Exposure.objects.exists()
    assert list(TouchedGroup.objects.order_by("pk").values()) == marks


def test_the_entries_of_an_address_list_are_opened(cast: Cast) -> None:
    listed = actors.address_list(cast.acme, "everything", ["0.0.0.0/1", "128.0.0.0/1"])
    actors.public_rule(cast.staging.web, 22, "pl-everything", source_address_list=listed)
    settle_leftovers()
    assert [row["breadth"] for row in small.kept()] == ["world"]
    for entries in ([], None, ["no address"]):
        listed.entries = entries
        listed.save()
        settle_leftovers()
        assert small.kept() == []


def test_public_ports_go_with_their_ports(cast: Cast, cloud: MemoryCloud) -> None:
    cloud.set_port("eni-staging-single-1", public_ip_addresses=("52.0.0.1",))
    refresh(cast.acme, Grip())
    assert PublicPort.objects.get().network_port == NetworkPort.objects.get(ems_ref="eni-staging-single-1")
    cloud.terminate("i-staging-single")
    refresh(cast.acme, Grip())
    assert not PublicPort.objects.exists()


def test_an_upgrade_finds_what_is_there(cast: Cast, cloud: MemoryCloud, ssh: Exposure) -> None:
    cloud.set_port("eni-staging-single-1", group_refs=(WEB,), public_ip_addresses=("52.0.0.1",))
    refresh(cast.acme, Grip())
    before = rows()
    for model in (PublicPort, Exposure, TouchedGroup):
        model._default_manager.all().delete()
    migration = import_module("secgroups.migrations.0010_exposures")
    for bring_in in (migration.find_public_ports, migration.mark_groups):
        bring_in(apps, SimpleNamespace(connection=connection))
    assert not Exposure.objects.exists()
    task()
    assert rows() == before
    assert severity() == "critical"


def test_nothing_is_computed_for_a_provider_that_is_being_deleted(cast: Cast, ssh: Exposure) -> None:
    actors.public_rule(cast.staging.db, 22)
    delete_provider(provider=cast.acme, user=None)
    task()
    assert Exposure.objects.get() == ssh
    assert not TouchedGroup.objects.exists()


def test_leftovers_are_worked_off_in_batches(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposures, "BATCH", 1)
    for group in SecurityGroup.objects.all():
        actors.public_rule(group, 22)
    settle_leftovers()
    assert Exposure.objects.count() == SecurityGroup.objects.count()
    assert not TouchedGroup.objects.exists()
