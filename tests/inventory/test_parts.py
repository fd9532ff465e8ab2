"""Tasks with parts: how they are queued, and how they learn of the end of their parts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import TestCase
from django.utils import timezone

from inventory import messages, overdue, runner
from inventory.models import Provider, Task
from inventory.services import Part, TaskResult, TaskSpec, begin, complete_tasks, queue_parts, queue_work
from inventory.services.parents import settle, settle_parents
from tests.cast import Cast


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("sam")


def queued(cast: Cast, user: User, *, refused: int = 0) -> Task:
    """A task with a part for each of four instances, of which the first may be refused."""
    vms = (cast.production.single, cast.production.double, cast.staging.single, cast.staging.double)
    parts = [
        Part(f"vms/{vm.pk}", TaskSpec(f"Change {vm}", f"Change {vm}"), vm.pk, "No" if number < refused else None)
        for number, vm in enumerate(vms)
    ]
    return queue_parts(TaskSpec("Change all", "Change all"), parts, user=user, provider=cast.acme)


def end(*parts: Task, status: Task.Status = Task.Status.OK) -> None:
    complete_tasks([TaskResult(part, status, "The end") for part in parts])


def test_the_parts_are_asked_for_as_the_parent_is(cast: Cast, user: User) -> None:
    parent = queued(cast, user)
    for part in parent.tasks.all():
        assert (part.owner, part.userid, part.request_id) == (user, "sam", parent.request_id)
        assert part.provider == cast.acme
        assert part.created_on >= parent.created_on


def test_the_progress_counts_the_parts(cast: Cast, user: User) -> None:
    parent = queued(cast, user, refused=1)
    assert (parent.state, parent.pct_complete, parent.status) == ("Queued", 25, "Warn")
    first, second, third = parent.tasks.unfinished().order_by("pk")
    begin([first, second])
    end(first)
    settle(parent.pk)
    parent.refresh_from_db()
    assert (parent.state, parent.pct_complete) == ("Active", 50)
    expected = {"total": 4, "queued": 1, "active": 1, "ok": 1, "warn": 0, "error": 1, "cancelled": 0, "refused": 1}
    assert expected.items() <= parent.context_data.items()
    assert parent.context_data["estimated_end_on"] > parent.started_on.isoformat()  # type: ignore[union-attr]
    end(second, third)
    settle(parent.pk)
    parent.refresh_from_db()
    assert (parent.state, parent.pct_complete) == ("Finished", 100)
    assert "estimated_end_on" not in parent.context_data


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ("Ok Ok Ok Ok", "Ok"),
        ("Ok Warn Ok Ok", "Warn"),
        ("Ok Error Ok Ok", "Warn"),
        ("Error Error Error Error", "Error"),
    ],
)
def test_the_status_is_that_of_all_parts(cast: Cast, user: User, statuses: str, status: str) -> None:
    parent = queued(cast, user)
    for part, ends in zip(parent.tasks.all(), statuses.split(), strict=True):
        end(part, status=Task.Status(ends))
    settle(parent.pk)
    parent.refresh_from_db()
    assert parent.status == status


def test_progress_is_written_at_most_once_a_second_but_for_the_end(cast: Cast, user: User) -> None:
    parent = queued(cast, user)
    *most, last = parent.tasks.all()
    with TestCase.captureOnCommitCallbacks(execute=True):
        end(*most)
    parent.refresh_from_db()
    assert parent.context_data["ok"] == 0
    Task.objects.filter(pk=parent.pk).update(updated_on=timezone.now() - timedelta(seconds=2))
    settle_parents([parent.pk])
    parent.refresh_from_db()
    assert (parent.context_data["ok"], parent.state) == (3, "Active")
    with TestCase.captureOnCommitCallbacks(execute=True):
        end(last)
    parent.refresh_from_db()
    assert (parent.context_data["ok"], parent.state) == (4, "Finished")


def test_a_poller_reads_the_same_as_long_as_nothing_changes(cast: Cast, user: User) -> None:
    parent = queued(cast, user)
    settle(parent.pk)
    assert Task.objects.get(pk=parent.pk).updated_on == parent.updated_on


def test_the_sweep_ends_a_parent_whose_last_worker_died_before_it_could(
    cast: Cast, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "wake", lambda *arguments: None)
    parent = queued(cast, user)
    end(*parent.tasks.all())  # what is to happen on commit does not
    runner.sweep()
    parent.refresh_from_db()
    assert parent.state == "Finished"


def test_the_sweep_wakes_nobody_up_for_a_parent(cast: Cast, user: User) -> None:
    parent = queued(cast, user)
    queues = {f"vms/{part.vm_id}" for part in parent.tasks.all()}
    assert set(overdue.tasks(timedelta(seconds=-1)).values_list("queue", flat=True)) == queues


def test_an_instance_that_has_gone_meanwhile_is_refused(cast: Cast, user: User) -> None:
    gone = cast.production.single.pk
    cast.production.single.delete()
    part = Part(f"vms/{gone}", TaskSpec("Change", "Change"), gone)
    parent = queue_parts(TaskSpec("Change all", "Change all"), [part], user=user, provider=cast.acme)
    [refused] = parent.tasks.all()
    assert (refused.state, refused.status, refused.vm) == ("Finished", "Error", None)
    assert refused.message == messages.not_found("Vm", gone)
    assert (parent.state, parent.status) == ("Finished", "Error")


def test_a_part_whose_queue_is_full_is_refused(cast: Cast, user: User, settings: Any) -> None:
    settings.QUEUE_LIMIT = 1
    queued(cast, user)
    parent = queued(cast, user)
    assert parent.context_data["error"] == 4
    assert all(part.message.startswith("Queue full") for part in parent.tasks.all())


def test_nothing_is_queued_at_a_provider_that_has_gone(cast: Cast, user: User) -> None:
    Provider.objects.filter(pk=cast.acme.pk).update(deleted_on=timezone.now())
    with pytest.raises(Provider.DoesNotExist):
        queued(cast, user)
    assert not Task.objects.exists()


def test_a_user_who_has_gone_leaves_tasks_without_an_owner(cast: Cast, user: User) -> None:
    User.objects.filter(pk=user.pk).delete()
    parent = queued(cast, user)
    assert {part.owner_id for part in (parent, *parent.tasks.all())} == {None}
    assert parent.userid == "sam"


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_the_later_of_two_ends_at_the_same_time_ends_the_parent(cast: Cast, user: User) -> None:
    def end_another() -> None:
        with closing(connection):
            end(second)

    parent = queued(cast, user)
    first, second, *others = parent.tasks.all()
    end(*others)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        end(first)
        pool.submit(end_another).result()  # commits while the first has not
        assert Task.objects.get(pk=parent.pk).state != "Finished"
    assert Task.objects.get(pk=parent.pk).state == "Finished"


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_a_single_change_waits_for_the_queues_that_many_parts_come_into(cast: Cast, user: User) -> None:
    """Otherwise it could run before a part that was accepted before it."""
    vm = cast.production.single

    def queue_one() -> int:
        with closing(connection):
            [task] = queue_work(f"vms/{vm.pk}", [TaskSpec("One", "One")], user=user, provider=cast.acme, vm=vm)
            return int(task.pk)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            parent = queued(cast, user)
            single = pool.submit(queue_one)
            with pytest.raises(TimeoutError):
                single.result(timeout=0.5)
        assert single.result(timeout=30) > max(parent.tasks.values_list("pk", flat=True))
