"""What a task changed, and what was changed since, as the events say.

A thing is a group on a port, a rule of a group, or a group. A rule is known by what it lets through, because one
that is created again has another id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from django.db.models import Q, QuerySet

from inventory.db.lookups import Numbers
from inventory.models import EventStream, Task

Kind = Literal["membership", "rule", "group"]
#: Its kind, and the values of `IDENTITY`.
Thing: TypeAlias = tuple[Any, ...]

#: Types of events, and of what kind of thing they tell.
KINDS: Mapping[str, Kind] = {
    "security_group_added": "membership",
    "security_group_removed": "membership",
    "firewall_rule_created": "rule",
    "firewall_rule_deleted": "rule",
    "security_group_created": "group",
    "security_group_edited": "group",
    "security_group_deleted": "group",
}
#: The types after which there is no such thing.
ENDS = frozenset({"security_group_removed", "firewall_rule_deleted", "security_group_deleted"})
#: What a rule lets through. Its range has the name of a list of addresses, whose row may come and go.
OF_RULE = (
    "direction",
    "network_protocol",
    "host_protocol",
    "port",
    "end_port",
    "source_ip_range",
    "source_security_group_id",
)
#: By kind, the attributes in `full_data` that identify a thing.
IDENTITY: Mapping[Kind, Sequence[str]] = {
    "membership": ("network_port_id", "security_group_id"),
    "rule": ("security_group_id", *OF_RULE),
    "group": ("id",),
}


@dataclass(frozen=True, slots=True)
class Changed:
    """A thing that a task changed, with its attributes before and after; None if there was no such thing."""

    kind: Kind
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    #: Its last event of the task.
    event: int
    provider: int | None

    @property
    def versions(self) -> Sequence[Mapping[str, Any]]:
        return [data for data in (self.before, self.after) if data]

    @property
    def group_id(self) -> int:
        return int(self.versions[0]["id" if self.kind == "group" else "security_group_id"])


def changes_of(task: int) -> Mapping[Thing, Changed]:
    """What a task itself changed, apart from what it found at the cloud.

    Of what the deletion of a group does to rules of other groups, nothing can be brought back, so it is left out.
    """
    return changes_of_each([task]).get(task, {})


def changes_of_each(tasks: Iterable[int]) -> Mapping[int, Mapping[Thing, Changed]]:
    """The same for many tasks (ids), without those that changed nothing."""
    changes: dict[int, dict[Thing, Changed]] = {}
    events = _events().filter(task_id__among=Numbers([*tasks]), source=EventStream.Source.PORTCULLIS)
    for event in events:
        of_task, thing, data = changes.setdefault(event.task_id or 0, {}), _thing(event), event.full_data
        first = of_task.get(thing)
        before = first.before if first else data["before"]
        of_task[thing] = Changed(KINDS[event.event_type], before, data["after"], event.pk, event.ems_id)
    lasting = {task: _lasting(of_task) for task, of_task in changes.items()}
    return {task: of_task for task, of_task in lasting.items() if of_task}


def _lasting(changes: Mapping[Thing, Changed]) -> Mapping[Thing, Changed]:
    deleted = {changed.group_id for changed in changes.values() if changed.kind == "group" and not changed.after}
    return {
        thing: changed
        for thing, changed in changes.items()
        if (changed.before or changed.after) and (not deleted or changed.group_id in deleted)
    }


def changed_since(task: int, changes: Mapping[Thing, Changed], until: datetime | None) -> list[EventStream]:
    """The last change of each thing that something else has changed since the task, `until` a moment.

    A change that was reverted does not count, and neither does its revert: together they left what was before. Any
    other change counts, even if the thing is again as the task left it.
    """
    since = _since(task, changes)
    events = list(since.filter(timestamp__lte=until) if until else since)
    reverts = _reverts(events)
    created = _created(changes)
    by_thing: dict[Thing, list[EventStream]] = {}
    for event in events:
        thing = _thing(event)
        own = changes.get(thing)
        # What a group got since is lost with the group. Nothing can be done to a group that is gone.
        is_about_it = event.security_group_id in created or event.event_type == "security_group_deleted"
        if event.pk > own.event if own else is_about_it:
            by_thing.setdefault(thing, []).append(event)
    lasting = {thing: left[-1] for thing, found in by_thing.items() if (left := _uncancelled(found, reverts))}
    return [
        event
        for thing, event in lasting.items()
        if thing in changes or event.event_type not in ENDS or KINDS[event.event_type] == "group"
    ]


def reach_back_to(moment: datetime) -> bool:
    """Whether events are kept from before this."""
    return EventStream.objects.filter(timestamp__lte=moment).exists()


def _events() -> QuerySet[EventStream]:
    return EventStream.objects.filter(event_type__in=KINDS).order_by("pk")


def _since(task: int, changes: Mapping[Thing, Changed]) -> QuerySet[EventStream]:
    """The events of others about the groups that a task changed, or that it added and removed."""
    groups = {changed.group_id for changed in changes.values()}
    first = min(changed.event for changed in changes.values())
    events = _events().filter(pk__gt=first, security_group_id__in=groups)
    kinds = {changed.kind for changed in changes.values()}
    # A group may have many members, which only matter to who created it.
    if not _created(changes):
        types = [event_type for event_type, kind in KINDS.items() if kind in kinds]
        events = events.filter(event_type__in=[*types, "security_group_deleted"])
    if kinds == {"membership"}:
        vms = {int(data["vm_id"]) for changed in changes.values() for data in changed.versions if data["vm_id"]}
        events = events.filter(Q(vm_or_template_id__in=vms) | Q(event_type="security_group_deleted"))
    return events.exclude(task_id=task, source=EventStream.Source.PORTCULLIS)


def _created(changes: Mapping[Thing, Changed]) -> set[int]:
    """The groups that did not exist before."""
    return {changed.group_id for changed in changes.values() if changed.kind == "group" and not changed.before}


def _thing(event: EventStream) -> Thing:
    kind, data = KINDS[event.event_type], event.full_data["after"] or event.full_data["before"]
    return (kind, *(data[name] for name in IDENTITY[kind]))


def _reverts(events: Iterable[EventStream]) -> dict[int, int]:
    """The task that each of the tasks of these events reverts, if it does."""
    tasks = Task.objects.filter(pk__in={event.task_id for event in events if event.task_id})
    reverting = tasks.filter(context_data__has_key="reverts").values_list("pk", "context_data__reverts")
    return {pk: int(reverted) for pk, reverted in reverting}


def _uncancelled(events: Sequence[EventStream], reverts: Mapping[int, int]) -> list[EventStream]:
    """The events of a thing, in their order, without changes that were reverted, and without their reverts."""
    left: list[EventStream] = []
    for event in events:
        last = left[-1] if left else None
        if last and _is_done(last) and _is_done(event):
            if event.task_id == last.task_id:
                left.pop()
            elif reverts.get(event.task_id or 0) == last.task_id:
                left.pop()
                continue
        left.append(event)
    return left


def _is_done(event: EventStream) -> bool:
    return event.source == EventStream.Source.PORTCULLIS and event.task_id is not None
