"""Who had which groups and rules at a time: what is there now, without what events tell of since.

The first event since then says what was there before it, so nothing between it and now matters. What is committed
while a request reads this may show as if it had been so then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from django.conf import settings
from django.db.models import Model, Q, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.utils import timezone

from inventory.db.conditions import compare, fixed
from inventory.db.lookups import Numbers
from inventory.models import EventStream, Vm
from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.reading.past import Attributes, Then
from inventory.rest.resources import ResourceType, Viewer
from secgroups.models import FirewallRule, Membership, SecurityGroup

#: What an event type tells of its row at the time before it.
_Before = Literal["absent", "present"]
_MEMBERSHIPS: Mapping[str, _Before] = {"security_group_added": "absent", "security_group_removed": "present"}
_RULES: Mapping[str, _Before] = {"firewall_rule_created": "absent", "firewall_rule_deleted": "present"}
#: A VM, if any, and a port of it.
_OfPort = tuple[int | None, int]
_DELETED = "security_group_deleted"
_GROUPS = ("security_group_edited", _DELETED)


def groups_of_vm(vm: int, moment: datetime, resource_type: ResourceType, viewer: Viewer) -> Then:
    """The groups on the ports of a VM."""
    _require_known(moment, Vm, vm, Q(event_type="instance_appeared", vm_or_template_id=vm))
    memberships = Membership.objects.filter(vm=vm)
    had = set(memberships.values_list("network_port", "security_group"))
    for _, port, group, before in _first_of_ports(_since(moment).filter(vm_or_template_id=vm)):
        (had.add if before == "present" else had.discard)((port, group))
    groups = {group for _, group in had}
    events = _since(moment).filter(event_type__in=_GROUPS, security_group_id__among_rare=Numbers(groups))
    changed = _before(events, "security_group_id")
    gone = _gone(events.filter(event_type=_DELETED), "security_group_id", viewer) if changed else {}
    return Then(
        compare("pk__among", Numbers(groups)),
        gone={pk: changed[pk] for pk in gone},
        changed={pk: attributes for pk, attributes in changed.items() if pk not in gone},
    )


def vms_of_group(group: int, moment: datetime, resource_type: ResourceType, viewer: Viewer) -> Then:
    """The VMs or instances with a port that has a group. Their attributes are those of now."""
    _require_known(moment, SecurityGroup, group, Q(event_type="security_group_created", security_group_id=group))
    joined: set[_OfPort] = set()
    left: set[_OfPort] = set()
    for vm, port, _, before in _first_of_ports(_since(moment).filter(security_group_id=group)):
        (left if before == "present" else joined).add((vm, port))
    now = Membership.objects.filter(security_group=group, vm__isnull=False)
    kept = now.exclude(network_port__among=Numbers({port for _, port in joined}))
    stayed = set(kept.filter(vm__among=Numbers(_vms(joined))).values_list("vm", flat=True))
    then = _vms(left)
    since = _vms(joined) - stayed - then
    now_members = Q(pk__in=now.values("vm")) & ~Q(pk__among=Numbers(since))
    events = _since(moment).filter(event_type="instance_gone", vm_or_template_id__among=Numbers(then))
    gone = _gone(events, "vm_or_template_id", viewer) if then else {}
    is_of_clouds = resource_type.name == "instances"
    return Then(
        fixed(now_members | Q(pk__among=Numbers(then))),
        gone={pk: vm for pk, vm in gone.items() if vm["cloud"] or not is_of_clouds},
    )


def rules_of_group(group: int, moment: datetime, resource_type: ResourceType, viewer: Viewer) -> Then:
    """The rules of a group."""
    _require_known(moment, SecurityGroup, group, Q(event_type="security_group_created", security_group_id=group))
    now = set(FirewallRule.objects.filter(security_group=group).values_list("pk", flat=True))
    since = _since(moment).filter(security_group_id=group, event_type__in=_RULES).order_by("pk")
    first: dict[int, Attributes | None] = {}
    for event_type, data, provider in since.values_list("event_type", "full_data", "ems_id"):
        told = data["before"] or data["after"]
        is_present = _RULES[event_type] == "present"
        first.setdefault(int(told["id"]), _attributes(told, provider) if is_present else None)
    then = {pk: attributes for pk, attributes in first.items() if attributes is not None}
    return Then(
        compare("pk__among", Numbers(now - (first.keys() - then.keys()))),
        gone={pk: attributes for pk, attributes in then.items() if pk not in now},
        changed={pk: attributes for pk, attributes in then.items() if pk in now},
    )


def _since(moment: datetime) -> QuerySet[EventStream]:
    """The events after a time, of a resource that the user sees."""
    return EventStream.objects.filter(timestamp__gt=moment)


def _first_of_ports(events: QuerySet[EventStream]) -> Iterator[tuple[Any, int, Any, _Before]]:
    """Of each port and group, the VM, and whether the port had the group before the first of these events."""
    port = Coalesce(KT("full_data__before__network_port_id"), KT("full_data__after__network_port_id"))
    rows = events.filter(event_type__in=_MEMBERSHIPS).order_by("pk")
    seen = set()
    for event_type, vm, group, of_port in rows.values_list(
        "event_type", "vm_or_template_id", "security_group_id", port
    ):
        key = vm, int(of_port), group
        if key not in seen:
            seen.add(key)
            yield *key, _MEMBERSHIPS[event_type]


def _before(events: QuerySet[EventStream], key: str) -> dict[int, Attributes]:
    """What the first event of each id tells that was before it."""
    before: dict[int, Attributes] = {}
    for pk, data, provider in events.order_by("pk").values_list(key, "full_data", "ems_id"):
        before.setdefault(pk, _attributes(data["before"], provider))
    return before


def _gone(deletions: QuerySet[EventStream], key: str, viewer: Viewer) -> dict[int, Attributes]:
    """What deletions tell of what is gone, as far as the user may see that."""
    return _before(deletions.filter(pk__in=EventStream.objects.visible_to(viewer.user).values("pk")), key)


def _attributes(data: Mapping[str, Any], provider: int | None) -> Attributes:
    """When a row was last written before that, events don't tell."""
    return {**data, "provider_id": None if provider is None else str(provider), "updated_on": None}


def _vms(pairs: Iterable[_OfPort]) -> set[int]:
    return {vm for vm, _ in pairs if vm is not None}


def _require_known(moment: datetime, model: type[Model], pk: int, appeared: Q) -> None:
    """Raise `BadInput` for a time from which on not everything is known, and say since when it is."""
    oldest = EventStream.objects.order_by("timestamp").values("timestamp")[:1]
    last_appeared = EventStream.objects.filter(appeared).order_by("-pk").values("timestamp")[:1]
    rows = model._base_manager.filter(pk=pk)
    columns = ("provider__known_since", Subquery(oldest), Subquery(last_appeared))
    for read, *others in rows.values_list(*columns):
        if read is None:
            raise BadInput(messages.NEVER_READ)
        since = max(read, timezone.now() - settings.EVENTS_RETENTION, *filter(None, others))
        if moment < since:
            raise BadInput(messages.known_since(since))
