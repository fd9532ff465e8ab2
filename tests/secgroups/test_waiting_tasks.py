"""What becomes of a task that waits for its next attempt, whatever people do meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from inventory import backoff, deletion
from inventory.leases import LeaseLost
from inventory.models import Provider, Task
from inventory.runner import _claim_tasks, run_queue
from inventory.services import NotInTime, cancel_task, edit_provider, request_refresh, retry_task
from secgroups.services import group_deletion, request_edits
from tests.cast import Cast, memberships
from tests.clouds import Clock, Event, Grip, MemoryCloud, fail, go, refuse, throttle, unavailable
from tests.inventory.test_runner import messages as messages  # a fixture: what would wake workers
from tests.secgroups.carrying import carried_out, queue
from tests.secgroups.editing import edited

DOWN = [unavailable()] * 200
LONG = 25
PORT = "eni-production-single-1"


class Killed(BaseException):
    """The worker is gone."""


@pytest.fixture
def user(cast: Cast) -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def connected(cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The address of each driver that was made."""
    urls: list[str | None] = []

    def driver(provider: Provider, rate_limiter: Any) -> MemoryCloud:
        urls.append(provider.connection.url)
        return cloud

    monkeypatch.setattr(Provider, "driver", driver)
    return urls


def meanwhile(clock: Clock, act: Callable[[], object], after: float = 0) -> None:
    """Do this once, as soon as so many seconds were slept."""

    def pass_by() -> None:
        if clock.now > after:
            clock.meanwhile = lambda: None
            act()

    clock.meanwhile = pass_by


def lose(grip: Grip, then: Event) -> Event:
    """The lease is lost while the cloud is asked."""
    return lambda call: (grip.lose(), then(call))[1]


def added(cast: Cast, *names: str) -> list[Task]:
    return queue(cast.production.single, "add", *names)


def work(cast: Cast) -> None:
    run_queue(f"vms/{cast.production.single.pk}")


def told(task: Task) -> tuple[str, str, str]:
    task.refresh_from_db()
    return task.state, task.status, task.message


ADDED = ("Finished", "Ok", "Added security group web to production-single.")


class TestACorrectedProvider:
    def correct(self, cast: Cast) -> Callable[[], object]:
        provider = Provider.objects.get(pk=cast.acme.pk)
        return lambda: edit_provider(provider=provider, user=None, url="http://right.example")

    def test_is_used_within_a_moment_by_changes(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, connected: list[str | None]
    ) -> None:
        [task] = added(cast, "web")
        cloud.script("ports", throttle(LONG))
        meanwhile(clock, self.correct(cast))
        work(cast)
        assert told(task) == ADDED
        assert connected == [None, "http://right.example"]
        assert clock.now <= 2

    def test_is_used_by_edits_and_by_those_behind(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, connected: list[str | None]
    ) -> None:
        request_edits([group_deletion(cast.production.web), group_deletion(cast.production.db)], user=None)
        cloud.script("delete_group", throttle(LONG))
        meanwhile(clock, self.correct(cast))
        run_queue(f"security_groups/{cast.acme.pk}")
        assert {task.status for task in Task.objects.filter(queue__startswith="security")} == {"Ok"}
        assert connected == [None, "http://right.example"]
        assert clock.now <= 2

    def test_is_used_by_the_edits_that_have_not_begun(
        self, cast: Cast, cloud: MemoryCloud, connected: list[str | None]
    ) -> None:
        request_edits([group_deletion(cast.production.web), group_deletion(cast.production.db)], user=None)
        correct = self.correct(cast)
        cloud.script("delete_group", lambda call: (call(), correct())[0])
        run_queue(f"security_groups/{cast.acme.pk}")
        assert connected == [None, "http://right.example"]

    def test_is_used_by_a_refresh(self, cast: Cast, cloud: MemoryCloud, clock: Clock, monkeypatch: Any) -> None:
        urls: list[str | None] = []

        def driver(provider: Provider, rate_limiter: Any) -> MemoryCloud:
            urls.append(provider.connection.url)
            monkeypatch.setattr(cloud, "inventory", lambda: rate_limiter.send("read", lambda: next(answers)()))
            return cloud

        answers = iter([lambda: throttle(LONG)(None), cloud.inventory, cloud.inventory])
        monkeypatch.setattr(Provider, "driver", driver)
        monkeypatch.setattr("inventory.rate_limit.slow_down", lambda *_: None)
        task = request_refresh(provider=cast.acme, user=None)
        meanwhile(clock, self.correct(cast))
        run_queue(task.queue)
        assert {one.status for one in Task.objects.all()} == {"Ok"}
        assert urls == [None, "http://right.example"]
        assert clock.now <= 2

    def test_another_name_is_no_other_connection(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, connected: list[str | None]
    ) -> None:
        [task] = added(cast, "web")
        cloud.script("ports", throttle(LONG))
        meanwhile(clock, lambda: edit_provider(provider=Provider.objects.get(), user=None, name="renamed"))
        work(cast)
        assert told(task) == ADDED
        assert (len(connected), clock.now) == (1, LONG)


