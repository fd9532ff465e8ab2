"""Instances that a refresh removes while somebody changes them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http import HTTPStatus
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from inventory.models import Task, Vm
from inventory.reconcile import reconcile
from inventory.services import TaskSpec, queue_work
from secgroups.services import changes
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import MemoryCloud, meanwhile
from tests.secgroups.carrying import carried_out, queue


def remove(vm: Vm) -> None:
    """As a refresh does that does not find it any more."""
    others = Vm.objects.filter(provider=vm.provider).exclude(pk=vm.pk).as_values()
    reconcile(Vm, vm.provider, list(others), Vm.mapping.columns())


def ask(vm: Vm) -> Task:
    [task] = queue_work(f"vms/{vm.pk}", [TaskSpec("Add", "Adding")], user=None, provider=vm.provider, vm=vm)
    return task


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["", "key"])
def test_a_change_of_one_that_has_just_been_removed_is_not_found(
    admin_client: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]
) -> None:
    vm, decide = cast.production.single, changes._decide

    def removed(*args: Any) -> Any:
        decided = decide(*args)
        remove(vm)
        return decided

    monkeypatch.setattr(changes, "_decide", removed)
    url, body = f"/api/vms/{vm.pk}/security_groups", {"action": "add", "name": "web"}
    answer = admin_client.post(url, body, content_type="application/json", headers=key)
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert answer.json()["error"]["message"] == f"Couldn't find Vm with 'id'={vm.pk}"
    assert not Task.objects.exists()


def test_a_change_that_is_carried_out_meanwhile_says_what_came_of_it(cast: Cast, cloud: MemoryCloud) -> None:
    vm = cast.production.single
    cloud.script("change_groups", meanwhile(lambda: remove(vm)))
    queue(vm, "add", "web")
    [task] = carried_out(vm)
    assert (task.state, task.status, task.vm) == ("Finished", "Ok", None)
    assert task.message == "Added security group web to production-single."
    assert not Vm.objects.filter(pk=vm.pk).exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.usefixtures("shared_database")
class TestBothAtOnce:
    """Each of the two transactions waits for the one that was first, and sees what it did."""

    @pytest.fixture
    def vm(self) -> Vm:
        return actors.enter().production.single

    def second(self, first: Callable[[], Any], then: Callable[[], Any]) -> Any:
        """What becomes of the second, which begins before the first has ended."""
        done, goes_on = Event(), Event()

        @transaction.atomic
        def begin() -> None:
            first()
            done.set()
            assert goes_on.wait(30)

        with ThreadPoolExecutor(2) as pool:
            beginning = pool.submit(in_a_thread, begin)
            assert done.wait(30)
            following = pool.submit(in_a_thread, transaction.atomic(then))
            while not (following.done() or somebody_waits()):
                pass
            goes_on.set()
            beginning.result()
            return following.result()

    def test_a_change_that_was_accepted_before_loses_its_instance(self, vm: Vm) -> None:
        self.second(lambda: ask(vm), lambda: remove(vm))
        assert Task.objects.get().vm is None
        assert not Vm.objects.filter(pk=vm.pk).exists()

    def test_a_change_that_comes_later_is_not_accepted(self, vm: Vm) -> None:
        with pytest.raises(Vm.DoesNotExist, match=f"'id'={vm.pk}"):
            self.second(lambda: remove(vm), lambda: ask(vm))
        assert not Task.objects.exists()


def in_a_thread(act: Callable[[], Any]) -> Any:
    with closing(connection):
        return act()


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])
