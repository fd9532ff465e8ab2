"""What becomes of what is asked and written while a refresh or an edit removes what it is about."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from inventory.models import NetworkPort, Task, Vm
from inventory.refresh import refresh
from secgroups import recording, rules
from secgroups import refresh as parts
from secgroups.models import FirewallRule, Membership
from secgroups.services import changes, rule_creation
from tests.cast import Cast, enter, memberships
from tests.clouds import Grip, MemoryCloud
from tests.secgroups.carrying import carried_out, queue
from tests.secgroups.editing import edited

at_once = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    """The rows of `tests.cast`, for everybody to see."""
    return enter()


def elsewhere(act: Callable[[], object]) -> None:
    """As somebody else does, with a connection of their own. Nobody waits for a lock in vain."""

    def acting() -> None:
        with closing(connection):
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
            act()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(acting).result()


def remove(row: Any) -> None:
    elsewhere(type(row).objects.filter(pk=row.pk).delete)


def before(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], object]) -> None:
    """Do this once, just before a function is called for the first time."""
    call, first = getattr(module, name), [act]

    def called(*args: Any, **kwargs: Any) -> Any:
        if first:
            first.pop()()
        return call(*args, **kwargs)

    monkeypatch.setattr(module, name, called)


# --- What is asked ---


@pytest.mark.parametrize("collection", ["instances", "vms"])
@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_a_change_of_an_instance_that_is_just_gone_is_404(
    cast: Cast, admin_client: Client, monkeypatch: Any, collection: str, action: str, headers: dict[str, str]
) -> None:
    vm = cast.production.single
    gone = Vm.objects.filter(pk=vm.pk)
    before(monkeypatch, changes, "queue_work", gone.delete)
    path = f"/api/{collection}/{vm.pk}/security_groups"
    body = {"action": action, "resources": [{"name": "web"}, {"name": "db"}]}
    answer = admin_client.post(path, body, content_type="application/json", headers=headers)
    assert answer.status_code == 404
    model = "Instance" if collection == "instances" else "Vm"
    assert answer.json()["error"]["message"] == f"Couldn't find {model} with 'id'={vm.pk}"
    assert not Task.objects.exists()


def test_in_the_admin_it_is_a_refused_change(cast: Cast, admin_client: Client, monkeypatch: Any) -> None:
    gone, stays = cast.production.single, cast.production.double
    before(monkeypatch, changes, "queue_work", Vm.objects.filter(pk=gone.pk).delete)
    url = f"/admin/inventory/vm/security-groups/add/?ids={gone.pk},{stays.pk}"
    groups = [cast.production.web.pk, cast.production.db.pk]
    for vm in (stays, gone):  # in the order of the page, by name, the one that goes may be the second
        Vm.objects.filter(pk=vm.pk).update(name="a" if vm is gone else "b")
    answer = admin_client.post(url, {"groups": groups, "confirm": "Add"}, follow=True)
    assert answer.status_code == 200
    told = [(task.state, task.vm_id) for task in Task.objects.order_by("id")]
    assert told == [("Finished", None)] * 2 + [("Queued", stays.pk)] * 2
    assert f"Couldn't find Vm with 'id'={gone.pk}" in Task.objects.earliest("id").message


@at_once
def test_a_change_that_comes_while_a_refresh_removes_the_instance_waits_for_it_and_is_404(
    cast: Cast, admin_client: Client, monkeypatch: Any
) -> None:
    vm, removed, goes_on = cast.production.single, Event(), Event()

    def remove_and_wait() -> None:
        with closing(connection), transaction.atomic():
            Vm.objects.filter(pk=vm.pk).delete()
            removed.set()
            assert goes_on.wait(30)

    def ask() -> int:
        with closing(connection):
            body = {"action": "add", "resource": {"name": "web"}}
            path = f"/api/instances/{vm.pk}/security_groups"
            return admin_client.post(path, body, content_type="application/json").status_code

    with ThreadPoolExecutor(2) as pool:
        removing = pool.submit(remove_and_wait)
        assert removed.wait(30)
        asking = pool.submit(ask)
        while not (asking.done() or _somebody_waits()):
            pass
        goes_on.set()
        removing.result()
        assert asking.result() == 404


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


# --- What is written ---


@at_once
@pytest.mark.parametrize("new_port", [False, True])
@pytest.mark.parametrize("goes", ["instance", "group", "port", "tenant", "network"])
def test_a_change_ends_well_though_what_it_writes_of_is_gone(
    cast: Cast, cloud: MemoryCloud, monkeypatch: Any, goes: str, new_port: bool
) -> None:
    vm, port = cast.production.single, NetworkPort.objects.get(ems_ref="eni-production-single-1")
    if new_port:
        port.delete()
    else:
        NetworkPort.objects.update(cloud_network=None, cloud_tenant=None)
    rows = {"instance": vm, "group": cast.production.web, "port": port}
    row = {**rows, "tenant": cast.tenant, "network": cast.production.network}[goes]
    # From there on it keeps the instance itself.
    place = (Vm, "is_kept") if goes == "instance" else (recording, "replace_memberships")
    before(monkeypatch, *place, lambda: remove(row))
    queue(vm, "add", "web")
    [task] = carried_out(vm)
    assert (task.state, task.status) == ("Finished", "Ok")
    groups = {"sg-production-default"} | ({"sg-production-web"} if goes != "group" else set())
    there = goes != "instance" and (new_port or goes != "port")
    assert memberships(vm) == ({port.ems_ref: groups} if there else {})


@at_once
def test_a_new_rule_ends_well_though_its_source_is_gone(cast: Cast, cloud: MemoryCloud, monkeypatch: Any) -> None:
    group, source = cast.production.db, cast.production.web
    before(monkeypatch, rules, "with_lost_source", lambda: remove(source))
    rule = rule_creation(group, direction="inbound", host_protocol="tcp", port=1, source_security_group=source)
    [task] = edited(cast.acme, rule)
    assert (task.state, task.status) == ("Finished", "Ok")
    assert FirewallRule.objects.get().source_ip_range == source.ems_ref


@at_once
@pytest.mark.parametrize("part", ["bring_in_shares", "bring_in_associations", "bring_in_rules"])
def test_a_refresh_goes_well_though_an_edit_removes_a_group_meanwhile(
    cast: Cast, cloud: MemoryCloud, monkeypatch: Any, part: str
) -> None:
    group = cast.production.default
    network = cast.staging.network.ems_ref
    more = {"shared_with": ("t-account",), "associated_network_refs": (network,)}
    there = [replace(one, **more) if one.ref == group.ems_ref else one for one in cloud.group_list]
    cloud.group_list = there
    Membership.objects.all().delete()
    before(monkeypatch, parts, part, lambda: remove(group))
    refresh(cast.acme, Grip())
    assert memberships(cast.production.single) == {"eni-production-single-1": {group.ems_ref}}
