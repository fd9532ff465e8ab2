"""Rows of expirations, and the events that tell of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from inventory.db.clock import database_now
from inventory.db.events import Cause
from inventory.models import EventStream, Provider, Task
from secgroups import messages
from secgroups.models import Expiration, Membership, TemporaryMembership

EventType = Literal["expiration_created", "expiration_extended", "expiration_kept", "expiration_ended"]

#: How long after a task that takes something back the next one is queued, unless it succeeds. It grows.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=1)

#: The instance, its tenant and the group, which messages and events name.
_NAMED = ("security_group", "vm", "firewall_rule")


def pause_after(attempts: int) -> timedelta:
    """How long to wait for the next attempt after so many."""
    return min(FIRST_PAUSE * int(2 ** min(attempts, 16)), LONGEST_PAUSE)


def named(rows: QuerySet[Expiration]) -> QuerySet[Expiration]:
    """With what their events name."""
    return rows.select_related(*_NAMED)


def record(
    event_type: EventType, expirations: Iterable[Expiration], cause: Cause, *, before: datetime | None = None
) -> None:
    """Write an event for each of these, of `named`. Call it in the transaction of what it tells of."""
    now = timezone.now()
    EventStream.objects.bulk_create(
        EventStream(
            event_type=event_type,
            timestamp=now,
            message=messages.expiration_event(
                event_type,
                expiration.security_group.name,
                None if expiration.is_of_rule else _vm_called(expiration),
                expiration.expires_on,
            ),
            ems_id=expiration.provider_id,
            cloud_tenant_id=_tenant(expiration),
            vm_or_template_id=expiration.vm_id,
            security_group_id=expiration.security_group_id,
            full_data=_full_data(event_type, expiration, before),
            **cause.attributes(),
        )
        for expiration in expirations
    )


def _vm_called(expiration: Expiration) -> str:
    return expiration.vm.name if expiration.vm else "a port"


def _tenant(expiration: Expiration) -> int | None:
    """The tenant that may see the event. Whoever may see only one of both must not read the name of the other."""
    tenant: int | None = expiration.security_group.cloud_tenant_id
    return None if expiration.vm and expiration.vm.cloud_tenant_id != tenant else tenant


def _full_data(event_type: EventType, expiration: Expiration, before: datetime | None) -> dict[str, Any]:
    now = {
        "id": str(expiration.pk),
        "expires_on": expiration.expires_on,
        "reason": expiration.reason,
        "userid": expiration.userid,
        "security_group": expiration.security_group.name,
        "vm": expiration.vm and expiration.vm.name,
        "firewall_rule": expiration.firewall_rule and expiration.firewall_rule.ems_ref,
    }
    data = now | {"expires_on": expiration.expires_on.isoformat()}
    match event_type:
        case "expiration_created":
            return {"before": None, "after": data}
        case "expiration_extended":
            return {"before": data | {"expires_on": before and before.isoformat()}, "after": data}
    return {"before": data, "after": None}


def end(event_type: EventType, pks: Collection[int], cause: Cause) -> None:
    """Delete these expirations, with an event for each."""
    rows = list(named(Expiration.objects.filter(pk__in=pks)))
    record(event_type, rows, cause)
    Expiration.objects.filter(pk__in=[row.pk for row in rows]).delete()


@transaction.atomic
def claim(pk: int, task: Task) -> Expiration | str:
    """Begin to take back what an expiration is about: its row, or why there is nothing to do.

    From then on its end can't be changed, until the task is finished.
    """
    row: Expiration | None = Expiration.objects.select_for_update().filter(pk=pk).first()
    if row is None:
        return messages.ALREADY_ENDED
    if row.expires_on > database_now():
        return messages.not_due(row.expires_on)
    row.is_ending, row.removal = True, task
    row.save(update_fields=["is_ending", "removal"])
    return row


def extend(expiration: Expiration, expires_on: datetime, cause: Cause, reason: str | None = None) -> None:
    """Move the end of a locked row to a later time, with an event."""
    before, expiration.expires_on = expiration.expires_on, expires_on
    expiration.due_on, expiration.attempts, expiration.is_ending = expires_on, 0, False
    expiration.reason = reason or expiration.reason
    expiration.save(update_fields=["expires_on", "due_on", "attempts", "is_ending", "reason"])
    record("expiration_extended", named(Expiration.objects.filter(pk=expiration.pk)), cause, before=before)


@transaction.atomic(savepoint=False)
def end_what_is_gone(provider: Provider, cause: Cause, *, read_on: datetime) -> None:
    """End what was taken from ports by others, so that it doesn't end what is added there later.

    What a task noted ends too, if it is finished, and its ports were read after that.
    """
    rows = Expiration.objects.filter(provider=provider)
    if not rows.exists():
        return
    there = Membership.objects.filter(
        network_port=OuterRef("network_port"), security_group=OuterRef("security_group")
    )
    temporary = TemporaryMembership.objects.filter(expiration__in=rows)
    temporary.filter(~Exists(there)).delete()
    is_empty = ~Exists(TemporaryMembership.objects.filter(expiration=OuterRef("pk")))
    settled = Q(noted__isnull=True) & Q(firewall_rule=None)
    gone = set(rows.filter(is_empty, settled).values_list("pk", flat=True))
    left = rows.filter(noted__isnull=False).filter(
        Q(task=None) | Q(task__state="Finished", task__updated_on__lt=read_on)
    )
    gone.update(row.pk for row in left if isinstance(row.noted, list) and not _is_there(row))
    if gone:
        end("expiration_ended", gone, cause)


def _is_there(expiration: Expiration) -> bool:
    """Whether a port that a task may have written has the group."""
    members = Membership.objects.filter(security_group=expiration.security_group_id)
    return members.filter(network_port__ems_ref__in=expiration.noted or ()).exists()
