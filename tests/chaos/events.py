"""Whether there is an event for every change, once and only once, that says who made it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from inventory.forwarding import shown
from inventory.models import EventStream, Task
from secgroups.arguments import membership_task

ADDED, REMOVED = "security_group_added", "security_group_removed"
#: The event of a task's action.
TYPES = {"add": ADDED, "remove": REMOVED}
PORTCULLIS, REFRESH = EventStream.Source.PORTCULLIS, EventStream.Source.REFRESH


class Member(NamedTuple):
    """A port and one of its groups, by their refs."""

    port: str
    group: str


class Change(NamedTuple):
    """What some tasks, of which one has made it, saw change."""

    event_type: str
    tasks: Collection[int]


def judge_events(
    before: Mapping[str, set[str]], now: Mapping[str, set[str]], theirs: Collection[str]
) -> Iterator[str]:
    """What is wrong with the events of memberships, which were those `before`, and are those `now`.

    Other tools change the groups that are `theirs`.
    """
    tasks = {task.pk: task for task in Task.objects.filter(queue__startswith="vms/").order_by("pk")}
    events = list(EventStream.objects.filter(event_type__in=TYPES.values()).order_by("pk"))
    yield from _replayed(events, before, now)
    for event in events:
        yield from _about_cause(event, tasks, theirs)
    own = [event for event in events if _member(event).group not in theirs]
    found = [event for event in own if event.source == REFRESH]
    if 2 * len(found) > len(own):  # a worker that dies before it records is the exception
        yield f"{len(found)} of {len(own)} events of groups that only tasks change name no task"
    of_member: defaultdict[Member, list[EventStream]] = defaultdict(list)
    for event in events:
        of_member[_member(event)].append(event)
    for member, changes in _changes(tasks.values()).items():
        yield from _missing(member, changes, of_member[member], member.group in before[member.port])


def judge_edits(asked: Collection[str], answered: Collection[str]) -> Iterator[str]:
    """What is wrong with the events of a provider's edits, by the ids of their requests."""
    events = EventStream.objects.filter(event_type="provider_edited").values_list("request_id", flat=True)
    counts = Counter(events)
    for request, times in counts.items():
        if times > 1 or request not in asked:
            yield f"the edit of the request {request} left {times} events"
    for lost in set(answered) - counts.keys():
        yield f"the edit of the request {lost} left no event"


def judge_copies(path: Path, after: int) -> Iterator[str]:
    """What is wrong with the copies of events that came after the one with this id. Their count may have grown."""
    copies = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            copy = json.loads(line)
            copies[copy["id"]] = copy
        except (ValueError, KeyError):
            yield f"a line of the copied events is {line}"
    for event in shown(EventStream.objects.filter(pk__gt=after).order_by("pk")):
        copy = copies.get(event["id"], {})
        if any(copy.get(name) != event[name] for name in event.keys() - {"timestamp", "count"}):
            yield f"event {event['id']} ({event['message']}) was copied as {copy}"


def sources() -> Counter[str]:
    """How many events of memberships there are of each source."""
    events = EventStream.objects.filter(event_type__in=TYPES.values())
    return Counter(events.order_by().values_list("source", flat=True))


def _replayed(
    events: Sequence[EventStream], before: Mapping[str, set[str]], now: Mapping[str, set[str]]
) -> Iterator[str]:
    """Follow the events, each of which must change something, and lead to what there is."""
    state = {port: set(groups) for port, groups in before.items()}
    for event in events:
        port, group = _member(event)
        if (group in state[port]) == (event.event_type == ADDED):
            yield f"event {event.pk} ({event.message}) tells of {port} what was so already"
        state[port] ^= {group}
    for port, groups in state.items():
        if groups != now[port]:
            yield f"by the events {port} has {sorted(groups)}, and the inventory has {sorted(now[port])}"


def _about_cause(event: EventStream, tasks: Mapping[int, Task], theirs: Collection[str]) -> Iterator[str]:
    """Whether an event of a task tells of what that was asked for, and others of nobody."""
    member, task = _member(event), tasks.get(event.task_id or 0)
    told = f"event {event.pk} ({event.message} on {member.port})"
    if event.source == REFRESH:
        if event.username or event.request_id:
            yield f"{told} was found and names {event.username}"
        if task and member.group not in theirs:
            yield f"{told} was found by task {task.pk}, and only tasks change that group"
    elif task is None:
        yield f"{told} names task {event.task_id}, which changes no instance"
    else:
        if (event.username, event.request_id) != (task.userid, task.request_id):
            yield f"{told} names {event.username} and {event.request_id} for task {task.pk}"
        if TYPES[membership_task(task.arguments).action] != event.event_type or member not in _members(task):
            yield f"{told} names task {task.pk} ({task}), which was asked for something else"


def _changes(tasks: Collection[Task]) -> dict[Member, list[Change]]:
    """What the tasks saw change of what they were asked for, in its order.

    Those that ran together saw the same, and one of them made it.
    """
    seen: defaultdict[Member, list[tuple[str, int]]] = defaultdict(list)
    for task in tasks:
        if task.status == Task.Status.ERROR:
            continue
        event_type = TYPES[membership_task(task.arguments).action]
        name = task.context_data["security_group"]["name"]
        ports = {port["ems_ref"]: port for port in task.context_data["network_ports"]}
        for member in _members(task):
            had, has = (name in ports[member.port].get(when, ()) for when in ("before", "after"))
            if had != has and has == (event_type == ADDED):
                seen[member].append((event_type, task.pk))
    return {
        member: [
            Change(event_type, {pk for _, pk in same})
            for event_type, same in groupby(changes, lambda change: change[0])
        ]
        for member, changes in seen.items()
    }


def _missing(member: Member, changes: Sequence[Change], events: Sequence[EventStream], had: bool) -> Iterator[str]:
    """The changes without an event of their own: by one of their tasks, or a refresh that was faster.

    What an attempt wrote and a later one took back, before either was recorded, was never in the inventory.
    """
    rest, has = list(events), had
    for change in changes:
        same = [event for event in rest if event.event_type == change.event_type]
        event = next((event for event in same if event.task_id in change.tasks), None)
        if event is None and has != (change.event_type == ADDED):
            event = next((event for event in same if event.source == REFRESH), None)
            if event is None:
                yield f"{change.event_type} of {member} by one of the tasks {sorted(change.tasks)} left no event"
                return
        if event:
            rest = rest[rest.index(event) + 1 :]
            has = change.event_type == ADDED


def _member(event: EventStream) -> Member:
    row = event.full_data["after"] or event.full_data["before"]
    return Member(row["network_port_ems_ref"], row["security_group_ems_ref"])


def _members(task: Task) -> list[Member]:
    """What a task was asked to change."""
    group = task.context_data["security_group"]["ems_ref"]
    all_ports = [port["ems_ref"] for port in task.context_data["network_ports"]]
    return [Member(port, group) for port in membership_task(task.arguments).ports or all_ports]
