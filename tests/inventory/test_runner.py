"""From a queued task to a finished one, whatever becomes of the worker and the message."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import BoundedSemaphore, Event
from typing import Any

import pytest
from celery import current_app
from celery.app.amqp import task_message
from celery.signals import worker_shutting_down
from celery.worker.request import Request
from django.contrib.auth.models import User
from django.db import OperationalError, transaction
from django.utils import timezone
from kombu import Message, Producer
from kombu.exceptions import OperationalError as BrokerDown
from kombu.serialization import dumps

from inventory import backoff
from inventory.arguments import Arguments, Notes, read
from inventory.backoff import ShutdownEvent
from inventory.leases import LeaseLost, QueueLease
from inventory.models import Lease, Provider, Task
from inventory.runner import SWEEP_AFTER, run_queue
from inventory.services import TaskSpec, finish, queue_work, queueing
from inventory.tasks import sweep, sweep_on_startup, work
from tests import cast as actors
from tests.cast import Cast

QUEUE = "things/1"


class Doing(Arguments, frozen=True):
    b: Any


class Handler:
    """Finishes its tasks, unless it is told to do something else; notes which it was given together."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []
        self.before: Any = lambda tasks: None

    def __call__(self, tasks: Sequence[Task], lease: QueueLease) -> None:
        self.given.append([task.name for task in tasks])
        lease.ensure()
        assert Lease.objects.filter(queue=tasks[0].queue, owner=lease.owner).exists()
        assert {task.state for task in tasks} == {"Active"}
        self.before(tasks)
        for task in tasks:
            finish(task, Task.Status.OK, "Done.")


carry_out = Handler()


@pytest.fixture
def handler(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Handler:
    handler = Handler()
    settings.TASK_HANDLERS = {"things": f"{__name__}.carry_out"}
    monkeypatch.setitem(globals(), "carry_out", handler)
    return handler


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str | None]]:
    """The wake-up calls that were sent: their arguments, and when they expire."""
    sent: list[tuple[list[str], str | None]] = []

    def send(producer: object, name: str, message: task_message) -> None:
        assert name == message.headers["task"] == work.name
        arguments, *_ = message.body
        sent.append((arguments, message.headers.get("expires")))

    monkeypatch.setattr(current_app.amqp, "send_task_message", send)
    return sent


def add(*names: str, queue: str = QUEUE, **attributes: Any) -> None:
    queue_work(queue, [TaskSpec(name, f"Doing {name}") for name in names], user=None, provider=None)
    Task.objects.filter(name__in=names).update(**attributes)


def states() -> dict[str, tuple[str, str, str]]:
    return {task.name: (task.state, task.status, task.message) for task in Task.objects.all()}