class TestPatience:
    def ago(self, seconds: float, **context: Any) -> None:
        first = (timezone.now() - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        Task.objects.update(context_data={"first_failure_on": first, "attempts": 9, **context})

    def test_it_counts_from_the_first_failure_whichever_worker_saw_that(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock
    ) -> None:
        Provider.objects.update(updated_on=datetime(2020, 1, 1, tzinfo=UTC))
        [task] = added(cast, "web")
        self.ago(290)
        cloud.script("ports", *DOWN)
        work(cast)
        assert told(task) == ("Finished", "Error", "No answer.")
        assert clock.now <= 10
        assert task.context_data["attempts"] >= 9

    def test_a_corrected_provider_earns_it_anew(self, cast: Cast, cloud: MemoryCloud, clock: Clock) -> None:
        [task] = added(cast, "web")
        self.ago(290)
        Provider.objects.get().save()
        cloud.script("ports", throttle(100))
        work(cast)
        assert told(task) == ADDED

    def test_of_tasks_that_are_carried_out_together_each_has_its_own(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock
    ) -> None:
        Provider.objects.update(updated_on=datetime(2020, 1, 1, tzinfo=UTC))
        [old] = added(cast, "db")
        self.ago(299, security_group={"name": "db"})
        [new] = added(cast, "web")
        cloud.script("ports", throttle(50), throttle(50))
        work(cast)
        assert told(old) == ("Finished", "Error", "Slow down.")
        assert told(new) == ADDED


class TestWhatItSays:
    def test_it_warns_while_it_waits_and_says_when_it_is_tried_next(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, admin_client: Client
    ) -> None:
        [task] = added(cast, "web")
        cloud.script("ports", throttle(2), throttle(LONG))
        seen: list[Any] = []

        def look() -> None:
            seen.append(admin_client.get(f"/api/tasks/{task.pk}").json())
            for query in ("filter[]=status='Warn'", "status=Warn"):
                assert admin_client.get(f"/api/tasks?{query}").json()["subcount"] == 1
            page = admin_client.get(f"/admin/inventory/task/{task.pk}/change/").content.decode()
            assert 'class="task-status task-warn"' in page
            assert 'value="cancel"' in page
            assert 'value="retry"' in page

        meanwhile(clock, look, after=2)
        work(cast)
        [shown] = seen
        assert (shown["state"], shown["status"], shown["context_data"]["attempts"]) == ("Active", "Warn", 2)
        assert datetime.fromisoformat(shown["context_data"]["next_attempt_on"]) > timezone.now()
        assert told(task) == ADDED
        assert task.next_attempt_on is None
        assert not {"next_attempt_on", "first_failure_on"} & task.context_data.keys()

    def test_it_is_well_again_as_soon_as_an_attempt_succeeds(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock
    ) -> None:
        [task] = added(cast, "web")
        seen: list[Any] = []
        cloud.script("ports", throttle(2))
        cloud.script("change_groups", lambda call: (seen.append(told(task)), call())[1])
        work(cast)
        assert seen == [("Active", "Ok", "Attempt 2 succeeded.")]

    def test_those_behind_it_are_still_queued(self, cast: Cast, cloud: MemoryCloud, clock: Clock) -> None:
        request_edits([group_deletion(cast.production.web), group_deletion(cast.production.db)], user=None)
        cloud.script("delete_group", throttle(LONG))
        seen: list[Any] = []
        meanwhile(clock, lambda: seen.extend(Task.objects.values_list("state", "status")))
        run_queue(f"security_groups/{cast.acme.pk}")
        assert seen == [("Active", "Warn"), ("Queued", "Ok")]


class TestCancelling:
    def test_a_task_that_waits_is_cancelled_and_not_carried_out(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, user: User
    ) -> None:
        [task] = added(cast, "web")
        cloud.script("change_groups", throttle(LONG))
        meanwhile(clock, lambda: cancel_task(task=task, user=user))
        work(cast)
        assert told(task) == ("Finished", "Error", "Cancelled by ann.")
        assert (task.next_attempt_on, "next_attempt_on" in task.context_data) == (None, False)
        assert len(cloud.called("change_groups")) == 1
        assert clock.now <= 2

    @pytest.mark.parametrize("after", [0, LONG - 0.5])
    def test_the_others_of_its_batch_are_done_without_it(
        self, after: float, cast: Cast, cloud: MemoryCloud, clock: Clock, user: User
    ) -> None:
        web, db = added(cast, "web", "db")
        cloud.script("change_groups", throttle(LONG))
        meanwhile(clock, lambda: cancel_task(task=web, user=user), after)
        work(cast)
        assert told(web)[2] == "Cancelled by ann."
        assert told(db)[1] == "Ok"
        assert memberships(cast.production.single)[PORT] == {"sg-production-default", "sg-production-db"}
        assert set(cloud.port(PORT).group_refs) == {"sg-production-default", "sg-production-db"}

    def test_one_behind_another_is_cancelled_while_that_waits(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, user: User
    ) -> None:
        request_edits([group_deletion(cast.production.web), group_deletion(cast.production.db)], user=None)
        first, behind = Task.objects.all()
        cloud.script("delete_group", throttle(LONG))
        meanwhile(clock, lambda: cancel_task(task=behind, user=user))
        run_queue(first.queue)
        assert (told(first)[1], told(behind)[2]) == ("Ok", "Cancelled by ann.")
        assert cloud.called("delete_group") == ["sg-production-web"] * 2

    @pytest.mark.parametrize("lost", [unavailable(), unavailable(done=True)])
    def test_not_what_the_cloud_may_have_done(
        self, lost: Any, cast: Cast, cloud: MemoryCloud, clock: Clock, user: User
    ) -> None:
        [task] = added(cast, "web")
        cloud.script("change_groups", lost)
        cloud.script("ports", go, throttle(LONG))
        refused: list[str] = []

        def cancel() -> None:
            with pytest.raises(NotInTime) as reason:
                cancel_task(task=task, user=user)
            refused.append(str(reason.value))

        meanwhile(clock, cancel)
        work(cast)
        assert "the cloud may already have done part of it" in refused[0]
        assert told(task) == ADDED

    def test_not_a_half_done_write(self, cast: Cast, cloud: MemoryCloud, clock: Clock, user: User) -> None:
        [task] = queue(cast.production.double, "add", "web")
        cloud.script("change_groups", go, throttle(LONG))

        def cancel() -> None:
            with pytest.raises(NotInTime, match="may already have done part of it"):
                cancel_task(task=task, user=user)

        meanwhile(clock, cancel)
        run_queue(task.queue)
        assert told(task)[1] == "Ok"

    def test_a_write_of_many_ports_of_which_none_was_done_is(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, user: User
    ) -> None:
        web, db = queue(cast.production.double, "add", "web", "db")
        cloud.script("change_groups", throttle(LONG))

        def cancel_and_add_outside() -> None:
            cancel_task(task=web, user=user)
            cloud.set_port("eni-production-double-1", group_refs=("sg-production-default", "sg-production-web"))

        meanwhile(clock, cancel_and_add_outside)
        run_queue(db.queue)
        assert told(db)[1] == "Ok"
        assert "sg-production-web" in cloud.port("eni-production-double-1").group_refs  # theirs, not ours to undo

    def test_not_what_a_lost_worker_was_in_the_midst_of(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, user: User
    ) -> None:
        def killed(call: Any) -> None:
            call()
            raise Killed

        [task] = added(cast, "web")
        cloud.script("change_groups", killed)
        with pytest.raises(Killed):
            work(cast)
        with pytest.raises(NotInTime):
            cancel_task(task=task, user=user)
        cloud.script("ports", throttle(LONG))

        def cancel() -> None:
            with pytest.raises(NotInTime, match="may already have done part of it"):
                cancel_task(task=task, user=user)

        meanwhile(clock, cancel)
        work(cast)
        assert told(task)[1] == "Ok"

    def test_what_a_lost_worker_only_waited_with_is(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, user: User
    ) -> None:
        def die() -> None:
            raise Killed

        [task] = added(cast, "web")
        cloud.script("ports", throttle(LONG), throttle(LONG))
        meanwhile(clock, die)
        with pytest.raises(Killed):
            work(cast)
        meanwhile(clock, lambda: cancel_task(task=task, user=user), after=clock.now)
        work(cast)
        assert told(task)[2] == "Cancelled by ann."


class TestRetrying:
    def test_a_task_that_waits_is_tried_at_once(self, cast: Cast, cloud: MemoryCloud, clock: Clock) -> None:
        [task] = added(cast, "web")
        cloud.script("ports", throttle(LONG))
        meanwhile(clock, lambda: retry_task(task=task))
        work(cast)
        assert told(task) == ADDED
        assert clock.now <= backoff.Backoff.CHECK_INTERVAL * 2

    def test_a_queued_task_wakes_a_worker(self, cast: Cast, messages: list[Any]) -> None:
        [task] = added(cast, "web")
        retry_task(task=task)
        assert messages == [([task.queue], None)]

    @pytest.mark.parametrize("state", ["Active", "Finished"])
    def test_not_a_running_or_a_finished_one(self, cast: Cast, admin_client: Client, state: str) -> None:
        [task] = added(cast, "web")
        Task.objects.update(state=state)
        answer = admin_client.post(f"/api/tasks/{task.pk}", {"action": "retry"}, content_type="application/json")
        assert answer.status_code == 400
        assert "only a task that is queued or waiting for its next attempt can be" in answer.json()["message"]

    def test_the_admin_cancels_and_retries(self, cast: Cast, admin_client: Client, messages: list[Any]) -> None:
        web, db = added(cast, "web", "db")
        chosen = {"action": "retry", "_selected_action": [web.pk, db.pk]}
        answer = admin_client.post("/admin/inventory/task/", chosen, follow=True)
        assert [str(one).partition(":")[0] for one in answer.context["messages"]] == ["Retrying"] * 2
        admin_client.post("/admin/inventory/task/", chosen | {"action": "cancel"}, follow=True)
        assert told(web)[2] == told(db)[2] == "Cancelled by admin."
        answer = admin_client.post("/admin/inventory/task/", chosen, follow=True)
        assert all("can't be retried" in str(one) for one in answer.context["messages"])


class TestARefreshThatWaits:
    """The same, of the tasks of a provider."""

    @pytest.fixture
    def task(self, cast: Cast, cloud: MemoryCloud, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Task:
        """The first answer is that it is to wait."""

        def driver(provider: Provider, rate_limiter: Any) -> MemoryCloud:
            monkeypatch.setattr(cloud, "inventory", lambda: rate_limiter.send("read", lambda: next(answers)()))
            return cloud

        answers = iter([lambda: throttle(LONG)(None), *[cloud.inventory] * 3])
        monkeypatch.setattr(Provider, "driver", driver)
        monkeypatch.setattr("inventory.rate_limit.slow_down", lambda *_: None)
        return request_refresh(provider=cast.acme, user=None)

    def test_it_warns_meanwhile(self, task: Task, clock: Clock, admin_client: Client) -> None:
        seen: list[Any] = []
        meanwhile(clock, lambda: seen.append(admin_client.get("/api/tasks?status=Warn&expand=resources").json()))
        run_queue(task.queue)
        [shown] = seen[0]["resources"]
        assert (shown["state"], shown["status"], shown["id"]) == ("Active", "Warn", str(task.pk))
        assert told(task)[:2] == ("Finished", "Ok")

    def test_it_is_cancelled(self, task: Task, clock: Clock, user: User) -> None:
        meanwhile(clock, lambda: cancel_task(task=task, user=user))
        run_queue(task.queue)
        assert told(task) == ("Finished", "Error", "Cancelled by ann.")
        assert clock.now <= 2

    def test_it_is_tried_at_once(self, task: Task, clock: Clock) -> None:
        meanwhile(clock, lambda: retry_task(task=task))
        run_queue(task.queue)
        assert told(task)[:2] == ("Finished", "Ok")
        assert clock.now <= backoff.Backoff.CHECK_INTERVAL * 2


class TestALostLease:
    """Another worker has the tasks by now: what this one finds out of them is not theirs any more."""

    #: The call that each asks its cloud.
    CALLS = {"change": "ports", "edit": "delete_group", "refresh": "inventory"}

    def change(self, cast: Cast, grip: Grip) -> None:
        added(cast, "web")
        carried_out(cast.production.single, grip)

    def edit(self, cast: Cast, grip: Grip) -> None:
        edited(cast.acme, group_deletion(cast.production.web), grip=grip)

    def refresh(self, cast: Cast, grip: Grip) -> None:
        deletion.handle_provider_tasks(_claim_tasks(request_refresh(provider=cast.acme, user=None).queue), grip)

    @pytest.mark.parametrize("work", CALLS)
    @pytest.mark.parametrize("error", [throttle(LONG), unavailable(), refuse()])
    def test_during_a_call_that_fails_nothing_is_written(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, work: str, error: Any
    ) -> None:
        cloud.script(self.CALLS[work], lose(grip := Grip(), error))
        with pytest.raises(LeaseLost):
            getattr(self, work)(cast, grip)
        self.assert_untouched(cast)

    @pytest.mark.parametrize("work", ["change", "edit"])
    def test_during_a_pause_nothing_is_written(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, work: str
    ) -> None:
        cloud.script(self.CALLS[work], throttle(1))
        grip, noted = Grip(), []
        meanwhile(clock, lambda: (noted.append(Task.objects.values().get()), grip.lose()))
        with pytest.raises(LeaseLost):
            getattr(self, work)(cast, grip)
        assert Task.objects.values().get() == noted[0]

    def assert_untouched(self, cast: Cast) -> None:
        task = Task.objects.get()
        assert (task.state, task.status, task.next_attempt_on) == ("Active", "Ok", None)
        assert "attempts" not in task.context_data
        assert Provider.objects.get(pk=cast.acme.pk).last_refresh_error is None


class TestTheLog:
    @pytest.fixture
    def lines(self, caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
        caplog.set_level(logging.INFO)
        ours = ("inventory", "secgroups")
        return lambda: [(one.levelname, one.getMessage()) for one in caplog.records if one.name.startswith(ours)]

    def test_a_task_that_fails_and_goes_well_again_is_two_lines(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, lines: Any
    ) -> None:
        [task] = added(cast, "web")
        cloud.script("ports", *[unavailable()] * 5)
        cloud.script("change_groups", *[throttle(1)] * 5)
        work(cast)
        name = f"Task {task.pk} of vms/{cast.production.single.pk}"
        assert lines() == [
            ("WARNING", f"{name} failed and will be retried: No answer."),
            ("INFO", f"{name} went well in the end"),
        ]

    def test_tasks_that_are_given_up_are_one_more_together(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, lines: Any, settings: Any
    ) -> None:
        settings.CHANGE_PATIENCE = timedelta(seconds=9)
        one, other = added(cast, "web", "db")
        cloud.script("ports", *DOWN)
        work(cast)
        name = f"Tasks {one.pk}, {other.pk} of vms/{cast.production.single.pk}"
        assert lines() == [
            ("WARNING", f"{name} failed and will be retried: No answer."),
            ("WARNING", f"{name} gave up: No answer."),
        ]

    def test_a_refusal_at_once_is_none(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, lines: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        added(cast, "web")
        cloud.script("change_groups", refuse(), refuse())
        work(cast)
        edited(cast.acme, group_deletion(cast.production.web), group_deletion(cast.production.default))
        assert lines() == []
        assert not any(one.exc_info for one in caplog.records)

    def test_a_cancel_is_no_failure(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, lines: Any, user: User
    ) -> None:
        [task] = added(cast, "web")
        cloud.script("ports", throttle(LONG))
        meanwhile(clock, lambda: cancel_task(task=task, user=user))
        work(cast)
        name = f"Task {task.pk} of vms/{cast.production.single.pk}"
        assert lines() == [
            ("WARNING", f"{name} failed and will be retried: Slow down."),
            ("INFO", f"{name} was cancelled by ann"),
        ]

    def test_a_provider_is_a_line_when_that_changes(
        self, cast: Cast, cloud: MemoryCloud, clock: Clock, lines: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        down = fail(backoff.CloudError("The password of acme is wrong."))
        cloud.script("inventory", go, down, down, go, go)
        for _ in range(5):
            run_queue(request_refresh(provider=cast.acme, user=None).queue)
        assert lines() == [
            ("WARNING", "Provider acme is failing: The password of acme is wrong."),
            ("INFO", "Provider acme is well again"),
        ]
        assert not any(one.exc_info for one in caplog.records)
