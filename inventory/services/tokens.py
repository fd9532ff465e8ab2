"""Issuing tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network
from math import ceil
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from knox.models import get_digest_token
from knox.settings import CONSTANTS

from inventory import messages
from inventory.models import AuthToken
from inventory.proxies import peer_address
from inventory.services.events import cause_of_request, on_behalf_of, record_event

#: Maximum number of networks of a token, each of which is compared at each request.
MAX_NETWORKS = 100


class TokenLogin(NamedTuple):
    """The token of a request: what a login needs of an `AuthToken`, in less time than an instance takes."""

    pk: int
    digest: str
    read_only: bool
    group_id: int | None
    addresses: Sequence[str]
    expiry: datetime
    ttl: timedelta | None
    ends_on: datetime
    last_used_on: datetime | None

    def is_valid_at(self, address: str) -> bool:
        """Whether a client with this address may use it. An unknown address is in no network."""
        if not self.addresses:
            return True
        client = peer_address(address)
        return any(client in ip_network(network) for network in self.addresses) if client else False


def parse_networks(lines: Sequence[str]) -> list[str]:
    """Networks as tokens have them. Raises `ValueError` for one that is none, or for too many."""
    if len(lines) > MAX_NETWORKS:
        raise ValueError(messages.too_many_networks(MAX_NETWORKS))
    return [str(ip_network(line)) for line in lines]


class LoginEnded(Exception):
    """The user, or the token that was to issue another one, is no longer what it was at the login."""

    def __init__(self) -> None:
        super().__init__(messages.LOGIN_ENDED)


class TooManyTokens(Exception):
    """The user has too many valid tokens. `wait` is the number of seconds until one expires."""

    def __init__(self, limit: int, wait: int) -> None:
        super().__init__(messages.too_many_tokens(limit))
        self.wait = wait


def issue_token(
    *, user: User, ttl: timedelta, group: Group | None, by: TokenLogin | None
) -> tuple[AuthToken, str]:
    """Issue a token that use extends, to a user who logged in with a password, a session or a token.

    By a token, it is limited as that one is, and lives no longer. Returns it with its text.
    Raises `LoginEnded` and `TooManyTokens`.
    """
    now = timezone.now()
    limits: dict[str, Any] = {}
    ends_on = now + settings.TOKEN_MAX_TTL
    if by is not None:
        limits = {"read_only": by.read_only, "addresses": by.addresses, "issued_by_id": by.pk}
        ends_on = min(ends_on, by.ends_on)
        ttl = min(ttl, by.ttl or ttl)
    expiry = min(now + ttl, ends_on)
    return _create(user, group=group, ttl=ttl, expiry=expiry, ends_on=ends_on, last_used_on=now, **limits)


def create_token(
    *,
    user: User,
    name: str,
    read_only: bool = False,
    group: Group | None = None,
    addresses: Sequence[str] = (),
    ends_on: datetime | None = None,
) -> tuple[AuthToken, str]:
    """Create a named token, which is valid until `ends_on` whether it is used or not.

    Returns it with its text. Raises `LoginEnded` and `TooManyTokens`.
    """
    ends_on = ends_on or latest_end()
    limits = {"read_only": read_only, "group": group, "addresses": [*addresses]}
    return _create(user, name=name, expiry=ends_on, ends_on=ends_on, **limits)


def latest_end() -> datetime:
    """How long a token that is created now can be valid."""
    return timezone.now() + settings.TOKEN_MAX_TTL


def revoke_token(*, token: AuthToken, user: User) -> None:
    """Revoke a token, and those that it issued. A trigger writes their events.

    Raises `PermissionDenied` if it is another user's, unless this one may delete tokens.
    """
    if token.user_id != user.pk and not user.has_perm("inventory.delete_authtoken"):
        raise PermissionDenied(messages.TOKEN_OF_ANOTHER)
    with on_behalf_of(user):
        revoked = level = [token.pk]
        while level := list(AuthToken.objects.filter(issued_by__in=level).values_list("pk", flat=True)):
            revoked = revoked + level
        AuthToken.objects.filter(pk__in=revoked).delete()


@transaction.atomic
def _create(user: User, **attributes: Any) -> tuple[AuthToken, str]:
    """Insert a token. Locks the user, who may have changed the password, or been deactivated, since the login."""
    account = User.objects.select_for_update().filter(pk=user.pk, is_active=True, password=user.password).first()
    by = attributes.get("issued_by_id")
    if account is None or (by and not AuthToken.objects.filter(pk=by).exists()):
        raise LoginEnded
    now = timezone.now()
    valid = AuthToken.objects.filter(user=user.pk, expiry__gt=now)
    limit = settings.TOKEN_LIMIT // 2 if by else settings.TOKEN_LIMIT  # tokens leave room for their owner
    if valid.count() >= limit:
        wait = valid.earliest("expiry").expiry - now
        raise TooManyTokens(limit, max(ceil(wait.total_seconds()), 1))
    digest, text = get_digest_token()
    key = text[: CONSTANTS.TOKEN_KEY_LENGTH]
    token = AuthToken.objects.create(user_id=user.pk, digest=digest, token_key=key, **attributes)
    message, cause = messages.token_was_issued(user.get_username()), cause_of_request(user)
    record_event("token_issued", message, cause, after=_described(token))
    return token, text


def _described(token: AuthToken) -> dict[str, Any]:
    """A token as an event has it, without what it is."""
    return {
        "id": str(token.pk),
        "name": token.name,
        "read_only": token.read_only,
        "ends_on": token.ends_on.isoformat(),
    }
