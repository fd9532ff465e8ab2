"""Deleting a provider: gone to everybody at once, then deleted in batches, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction

from inventory import backoff, deletion
from inventory import refresh as refreshing
from inventory.backoff import ShutdownRequested
from inventory.deletion import handle_provider_tasks, steps
from inventory.drivers.exceptions import CloudError
from inventory.leases import LeaseLost
from inventory.models import CallRate, CloudTenant, EventStream, NetworkPort, Provider, Tally, Task, Vm
from inventory.rate_limit import slow_down
from inventory.services import TaskSpec, delete_provider, edit_provider, queue_work, request_refresh
from inventory.tasks import forget_what_is_over, queue_due_refreshes
from secgroups import editing
from secgroups.models import FirewallRule, Membership, SecurityGroup
from secgroups.services import group_deletion, request_edits
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import Grip, MemoryCloud, meanwhile
from tests.secgroups.carrying import carried_out, queue

GONE = "The provider was deleted."
OWNED = (Vm, NetworkPort, CloudTenant, SecurityGroup, FirewallRule, Membership)


class Killed(BaseException):
    """The process is no more."""


@pytest.fixture
def live(cast: Cast) -> Provider:
    """Another provider, with something of each kind."""
    other = actors.provider("other")
    network = actors.network(actors.tenant(other, "other"), "elsewhere")
    group = actors.group(network, "web")
    actors.rule(group, 22)
    actors.vm(network, "vm", groups=[group])
    group.shared_with.add(network.cloud_tenant)
    return other


@pytest.fixture
def full(cast: Cast) -> Provider:
    """One whose rows name each other in every way that there is."""
    site = cast.production
    actors.rule(site.web, 22)
    FirewallRule.objects.update(source_security_group=site.db)
    site.web.shared_with.add(cast.tenant)
    site.web.associated_networks.add(cast.staging.network)
    site.network.peers.add(cast.staging.network)
    slow_down(cast.acme, "DescribeInstances", None)
    Task.objects.create(
        name="Added web",
        message="",
        state="Finished",
        queue=f"vms/{site.single.pk}",
        provider=cast.acme,
        vm=site.single,
    )
    return cast.acme


def accepted(provider: Provider) -> Task:
    task = delete_provider(provider=provider, user=None)
    return Task.objects.get(pk=task.pk)


def delete(task: Task) -> Task:
    handle_provider_tasks([task], Grip())
    return Task.objects.get(pk=task.pk)


def test_it_is_gone_with_all_that_it_had_and_nothing_else_is(full: Provider, live: Provider) -> None:
    task = delete(accepted(full))
    assert (task.state, task.status, task.message) == ("Finished", "Ok", "Deleted provider acme.")
    assert task.pct_complete == 100
    assert list(Provider.objects.all()) == [live]
    for model in OWNED:
        assert model.objects.count() >= 1
        assert not model.objects.exclude(
            **{f"{'security_group__' * (model is Membership)}provider": live}
        ).exists()
    assert not CallRate.objects.exists()
    Tally.objects.fold()
    of_inventory = Tally.objects.exclude(table=EventStream._meta.db_table)
    assert set(of_inventory.values_list("provider", flat=True)) == {live.pk}


def test_its_tasks_stay_and_name_it_no_more(full: Provider) -> None:
    delete(accepted(full))
    done = Task.objects.get(name="Added web")
    assert (done.provider, done.vm) == (None, None)


def test_every_row_that_names_another_goes_before_it() -> None:
    order = [step.model for step in steps()]
    assert order.index(Membership) < order.index(NetworkPort) < order.index(Vm) < order.index(CloudTenant)
    assert [step.model for step in steps() if step.named] == [Task, Task]


def test_what_is_queued_ends_at_once_and_no_more_is_accepted(cast: Cast) -> None:
    asked = [*queue(cast.production.single, "add", "web"), request_refresh(provider=cast.acme, user=None)]
    accepted(cast.acme)
    for task in asked:
        task.refresh_from_db()
        assert (task.state, task.status, task.message, task.pct_complete) == ("Finished", "Error", GONE, 100)
    with pytest.raises(Provider.DoesNotExist):
        queue(cast.production.single, "add", "web")
    with pytest.raises(Provider.DoesNotExist):
        request_refresh(provider=cast.acme, user=None)
    with pytest.raises(Provider.DoesNotExist):
        edit_provider(provider=cast.acme, user=None, name="brook")
    with pytest.raises(Provider.DoesNotExist):
        delete_provider(provider=cast.acme, user=None)
    cast.acme.refresh_from_db()
    assert (cast.acme.name, Task.objects.unfinished().count()) == ("acme", 1)


def test_its_name_can_be_given_at_once(cast: Cast) -> None:
    accepted(cast.acme)
    assert actors.provider("acme").pk != cast.acme.pk


def test_what_is_under_way_when_it_is_deleted_records_nothing(cast: Cast, cloud: MemoryCloud) -> None:
    before = list(Membership.objects.order_by("pk").values())
    queue(cast.production.single, "add", "web")
    cloud.script("change_groups", meanwhile(lambda: accepted(cast.acme)))
    [task] = carried_out(cast.production.single)
    assert (task.state, task.status) == ("Finished", "Ok")
    assert list(Membership.objects.order_by("pk").values()) == before


def test_nobody_refreshes_what_is_deleted(cast: Cast) -> None:
    Provider.objects.update(last_refresh_date=None)
    accepted(cast.acme)
    queue_due_refreshes()
    assert Task.objects.count() == 1


def test_it_says_how_far_it_is(full: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "BATCH", 3)
    seen: list[tuple[int, str]] = []
    task = accepted(full)
    whole = deletion.Step.execute

    def carry_out_and_look(self: Any, keys: Any) -> None:
        seen.append(Task.objects.values_list("pct_complete", "message").get(pk=task.pk))
        whole(self, keys)

    monkeypatch.setattr(deletion.Step, "execute", carry_out_and_look)
    delete(task)
    percents = [percent for percent, _ in seen]
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert 80 < percents[-1] < 100
    assert seen[-1][1].startswith("Deleting provider acme: ")


def test_killed_at_any_batch_it_goes_on_where_it_was(full: Provider, live: Provider) -> None:
    task, kept, at = accepted(full), {model: model.objects.connected().count() for model in OWNED}, 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deletion, "BATCH", 2)
        whole, before = deletion.Step.execute, Event()

        def kill(self: Any, keys: Any) -> None:
            whole(self, keys)
            if not before.is_set():
                before.set()
                return
            raise Killed  # before its transaction is committed

        patched.setattr(deletion.Step, "execute", kill)
        percent = -1
        while Provider.objects.filter(pk=full.pk).exists():
            before.clear()
            task = Task.objects.get(pk=task.pk)
            assert task.state == "Active"
            assert task.pct_complete >= percent
            assert {model: model.objects.connected().count() for model in OWNED} == kept
            percent, at = task.pct_complete, at + 1
            try:
                handle_provider_tasks([task], Grip())
            except Killed:
                continue
    assert at > 10
    assert Task.objects.get(pk=task.pk).status == "Ok"


def test_a_worker_that_is_to_stop_hands_it_back(full: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff.stop, "_asked", Event())
    task = accepted(full)
    backoff.stop.ask()
    with pytest.raises(ShutdownRequested):
        delete(task)
    assert Vm.objects.exists()
    monkeypatch.setattr(backoff.stop, "_asked", Event())
    assert delete(task).status == "Ok"


def test_without_the_lease_nothing_is_deleted(full: Provider) -> None:
    task = accepted(full)
    grip = Grip()
    grip.lose()
    with pytest.raises(LeaseLost):
        handle_provider_tasks([task], grip)
    assert Vm.objects.exists()


def test_so_it_is_where_nothing_is_left_but_the_provider(db: None) -> None:
    provider = actors.provider("empty")
    task = accepted(provider)
    Task.objects.update(provider=None)
    grip = Grip()
    grip.lose()
    with pytest.raises(LeaseLost):
        handle_provider_tasks([task], grip)
    assert Provider.objects.filter(pk=provider.pk).exists()
    assert Task.objects.unfinished().count() == 1


def test_a_refresh_that_lost_its_worker_ends_before_the_deletion_begins(cast: Cast, cloud: MemoryCloud) -> None:
    asked = request_refresh(provider=cast.acme, user=None)
    Task.objects.update(state="Active")
    accepted(cast.acme)
    handle_provider_tasks(list(Task.objects.order_by("pk")), Grip())
    asked.refresh_from_db()
    assert (asked.status, asked.message) == ("Error", GONE)
    assert not cloud.calls
    assert not Provider.objects.exists()


def test_a_deletion_whose_task_failed_is_queued_again(cast: Cast) -> None:
    accepted(cast.acme)
    forget_what_is_over()
    assert Task.objects.count() == 1
    Task.objects.update(state="Finished", status="Error")
    forget_what_is_over()
    [again] = Task.objects.unfinished()
    assert delete(again).status == "Ok"


def test_slowing_down_for_a_deleted_provider_notes_nothing(cast: Cast) -> None:
    accepted(cast.acme)
    slow_down(cast.acme, "DescribeInstances", None)
    assert not CallRate.objects.exists()


def test_a_refresh_that_is_reading_writes_nothing_any_more(cast: Cast, cloud: MemoryCloud) -> None:
    task, before = request_refresh(provider=cast.acme, user=None), list(Vm.objects.order_by("pk").values())
    cloud.instance_list.clear()
    cloud.script("inventory", meanwhile(lambda: accepted(cast.acme)))
    Task.objects.update(state="Active")
    handle_provider_tasks([task], Grip())
    assert (task.status, task.message) == ("Error", GONE)
    assert list(Vm.objects.order_by("pk").values()) == before


def test_a_refresh_that_has_read_does_not_begin_to_write(cast: Cast, cloud: MemoryCloud) -> None:
    before = list(Vm.objects.order_by("pk").values())
    cloud.instance_list.clear()
    with pytest.raises(CloudError, match=GONE):
        refreshing.refresh(cast.acme, Grip(), force=True, progress=lambda: accepted(cast.acme))
    assert list(Vm.objects.order_by("pk").values()) == before


def test_an_edit_under_way_is_told_and_not_recorded(cast: Cast, cloud: MemoryCloud) -> None:
    [answer] = request_edits([group_deletion(cast.production.db)], user=None)  # type: ignore[arg-type]
    cloud.script("delete_group", meanwhile(lambda: accepted(cast.acme)))
    task = answer.task  # type: ignore[union-attr]
    Task.objects.filter(pk=task.pk).update(state="Active")
    editing.handle_edit_tasks([Task.objects.get(pk=task.pk)], Grip())
    assert Task.objects.get(pk=task.pk).status == "Ok"
    assert SecurityGroup.objects.filter(pk=cast.production.db.pk).exists()


def in_a_thread(act: Callable[[], Any]) -> Any:
    with closing(connection):
        return act()


@pytest.mark.usefixtures("shared_database")
def test_whoever_asks_while_it_is_deleted_is_refused_or_told() -> None:
    with ThreadPoolExecutor(4) as pool:

        def ask() -> int:
            number = 0
            with suppress(Provider.DoesNotExist):
                while number < 1000:
                    queue_work(f"vms/{vm.pk}", [TaskSpec("Add", "Adding")], user=None, provider=vm.provider, vm=vm)
                    number += 1
            return number

        vm = pool.submit(in_a_thread, lambda: actors.enter().production.single).result()
        asking = [pool.submit(in_a_thread, ask) for _ in range(3)]
        pool.submit(in_a_thread, lambda: delete(accepted(vm.provider))).result()
        assert all(future.result() < 1000 for future in asking)
        pool.submit(in_a_thread, lambda: _all_ended(sum(future.result() for future in asking))).result()


def _all_ended(number: int) -> None:
    assert not Provider.objects.exists()
    assert Task.objects.filter(state="Finished", status="Error", message=GONE).count() == number
    assert not Task.objects.unfinished().exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.usefixtures("shared_database")
def test_it_is_accepted_while_somebody_writes_and_begins_when_they_have_written() -> None:
    provider, writes, goes_on = actors.provider("acme"), Event(), Event()

    @transaction.atomic
    def write() -> None:
        assert provider.is_kept()
        writes.set()
        assert goes_on.wait(30)
        actors.tenant(provider)

    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(in_a_thread, write)
        assert writes.wait(30)
        task = accepted(provider)
        deleting = pool.submit(in_a_thread, lambda: delete(task))
        while not (deleting.done() or _somebody_waits()):
            pass
        assert not deleting.done()
        goes_on.set()
        writing.result()
        assert deleting.result().status == "Ok"
    assert not CloudTenant.objects.exists()


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])
