"""Giving and taking grants. Nobody gives more than they have, or frees anybody from their limits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from inventory import messages
from inventory.accounts import PERMISSION_NAME
from inventory.models import Grant
from inventory.restrictions import grants_of, permissions_of, restriction_of
from inventory.services.events import cause_of_request, record_event


@transaction.atomic
def give_grant(*, user: Any, **attributes: Any) -> Grant:
    """Give a `group` a `role` on a `cloud_tenant`, on a `provider`, or on everything.

    Returns the grant, also if the group had it. Raises `PermissionDenied` if the user has less there, and
    `ValidationError` if the tenant is of another provider.
    """
    wanted = Grant(**attributes)
    wanted.clean()
    _require(user, "inventory.add_grant", wanted)
    members = _unlimited(wanted.group_id)
    values = {name: getattr(wanted, name) for name in ("group", "role", "provider", "cloud_tenant")}
    grant, is_new = Grant.objects.get_or_create(**values)
    if is_new:
        _require_no_more(user, members)
        _record("grant_created", user, grant, after=_values(grant))
    return grant


@transaction.atomic
def edit_grant(*, user: Any, grant: Grant, **changes: Any) -> Grant:
    """Change a grant's role, group or scope.

    Raises `PermissionDenied` if the user has less than the grant or less than what it becomes, and
    `ValidationError` if the group has that already.
    """
    group, before = grant.group_id, _values(grant)
    _require(user, "inventory.change_grant", grant)
    for name, value in changes.items():
        setattr(grant, name, value)
    grant.clean()
    grant.validate_constraints()
    _require(user, "inventory.change_grant", grant)
    members = _unlimited(grant.group_id)
    grant.save()
    for several in (members, _unlimited(group)):
        _require_no_more(user, several)
    _record("grant_edited", user, grant, before=before, after=_values(grant))
    return grant


@transaction.atomic
def take_grant(*, user: Any, grant: Grant) -> None:
    """Take a grant from its group. Raises `PermissionDenied` if the user has less there."""
    _require(user, "inventory.delete_grant", grant)
    before = _values(grant)
    grant.delete()
    _require_no_more(user, _unlimited(grant.group_id))
    _record("grant_deleted", user, grant, before=before)


def record_loss(user: Any, group: Group) -> None:
    """Write the events of grants that go with their group."""
    for grant in group.grants.select_related("group"):
        _record("grant_deleted", user, grant, before=_values(grant))


def _values(grant: Grant) -> dict[str, Any]:
    """What an event has of a grant: ids, and the name of the group."""
    return {
        "group": grant.group.name,
        "role": grant.role,
        "ems_id": grant.provider_id,
        "cloud_tenant_id": grant.cloud_tenant_id,
    }


def _record(event_type: str, user: Any, grant: Grant, **values: Any) -> None:
    """Write an event. It is of no provider, since whoever may look at one need not know who else may."""
    message = messages.GRANT_EVENTS[event_type].format(grant.role, grant.group.name)
    record_event(event_type, message, cause_of_request(user), **values)


def _require(user: Any, permission: str, grant: Grant) -> None:
    """Raise `PermissionDenied` unless the user has this permission there, and all that the role permits."""
    rights = {permission} | permissions_of(grant.role)
    restrictions = [restriction_of(user, right) for right in rights]
    places = (grant.provider_id, grant.cloud_tenant_id)
    if not user.has_perms(rights) or not all(reach is None or reach.includes(*places) for reach in restrictions):
        raise PermissionDenied(messages.MORE_THAN_YOU_HAVE)


def _unlimited(group: int) -> list[int]:
    """The members of a group (ids) that no grant limits."""
    grants = Grant.objects.filter(group__user=OuterRef("pk"))
    members = User.objects.filter(~Exists(grants), groups=group, is_active=True, is_superuser=False)
    return list(members.values_list("pk", flat=True))


def _require_no_more(user: Any, members: Collection[int]) -> None:
    """Raise `PermissionDenied` if these have more rights than the user. A grant is about to limit or free them."""
    granted = Permission.objects.filter(Q(user__in=members) | Q(group__user__in=members))
    names = set(granted.distinct().values_list(PERMISSION_NAME, flat=True))
    if names and (grants_of(user) is not None or not user.has_perms(names)):
        raise PermissionDenied(messages.MEMBERS_HAVE_MORE)
