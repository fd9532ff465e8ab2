"""What tasks are to do, as values that outlive an upgrade."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from inventory import overdue, runner
from inventory.arguments import (
    Arguments,
    DeletionNotes,
    Notes,
    ProviderDeletion,
    ProviderRefresh,
    RefreshScope,
    UnreadableArguments,
    provider_task,
    read,
)
from inventory.models import Task
from inventory.services import TaskSpec, delete_provider, note, queue_work, request_refresh
from tests.cast import Cast
from tests.clouds import Grip, MemoryCloud

ROOT = Path(__file__).parents[2]
INSTANCE = RefreshScope("instance", "i-1")
#: As they were stored before there was a version, beside what they say.
BEFORE_VERSIONS: list[tuple[dict[str, Any], Arguments]] = [
    ({"force": False}, ProviderRefresh()),
    ({"force": True, "unsure": True}, ProviderRefresh(force=True)),
    (
        {"force": False, "scope": {"kind": "instance", "ref": "i-1"}, "subject": "instance web"},
        ProviderRefresh(scope=INSTANCE, subject="instance web"),
    ),
    ({"deletion": True}, ProviderDeletion()),
    ({"deletion": True, "rows": 7}, ProviderDeletion()),
]
UNREADABLE: dict[str, tuple[dict[str, Any], str]] = {
    "another version": (
        {"version": 2, "force": "perhaps"},
        (
            "This task was accepted by another version of Portcullis, in a format that this version can't read "
            "(version 2 instead of 1). Once every process runs the same version, repeat the request."
        ),
    ),
    "another key": (
        {"version": 1, "force": True, "later": 1},
        "Can't read what this task should do: Object contains unknown field `later`. Repeat the request.",
    ),
    "another value": (
        {"scope": {"kind": "star", "ref": "x"}},
        "Can't read what this task should do: Invalid enum value 'star' - at `$.scope.kind`. Repeat the request.",
    ),
    "another key of a part": (
        {"scope": {"kind": "instance", "ref": "x", "depth": 1}},
        (
            "Can't read what this task should do: Object contains unknown field `depth` - at `$.scope`. "
            "Repeat the request."
        ),
    ),
    "two kinds at once": (
        {"deletion": True, "force": True},
        "Can't read what this task should do: Object contains unknown field `force`. Repeat the request.",
    ),
}


def queued(cast: Cast, arguments: Arguments) -> Task:
    [task] = queue_work(
        f"providers/{cast.acme.pk}", [TaskSpec("x", "x", arguments)], user=None, provider=cast.acme
    )
    return Task.objects.get(pk=task.pk)


@pytest.mark.parametrize(
    "arguments",
    [
        ProviderRefresh(),
        ProviderRefresh(force=True, scope=INSTANCE, subject="instance 防火墙"),
        ProviderDeletion(),
    ],
)
def test_what_is_queued_is_read_as_it_was(arguments: Arguments, cast: Cast) -> None:
    stored = queued(cast, arguments).arguments
    assert stored["version"] == 1
    assert provider_task(stored) == arguments


@pytest.mark.parametrize(("stored", "meant"), BEFORE_VERSIONS)
def test_what_was_stored_before_there_were_versions_is_read(stored: dict[str, Any], meant: Arguments) -> None:
    assert provider_task(stored) == meant


@pytest.mark.parametrize(("stored", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_it_does_not_know_is_refused_in_plain_words(stored: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableArguments) as refused:
        provider_task(stored)
    assert str(refused.value) == reason


def test_notes_stand_beside_what_was_asked_and_leave_it_as_it_is(cast: Cast) -> None:
    task = queued(cast, ProviderDeletion())
    note([task], Notes(unsure=True))
    note([task], DeletionNotes(rows=7))
    task.save()
    task.refresh_from_db()
    assert provider_task(task.arguments) == ProviderDeletion()
    assert DeletionNotes.read(task.arguments) == DeletionNotes(rows=7, unsure=True)
    assert Notes.read(task.arguments) == Notes(unsure=True)


def test_the_notes_of_another_kind_are_none_of_its_own() -> None:
    with pytest.raises(UnreadableArguments, match="rows"):
        read({"rows": 7}, ProviderRefresh, Notes)


def test_a_task_that_cannot_be_read_ends_and_the_others_go_on(cast: Cast, cloud: MemoryCloud) -> None:
    strange = {"version": 2, "of": "the future"}
    bad, good = (request_refresh(provider=cast.acme, user=None) for _ in range(2))
    Task.objects.filter(pk=bad.pk).update(arguments=strange)
    runner._handle(runner._claim_tasks(good.queue), Grip())
    bad, good = (Task.objects.get(pk=task.pk) for task in (bad, good))
    assert (bad.state, bad.status, bad.message) == ("Finished", "Error", UNREADABLE["another version"][1])
    assert bad.arguments == strange
    assert (good.state, good.status) == ("Finished", "Ok")


def test_a_deletion_that_cannot_be_read_is_asked_for_anew(cast: Cast) -> None:
    task = delete_provider(provider=cast.acme, user=None)
    Task.objects.filter(pk=task.pk).update(arguments={"version": 2, "deletion": True})
    assert overdue.deletions() == []
    runner._handle(runner._claim_tasks(task.queue), Grip())
    assert Task.objects.get(pk=task.pk).status == "Error"
    assert overdue.deletions() == [cast.acme]


@pytest.mark.django_db
def test_deletions_are_found_whichever_version_accepted_them(cast: Cast) -> None:
    request_refresh(provider=cast.acme, user=None)
    new = delete_provider(provider=cast.acme, user=None)
    old = Task.objects.create(name="x", queue="providers/9", arguments={"deletion": True})
    assert set(Task.objects.deletions()) == {new, old}


def test_nobody_else_knows_the_keys_by_heart() -> None:
    by_key = re.compile(r"\.arguments(\[|\.get\(|\.setdefault\(|\.pop\()|\barguments__")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for app in ("inventory", "secgroups")
        for path in sorted((ROOT / app).rglob("*.py"))
        for line in path.read_text().splitlines()
        if by_key.search(line)
    ]
    assert found == [
        'inventory/querysets.py: NAMES_NO_OTHERS = fixed(~Q(arguments__has_key="names_others"), recurs=True)',
        "inventory/querysets.py: return self.filter(arguments__deletion=True)",
    ]
