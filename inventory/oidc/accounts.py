"""The accounts of users who log in through the provider, and their groups."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import transaction

from inventory.accounts import is_taken
from inventory.faults import seeing_others
from inventory.models import OidcIdentity
from inventory.oidc import messages
from inventory.oidc.configuration import configuration
from inventory.oidc.errors import LoginRefused

logger = logging.getLogger(__name__)

#: The attributes of a user that the provider decides.
ATTRIBUTES = {"first_name": "given_name", "last_name": "family_name", "email": "email"}


def logged_in(claims: Mapping[str, Any]) -> OidcIdentity:
    """The identity in these claims, with its account as they say. Raises `LoginRefused` if there is none."""
    identity: OidcIdentity = seeing_others(_logged_in, claims)
    return identity


@transaction.atomic
def _logged_in(claims: Mapping[str, Any]) -> OidcIdentity:
    key = {"issuer": configuration().issuer, "subject": claims["sub"]}
    identity = OidcIdentity.objects.select_related("user").filter(**key).first()
    if identity is None:
        identity = OidcIdentity.objects.create(user=_new_user(claims), **key)
        logger.info("%s logged in through OpenID Connect for the first time", identity.user)
    update(identity.user, claims)
    return identity


def _new_user(claims: Mapping[str, Any]) -> User:
    """A new account without a password. One of the same name is somebody else's."""
    if not configuration().creates_users:
        raise LoginRefused(messages.NO_ACCOUNT)
    claim = configuration().username_claim
    name = claims.get(claim)
    field = User._meta.get_field("username")
    try:
        username = User.normalize_username(field.clean(name if isinstance(name, str) else None, None))
    except ValidationError:
        raise LoginRefused(messages.no_username(claim)) from None
    if is_taken(username):
        raise LoginRefused(messages.name_taken(username))
    return User.objects.create_user(username)


@transaction.atomic
def update(user: User, claims: Mapping[str, Any]) -> None:
    """Give a user the names, groups and roles in the claims. Raises `LoginRefused` if they are deactivated."""
    if not user.is_active:
        raise LoginRefused(messages.DEACTIVATED)
    attributes: dict[str, Any] = {
        name: _text(claims[claim], name) for name, claim in ATTRIBUTES.items() if claim in claims
    }
    claimed = claimed_groups(claims)
    staff, superuser = configuration().staff_group, configuration().superuser_group
    if superuser:
        attributes["is_superuser"] = superuser in claimed
    if staff or superuser:
        attributes["is_staff"] = not claimed.isdisjoint({staff, superuser})
    changed = {name: value for name, value in attributes.items() if getattr(user, name) != value}
    for name, value in changed.items():
        setattr(user, name, value)
    if changed:
        user.save(update_fields=changed)
    _set_groups(user, claimed)


def claimed_groups(claims: Mapping[str, Any]) -> set[str]:
    """The groups of the claim: a list of texts, or one text. Without the claim there are none."""
    value = claims.get(configuration().groups_claim)
    names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return {name for name in names if isinstance(name, str)}


def _set_groups(user: User, claimed: set[str]) -> None:
    """Make the user a member of exactly the claimed groups, among those that the provider decides."""
    mapping = configuration().groups
    names = claimed if mapping is None else {mapping[name] for name in claimed & mapping.keys()}
    decided = [group for group in Group.objects.all() if mapping is None or group.name in mapping.values()]
    wanted = {group for group in decided if group.name in names}
    current = set(user.groups.all()).intersection(decided)
    if wanted != current:
        user.groups.remove(*(current - wanted))
        user.groups.add(*(wanted - current))
        logger.info("%s is now in the groups %s", user, ", ".join(sorted(group.name for group in wanted)) or "-")


def _text(value: object, attribute: str) -> str:
    """A claim as a column takes it."""
    length = getattr(User._meta.get_field(attribute), "max_length", None)
    return value.replace("\0", "").encode(errors="replace").decode()[:length] if isinstance(value, str) else ""
