"""What is in the way of reverting a task, and how a user is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import F

from inventory.drivers.values import Port
from inventory.models import EventStream
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.plan import Change
from secgroups.reverting import messages
from secgroups.reverting.history import KINDS, Changed, Thing, changed_since


def in_the_way(
    task: int, changes: Mapping[Thing, Changed], *, user: User | None, until: datetime | None = None
) -> str | None:
    """Why what a task changed can't be reverted; None if nothing else has changed it since, `until` a moment."""
    if not changes:  # they are no longer kept since the revert was accepted
        return messages.NO_EVENTS
    events = [*changed_since(task, changes, until), *_elsewhere(changes, until)]
    return messages.changed_since(task, _told(events, user)) if events else None


def found_changed(task: int, what: Sequence[str], moment: datetime) -> str:
    """The same for what only the cloud tells, as of a moment."""
    return messages.changed_since(task, [messages.changed_by(each, None, None, moment) for each in what])


def changed_at_cloud(task: int, change: Change, ports: Iterable[Port], moment: datetime) -> str | None:
    """The same for ports that don't have the groups that the task left on them."""
    present, group = change.action == "add", change.group
    changed = [
        port.ref for port in ports if port.ref in change.ports and (group.ref in port.group_refs) == present
    ]
    what = [messages.not_as_left(group.name, ref, present=present) for ref in changed]
    return found_changed(task, what, moment) if what else None


def _elsewhere(changes: Mapping[Thing, Changed], until: datetime | None) -> Iterator[EventStream]:
    """Events of other groups that have taken the name of a deleted group, or name a new one in a rule."""
    for changed in changes.values():
        if changed.kind != "group":
            continue
        found = _namesakes(changed) if changed.after is None else _referrers(changed)
        for event in found:
            if event.pk > changed.event and (until is None or event.timestamp <= until):
                yield event


def _namesakes(deleted: Changed) -> Iterator[EventStream]:
    group = deleted.before or {}
    places = {name: group[name] for name in ("cloud_tenant_id", "cloud_network_id")}
    rows = SecurityGroup.objects.filter(provider=deleted.provider, name=group["name"], **places)
    for pk in rows.values_list("pk", flat=True):
        yield from EventStream.objects.filter(security_group_id=pk, event_type="security_group_created")


def _referrers(group: Changed) -> Iterator[EventStream]:
    if group.before:
        return
    rules = FirewallRule.objects.filter(source_security_group=group.group_id)
    others = rules.exclude(security_group=F("source_security_group"))
    for pk, owner in others.values_list("pk", "security_group"):
        created = EventStream.objects.filter(security_group_id=owner, event_type="firewall_rule_created")
        yield from created.filter(full_data__after__id=str(pk)).order_by("-pk")[:1]


def _told(events: Sequence[EventStream], user: User | None) -> list[str]:
    """Each change as a user may see it: what, who and when. Names are only for who may see the event."""
    ordered = sorted(events, key=lambda event: event.pk, reverse=True)
    pks = [event.pk for event in ordered[: messages.NAMED]]
    rows = EventStream.objects.filter(pk__in=pks)
    visible = set((rows.visible_to(user) if user else rows).values_list("pk", flat=True))
    return [_described(event, is_visible=event.pk in visible) for event in ordered]


def _described(event: EventStream, *, is_visible: bool) -> str:
    if not is_visible:
        return messages.hidden_change(event.timestamp)
    what = event.message
    if KINDS[event.event_type] == "membership":
        data = event.full_data["after"] or event.full_data["before"]
        what = messages.of_port(what, data["network_port_ems_ref"])
    return messages.changed_by(what, event.username, event.task_id, event.timestamp)
