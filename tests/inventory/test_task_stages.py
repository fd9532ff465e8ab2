"""Parts that wait until the others have gone well."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from inventory.models import Task
from inventory.overdue import tasks as overdue_tasks
from inventory.runner import SWEEP_AFTER
from inventory.services import Part, TaskSpec, cancel_task, finish, queue_parts, retry_task, settle_unfinished
from tests.cast import Cast


@pytest.fixture
def owner(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_superuser("root")


def queue(cast: Cast, owner: User, *stages: int | None) -> Task:
    """A task with a part for each of these stages, in a queue of its own."""
    parts = [
        Part(f"security_groups/{number}", TaskSpec(f"part {number}", ""), stage=stage)
        for number, stage in enumerate(stages)
    ]
    return queue_parts(TaskSpec("all", "all"), parts, user=owner, provider=cast.acme)


def may_run(parent: Task) -> list[str]:
    return [part.name for part in parent.tasks.may_run().order_by("pk")]


def end(parent: Task, name: str, status: Task.Status = Task.Status.OK, *, settle: bool = True) -> None:
    finish(parent.tasks.get(name=name), status, "")
    if settle:
        settle_unfinished()


def test_a_stage_begins_when_all_before_it_are_done(cast: Cast, owner: User) -> None:
    parent = queue(cast, owner, None, None, 2, 1)
    assert may_run(parent) == ["part 0", "part 1"]
    end(parent, "part 0")
    assert may_run(parent) == ["part 1"]
    end(parent, "part 1", Task.Status.WARN)
    assert may_run(parent) == ["part 3"]
    end(parent, "part 3")
    assert may_run(parent) == ["part 2"]
    end(parent, "part 2")
    parent.refresh_from_db()
    assert (parent.state, parent.status) == ("Finished", "Warn")


def test_what_does_not_run_yet_is_no_work_of_its_queue(cast: Cast, owner: User) -> None:
    queue(cast, owner, None, 1)
    Task.objects.update(created_on="2020-01-01T00:00:00Z")
    assert [*overdue_tasks(SWEEP_AFTER).values_list("name", flat=True)] == ["part 0"]
    assert not Task.objects.of_queue("security_groups/1").exists()


def test_the_first_stage_begins_at_once_if_all_parts_have_one(cast: Cast, owner: User) -> None:
    assert may_run(queue(cast, owner, 2, 1)) == ["part 1"]


def test_after_a_failure_the_rest_is_not_attempted(cast: Cast, owner: User) -> None:
    parent = queue(cast, owner, None, 1, 2)
    end(parent, "part 0", Task.Status.ERROR)
    failed = parent.tasks.get(name="part 0")
    ends = [*parent.tasks.exclude(pk=failed.pk).values_list("state", "status", "message")]
    assert ends == [("Finished", "Error", f"Not attempted, because task {failed.pk} failed before it.")] * 2
    parent.refresh_from_db()
    assert (parent.state, parent.status, parent.context_data["error"]) == ("Finished", "Error", 3)


def test_a_cancelled_part_counts_as_failed(cast: Cast, owner: User) -> None:
    parent = queue(cast, owner, None, None, 1)
    cancel_task(task=parent.tasks.get(name="part 0"), user=owner)
    end(parent, "part 1")
    assert "Not attempted" in parent.tasks.get(name="part 2").message


def test_cancelling_all_cancels_what_waits(cast: Cast, owner: User) -> None:
    parent = queue(cast, owner, None, 1)
    cancel_task(task=parent, user=owner)
    settle_unfinished()
    parent.refresh_from_db()
    assert (parent.state, parent.context_data["cancelled"]) == ("Finished", 2)


def test_a_retry_takes_what_was_not_attempted_along(cast: Cast, owner: User) -> None:
    parent = queue(cast, owner, None, 1)
    parent.tasks.filter(name="part 0").update(started_on="2020-01-01T00:00:00Z")
    end(parent, "part 0", Task.Status.ERROR)
    parent.refresh_from_db()
    retry_task(task=parent)
    assert may_run(parent) == ["part 0"]
    end(parent, "part 0")
    assert may_run(parent) == ["part 1"]


def test_a_worker_that_died_before_it_told_the_parent_is_made_up_for(cast: Cast, owner: User) -> None:
    parent = queue(cast, owner, None, 1)
    end(parent, "part 0", settle=False)  # what it does once it is committed did not happen
    assert may_run(parent) == []
    settle_unfinished()
    assert may_run(parent) == ["part 1"]
