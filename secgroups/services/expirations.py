"""Moving the ends of what is for a while, taking it back now, and keeping it for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction

from inventory.db.clock import database_now
from inventory.models import Task, Vm
from inventory.querysets import reaches
from inventory.services import TaskSpec, cause_of_request, queue_work
from secgroups import messages
from secgroups.arguments import MembershipChange
from secgroups.expirations import end, extend, pause_after
from secgroups.models import Expiration, SecurityGroup
from secgroups.reverting.messages import NOT_PERMITTED
from secgroups.services.answers import Accepted, Refused
from secgroups.services.changes import MAY_CHANGE
from secgroups.services.due import Removal, removal_of, with_place

#: The rights of what is done again, for longer, or taken back.
MAY_CREATE, MAY_DELETE = "secgroups.add_firewallrule", "secgroups.delete_firewallrule"


class TooLate(Exception):
    """The state of the expiration does not allow this; `str()` is for people."""


@dataclass(frozen=True, slots=True)
class EndNow:
    """An expiration to end now."""

    expiration: Expiration
    removal: Removal

    @property
    def foreseen(self) -> TaskSpec:
        """The task with the ports of its instance, which a preview has to know."""
        arguments = self.removal.spec.arguments
        if not isinstance(arguments, MembershipChange):
            return self.removal.spec
        ports = self.expiration.memberships.filter(network_port__vm=self.removal.vm)
        refs = tuple(sorted(ports.values_list("network_port__ems_ref", flat=True)))
        return replace(self.removal.spec, arguments=msgspec.structs.replace(arguments, ports=refs))


def may_change_ends(user: User) -> bool:
    """Whether a user has the right to any of this. Which one it takes depends on what ends."""
    return any(map(user.has_perm, (MAY_CHANGE, MAY_CREATE, MAY_DELETE)))


def extend_expiration(*, expiration: Expiration, expires_on: datetime, user: User) -> None:
    """Move the end to a later time. Raises `PermissionDenied`, `TooLate`, and `DoesNotExist` if it is gone."""
    _require(user, expiration, MAY_CREATE)
    with transaction.atomic():
        row = _locked(expiration)
        if expires_on <= row.expires_on:
            raise TooLate(messages.ends_later_already(row.expires_on))
        extend(row, expires_on, cause_of_request(user))


def keep_expiration(*, expiration: Expiration, user: User) -> None:
    """Keep for good what would end. Raises the same."""
    _require(user, expiration, MAY_CREATE)
    with transaction.atomic():
        end("expiration_kept", [_locked(expiration).pk], cause_of_request(user))


def decide_end(*, expiration: Expiration, user: User) -> EndNow | Refused:
    """The task that takes it back now, or why there is none. Queues nothing. Raises `PermissionDenied`."""
    _require(user, expiration, MAY_DELETE)
    subject = messages.expiration_called(expiration.pk)
    row = with_place(Expiration.objects.filter(pk=expiration.pk)).get()
    if _is_ending(row):
        return Refused(messages.cannot_end(subject, messages.IS_ENDING))
    removal = removal_of(row)
    if removal is None:
        return Refused(messages.cannot_end(subject, messages.NO_INSTANCE))
    return EndNow(row, removal)


@transaction.atomic
def request_ends(decisions: Sequence[EndNow | Refused], *, user: User) -> list[Accepted | Refused]:
    """Queue each end as a task, all or none. The answers are in the order of `decisions`."""
    queued = [(key, decision) for key, decision in enumerate(decisions) if isinstance(decision, EndNow)]
    answers: dict[int, Accepted | Refused] = {
        key: decision for key, decision in enumerate(decisions) if isinstance(decision, Refused)
    }
    # In a fixed order, so that two requests can't wait for each other.
    for key, decision in sorted(queued, key=lambda each: (each[1].removal.queue, each[1].expiration.pk)):
        answers[key] = _queue(decision, user)
    return [answers[key] for key in range(len(decisions))]


def _queue(decision: EndNow, user: User) -> Accepted | Refused:
    removal, now = decision.removal, database_now()
    subject = messages.expiration_called(decision.expiration.pk)
    try:
        row = _locked(decision.expiration)
    except TooLate as error:
        return Refused(messages.cannot_end(subject, str(error)))
    except Expiration.DoesNotExist:
        return Refused(messages.cannot_end(subject, messages.GONE))
    vm = Vm.objects.get(pk=removal.vm) if removal.vm else None
    [task] = queue_work(removal.queue, [removal.spec], user=user, provider=decision.expiration.provider, vm=vm)
    Expiration.objects.filter(pk=row.pk).update(
        expires_on=min(row.expires_on, now), due_on=now + pause_after(0), attempts=1, removal=task.pk
    )
    return Accepted(removal.spec.message, task)


def _require(user: User, expiration: Expiration, permission: str) -> None:
    """Raise `PermissionDenied` unless the user may make the change, with this permission if it is of a rule."""
    row: Vm | SecurityGroup = expiration.security_group
    if not expiration.is_of_rule:
        permission, row = MAY_CHANGE, expiration.vm or row
    if not (user.has_perm(permission) and reaches(user, permission, type(row), row.pk)):
        raise PermissionDenied(NOT_PERMITTED)


def _locked(expiration: Expiration) -> Expiration:
    row: Expiration = Expiration.objects.select_for_update().get(pk=expiration.pk)
    if _is_ending(row):
        raise TooLate(messages.IS_ENDING)
    return row


def _is_ending(row: Expiration) -> bool:
    return row.is_ending and Task.objects.unfinished().filter(pk=row.removal_id).exists()