class TestWorkOff:
    def test_what_is_queued_is_carried_out_together_in_its_order(self, handler: Handler) -> None:
        add("a", "b")
        add("c")
        run_queue(QUEUE)
        assert handler.given == [["a", "b", "c"]]
        assert states() == dict.fromkeys("abc", ("Finished", "Ok", "Done."))
        assert all(task.started_on and task.pct_complete == 100 for task in Task.objects.all())

    def test_other_queues_and_finished_tasks_are_left_alone(self, handler: Handler) -> None:
        add("a")
        add("other", queue="things/2")
        add("old", state="Finished")
        work(QUEUE)
        assert handler.given == [["a"]]
        assert states()["other"] == ("Queued", "Ok", "Doing other")

    def test_what_is_queued_meanwhile_is_carried_out_before_it_lets_go(self, handler: Handler) -> None:
        add("a")
        handler.before = lambda tasks: add("b") if tasks[0].name == "a" else None
        run_queue(QUEUE)
        assert handler.given == [["a"], ["b"]]

    def test_without_work_no_lease_is_taken(self, handler: Handler, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(1):
            run_queue(QUEUE)

    def test_it_leaves_the_work_to_who_is_at_it(self, handler: Handler) -> None:
        add("a")
        ends_on = timezone.now() + timedelta(hours=1)
        Lease.objects.create(queue=QUEUE, owner=uuid.uuid4(), ends_on=ends_on)
        run_queue(QUEUE)
        assert not handler.given
        assert states()["a"][0] == "Queued"

    def test_the_active_tasks_of_a_dead_worker_are_taken_over_first(self, handler: Handler) -> None:
        began = timezone.now() - timedelta(minutes=5)
        add("a", "b", state="Active", started_on=began)
        add("c")
        Lease.objects.create(queue=QUEUE, owner=uuid.uuid4(), ends_on=timezone.now() - timedelta(seconds=1))
        run_queue(QUEUE)
        assert handler.given == [["a", "b", "c"]]
        assert Task.objects.get(name="a").started_on == began
        assert not Lease.objects.exists()

    def test_a_handler_that_raises_finishes_what_it_left_as_an_error(
        self, handler: Handler, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(tasks: Sequence[Task]) -> None:
            finish(tasks[0], Task.Status.WARN, "Half done.")
            raise ZeroDivisionError("secret detail")

        add("a", "b")
        handler.before = fail
        run_queue(QUEUE)
        failed = "Internal error (ZeroDivisionError). See the Portcullis log for details."
        assert states() == {"a": ("Finished", "Warn", "Half done."), "b": ("Finished", "Error", failed)}
        assert "secret detail" in caplog.text

    @pytest.mark.parametrize("error", [OperationalError("The database is gone."), LeaseLost(QUEUE)])
    def test_a_database_or_lease_that_is_lost_leaves_the_tasks_for_the_next(
        self, error: Exception, handler: Handler
    ) -> None:
        def fail(tasks: Sequence[Task]) -> None:
            raise error

        add("a")
        handler.before = fail
        with pytest.raises(type(error)):
            run_queue(QUEUE)
        assert states() == {"a": ("Active", "Ok", "Doing a")}
        assert not Lease.objects.exists()
        handler.before = lambda tasks: None
        run_queue(QUEUE)
        assert handler.given == [["a"], ["a"]]
        assert states()["a"][0] == "Finished"


@pytest.mark.django_db
class TestSweep:
    LONG_AGO = timezone.now() - 2 * SWEEP_AFTER

    def test_it_wakes_each_queue_with_overdue_work_once(self, messages: list[Any]) -> None:
        add("a", "b", created_on=self.LONG_AGO)
        add("c", queue="things/2", created_on=self.LONG_AGO, state="Active")
        sweep()
        assert [arguments for arguments, _ in messages] == [["things/1"], ["things/2"]]

    def test_a_message_of_the_sweep_does_not_outlive_the_next(self, messages: list[Any]) -> None:
        add("a", created_on=self.LONG_AGO)
        before = timezone.now()
        sweep()
        [(arguments, expires)] = messages
        assert arguments == [QUEUE]
        assert before <= datetime.fromisoformat(str(expires)) - SWEEP_AFTER <= timezone.now()

    @pytest.mark.parametrize("attributes", [{}, {"created_on": LONG_AGO, "state": "Finished"}])
    def test_what_is_new_or_finished_is_not_swept(self, attributes: Any, messages: list[Any]) -> None:
        add("a", **attributes)
        sweep()
        assert not messages

    @pytest.mark.parametrize(("minutes", "woken"), [(1, 0), (-1, 1)])
    def test_only_a_live_lease_keeps_it_off(self, minutes: int, woken: int, messages: list[Any]) -> None:
        add("a", created_on=self.LONG_AGO)
        ends_on = timezone.now() + timedelta(minutes=minutes)
        Lease.objects.create(queue=QUEUE, owner=uuid.uuid4(), ends_on=ends_on)
        Lease.objects.create(queue="things/9", owner=uuid.uuid4(), ends_on=timezone.now() + timedelta(hours=1))
        sweep()
        assert len(messages) == woken

    def test_a_worker_that_starts_sweeps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []
        monkeypatch.setattr(sweep, "delay", lambda: asked.append(True))
        sweep_on_startup()
        assert asked


@pytest.mark.django_db
class TestQueueWork:
    def test_the_tasks_say_what_is_to_be_done_for_whom(self) -> None:
        sam, acme = User.objects.create_user("sam"), actors.provider("acme")
        specs = [TaskSpec("a", "Doing a", Doing(b=1), {"c": 2}), TaskSpec("d", "Doing d")]
        task, _ = queue_work(QUEUE, specs, user=sam, provider=acme)
        task = Task.objects.get(pk=task.pk)
        assert (task.name, task.message, task.context_data) == ("a", "Doing a", {"c": 2})
        assert task.arguments == {"version": 1, "b": 1}
        assert (task.queue, task.userid, task.owner, task.provider, task.vm) == (QUEUE, "sam", sam, acme, None)
        assert (task.state, task.status, task.pct_complete, task.started_on) == ("Queued", "Ok", 0, None)

    def test_without_a_user_it_was_the_system(self) -> None:
        add("a")
        assert Task.objects.values_list("userid", "owner").get() == ("system", None)

    def test_a_worker_is_woken_once_the_tasks_are_there(
        self, messages: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            add("a", "b")
            assert not messages
        assert messages == [([QUEUE], None)]

    def test_it_queues_all_or_nothing(self, django_capture_on_commit_callbacks: Any) -> None:
        specs = [TaskSpec("a", "Doing a"), TaskSpec("b", "Doing b", Doing(b=object()))]
        with django_capture_on_commit_callbacks() as callbacks, pytest.raises(TypeError):
            queue_work(QUEUE, specs, user=None, provider=None)
        assert not Task.objects.exists()
        assert not callbacks

    def test_nobody_is_woken_for_what_was_rolled_back(self, django_capture_on_commit_callbacks: Any) -> None:
        with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
            add("a")
            transaction.set_rollback(True)
        assert not Task.objects.exists()
        assert not callbacks

    def test_a_worker_carries_out_what_the_message_says(
        self, handler: Handler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[Message] = []

        def publish(producer: object, body: Any, headers: Any, correlation_id: str, **options: Any) -> None:
            content_type, encoding, text = dumps(body, options["serializer"])
            properties = {"correlation_id": correlation_id}
            sent.append(Message(text, None, content_type, encoding, properties=properties, headers=headers))

        monkeypatch.setattr(Producer, "publish", publish)
        add("a")
        queueing.wake(QUEUE, SWEEP_AFTER)
        request = Request(sent[-1], app=current_app, task=work)
        assert timedelta() < request.expires - timezone.now() <= SWEEP_AFTER
        request.execute()
        assert handler.given == [["a"]]

    @pytest.mark.parametrize("error", [BrokerDown("Connection refused"), ConnectionRefusedError(), OSError(28)])
    def test_a_broker_that_is_down_does_not_fail_the_request(
        self,
        error: Exception,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        def refuse(*arguments: Any, **options: Any) -> None:
            raise error

        monkeypatch.setattr(current_app.amqp, "send_task_message", refuse)
        with django_capture_on_commit_callbacks(execute=True):
            add("a")
        assert states() == {"a": ("Queued", "Ok", "Doing a")}
        assert "No message for things/1, the next sweep will find it" in caplog.text


def test_a_finished_task_shows_the_outcome_beside_what_was_asked(db: None) -> None:
    [task] = queue_work(QUEUE, [TaskSpec("a", "Doing a", context={"asked": 1})], user=None, provider=None)
    finish(task, Task.Status.WARN, "Half done.", outcome=2)
    task.refresh_from_db()
    assert (task.state, task.status, task.message, task.pct_complete) == ("Finished", "Warn", "Half done.", 100)
    assert task.context_data == {"asked": 1, "outcome": 2}


def test_a_provider_that_is_deleted_leaves_its_tasks(db: None) -> None:
    acme: Provider = actors.provider("acme")
    queue_work(QUEUE, [TaskSpec("a", "Doing a")], user=None, provider=acme)
    acme.delete()
    assert Task.objects.get().provider is None


class TestStopping:
    @pytest.fixture
    def stop(self, monkeypatch: pytest.MonkeyPatch) -> ShutdownEvent:
        """That of this process, which neither is asked to stop when the test is over nor ends."""
        monkeypatch.setattr(backoff.stop, "_asked", Event())
        monkeypatch.setattr("inventory.tasks.GRACE", 3600)
        return backoff.stop

    def test_what_a_worker_hands_back_is_done_by_the_next(self, handler: Handler, stop: ShutdownEvent) -> None:
        def wait(tasks: Sequence[Task]) -> None:
            worker_shutting_down.send(None)
            stop.sleep(3600)

        add("one", "two")
        handler.before = wait
        run_queue(QUEUE)
        assert states() == {"one": ("Active", "Ok", "Doing one"), "two": ("Active", "Ok", "Doing two")}
        assert not Lease.objects.exists()
        stop._asked.clear()
        handler.before = lambda tasks: None
        run_queue(QUEUE)
        assert {state for state, _, _ in states().values()} == {"Finished"}

    def test_a_worker_that_is_to_stop_finishes_what_it_has_and_takes_no_more(
        self, handler: Handler, stop: ShutdownEvent
    ) -> None:
        def another(tasks: Sequence[Task]) -> None:
            add("later")
            stop.ask()

        add("now")
        handler.before = another
        run_queue(QUEUE)
        assert {name: state for name, (state, _, _) in states().items()} == {"now": "Finished", "later": "Queued"}
        assert not Lease.objects.exists()


class TestRefreshesAndChanges:
    """A worker of two threads, one of which is left to changes."""

    @pytest.fixture(autouse=True)
    def two_threads(self, handler: Handler, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.TASK_HANDLERS |= {"providers": f"{__name__}.carry_out"}
        monkeypatch.setattr("inventory.runner._refreshing", BoundedSemaphore(1))

    def test_a_second_refresh_waits_and_a_change_does_not(self, handler: Handler) -> None:
        add("first", queue="providers/1")
        add("second", queue="providers/2")
        add("change", queue="things/1")

        def meanwhile(tasks: Sequence[Task]) -> None:
            handler.before = lambda tasks: None
            run_queue("providers/2")
            run_queue("things/1")

        handler.before = meanwhile
        run_queue("providers/1")
        assert handler.given == [["first"], ["change"]]

    def test_it_is_carried_out_afterwards(self, handler: Handler) -> None:
        add("first", queue="providers/1")
        add("second", queue="providers/2")
        run_queue("providers/1")
        run_queue("providers/2")
        assert handler.given == [["first"], ["second"]]


def test_what_is_accepted_is_written_as_it_was_given_and_in_its_order(cast: Cast, admin_user: User) -> None:
    texts = ["plain", "100 %s", 'it\'s "quoted"', "naïve 防火墙 🧱", "back\\slash\nand line", "", "null", "[]"]
    specs = [
        TaskSpec(text, f"{number}: {text}", Doing(b={text: [1, None, {"a": text}]}), {"of": {text: number}})
        for number, text in enumerate(texts * 20)
    ]
    tasks = queue_work("vms/1", specs, user=admin_user, provider=cast.acme, vm=cast.production.single)

    written = list(Task.objects.order_by("id"))
    assert [task.pk for task in tasks] == [task.pk for task in written]
    asked = [read(task.arguments, Doing, Notes) for task in written]
    found = [TaskSpec(one.name, one.message, b, one.context_data) for one, b in zip(written, asked, strict=True)]
    assert found == specs
    assert {(one.queue, one.state, one.status, one.userid, one.pct_complete) for one in written} == {
        ("vms/1", "Queued", "Ok", "admin", 0)
    }
    assert {(one.owner, one.provider, one.vm, one.started_on) for one in written} == {
        (admin_user, cast.acme, cast.production.single, None)
    }
    assert written[0].created_on <= written[0].updated_on <= timezone.now()
    assert [task.name for task in tasks] == [spec.name for spec in specs]
