"""Authenticating the caller, and limiting them to one of their groups."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from hmac import compare_digest
from typing import Any, TypeVar, cast
from urllib.parse import unquote_to_bytes

from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.cache import caches
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Exists, Model
from django.utils import timezone
from django.utils.crypto import salted_hmac
from knox.crypto import hash_token
from knox.settings import CONSTANTS
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from inventory.accounts import AccountBackend, userid_of
from inventory.db.statements import CompiledQuery, Param
from inventory.login_events import keep_last_login, note_basic_login
from inventory.logins import Login, client_network, window_start
from inventory.metrics import logins_refused
from inventory.models import AuthToken, LimitedUser, LoginFailure
from inventory.rest import messages
from inventory.rest.hrefs import Hrefs
from inventory.rest.http.negotiation import is_form
from inventory.services import TokenLogin

M = TypeVar("M", bound=Model)

#: `user.backend` of users whose password hash is in the database.
ACCOUNTS = f"{AccountBackend.__module__}.{AccountBackend.__qualname__}"
#: With a challenge, DRF answers 401 instead of 403. It is not sent: HTTP Basic's makes browsers ask for a password
#: over the login page, and Python's urllib fails on any other.
CHALLENGE = "X-Auth-Token"
#: The part of its lifetime after which a token is renewed, so that not every request writes.
RENEWED_AFTER = 1 / 60
#: The time of a token's last use is as exact as this, for the same reason.
USE_KEPT_AFTER = timedelta(minutes=1)


@cache
def _columns(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


def _made(model: type[M], values: Sequence[Any]) -> M:
    """An instance with these column values."""
    return model.from_db(DEFAULT_DB_ALIAS, _columns(model), values)


class TokenAuthentication(authentication.BaseAuthentication):
    """The token in `X-Auth-Token`, which is knox's. If a request has one, other credentials are ignored."""

    _tokens = CompiledQuery(
        lambda: AuthToken.objects.filter(token_key=Param("key")).values_list(
            *AccountBackend.of_its_user, *TokenLogin._fields, *(f"user__{name}" for name in _columns(User))
        )
    )

    def authenticate(self, request: Request) -> tuple[User, TokenLogin] | None:
        text = request.META.get("HTTP_X_AUTH_TOKEN")
        if text is None:
            return None
        if not text.strip():
            raise AuthenticationFailed(messages.EMPTY_TOKEN)
        now = timezone.now()
        login = None if "\0" in text else self._login(text.strip())
        if login is None:
            logins_refused("token", "unknown")
            Login.of_token(request, text).fail_once()
            raise AuthenticationFailed(messages.INVALID_TOKEN)
        user, token = login
        if not (user.is_active and token.expiry > now and token.is_valid_at(request.META.get("REMOTE_ADDR", ""))):
            logins_refused("token", "ended")  # it is no guess, so it does not count against the address
            raise AuthenticationFailed(messages.INVALID_TOKEN)
        renew = request.META.get("HTTP_X_AUTH_SKIP_TOKEN_RENEWAL", "").lower() != "true"
        _record_use(user, token, now, renew=renew)
        return user, token

    def _login(self, text: str) -> tuple[User, TokenLogin] | None:
        """Read the user and their rights in one query. A scheduled task deletes expired tokens."""
        digest, columns = hash_token(text), len(TokenLogin._fields)
        for permissions, grants, *values in self._tokens(key=text[: CONSTANTS.TOKEN_KEY_LENGTH]):
            token = TokenLogin._make(values[:columns])
            if compare_digest(digest, token.digest):
                user = _made(User, values[columns:])
                if not user.is_superuser:
                    AccountBackend.hand_over(user, permissions, grants)
                return user, token
        return None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class BasicAuthentication(authentication.BasicAuthentication):
    """HTTP Basic. A password that was right a minute ago is not hashed again, which is slow.

    This process caches a keyed digest of the user, the password and its hash in the database. Each request still
    reads the user, so a changed password, an inactive or a deleted user take effect at once. Wrong passwords are
    not cached. They count before the cache is used, which would tell a right password from wrong ones otherwise.
    """

    _users = CompiledQuery(
        lambda: User.objects.filter(username=Param("name")).values_list(
            Exists(LoginFailure.objects.filter(address=Param("address"), failed_on__gt=Param("since"))),
            *_columns(User),
        )
    )

    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[User, None]:
        _check_text(userid)
        password_cache = caches["passwords"]
        client = {"address": client_network(request), "since": window_start()}
        users = list(self._users(name=userid, **client)) or self._users(name=userid_of(userid), **client)
        for has_failures, *values in users:
            user = _made(User, values)
            if user.is_active and password_cache.get(_digest(user, password)):
                if has_failures:
                    Login.of_user(request, user).succeed()
                return user, None
        user, _ = super().authenticate_credentials(userid, password, request)
        if user.backend == ACCOUNTS:  # other backends may not use the hash
            password_cache.set(_digest(user, password), True)
        note_basic_login(request, user)
        return user, None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class SessionAuthentication(authentication.SessionAuthentication):
    """That of DRF, which looks for a token in the body and uses its stream up."""

    def enforce_csrf(self, request: Request) -> None:
        if not is_form(request):
            request.body  # noqa: B018 - kept for whoever reads it afterwards
        super().enforce_csrf(request)


def _check_text(text: str) -> None:
    """Refuse NUL, which databases can't compare or store."""
    if "\0" in text:
        raise AuthenticationFailed(messages.INVALID_LOGIN)


def _digest(user: User, password: str) -> str:
    """A digest of this password, valid as long as the user's hash stays the same."""
    text = json.dumps([user.pk, password, user.password])  # unambiguous, unlike joined text
    return salted_hmac("inventory.rest.http.authentication", text, algorithm="sha256").hexdigest()


def _record_use(user: User, token: TokenLogin, now: datetime, *, renew: bool) -> None:
    """Renew a token and keep the time of its use, but not at each use. An update can't restore a deleted token."""
    uses = {}
    if renew and token.ttl is not None:
        expiry = min(now + token.ttl, token.ends_on)
        if expiry - token.expiry > token.ttl * RENEWED_AFTER:
            uses["expiry"] = expiry
    if uses or token.last_used_on is None or now - token.last_used_on > USE_KEPT_AFTER:
        AuthToken.objects.filter(pk=token.pk).update(**uses, last_used_on=now)
        keep_last_login(user)


def limited(request: Request) -> User | AnonymousUser:
    """The caller, limited to the group in `X-MIQ-Group` and as their token is. Raises 401 for another's group."""
    header, token = request.META.get("HTTP_X_MIQ_GROUP"), request.auth
    group_id, read_only = (token.group_id, token.read_only) if isinstance(token, TokenLogin) else (None, False)
    if isinstance(request.user, AnonymousUser) or not (header or group_id or read_only):
        return request.user
    caller = LimitedUser.objects.filter(pk=request.user.pk).first()
    if caller is None:  # deleted since
        raise AuthenticationFailed(messages.INVALID_TOKEN)
    caller.group = _group_of(request.user, header, group_id)
    caller.read_only = read_only
    return caller


def _group_of(user: User, header: str | None, group_id: int | None) -> Group | None:
    """The group that a header and a token limit a user to, if they do. Raises 401 if they don't match it."""
    names = {"name": _unescaped(header)} if header else {}
    keys = {"pk": group_id} if group_id else {}
    if not (names or keys):
        return None
    group = None if "\0" in names.get("name", "") else user.groups.filter(**names, **keys).first()
    if group is None:
        raise AuthenticationFailed(messages.invalid_group(names["name"]) if names else messages.INVALID_TOKEN)
    return group


def _unescaped(header: str) -> str:
    """Decode a header, which may be encoded like a form value. It is UTF-8 or Latin-1, as with HTTP Basic."""
    octets = unquote_to_bytes(header.replace("+", " ").encode("latin-1", "replace"))
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def identity(request: Request, hrefs: Hrefs) -> dict[str, Any]:
    """The caller in the entry point. `group` is the group of the request, or else their first group."""
    user = cast(User, request.user)  # all views require a login
    groups = list(user.groups.order_by("pk"))
    group_of_request = user.group if isinstance(user, LimitedUser) else None
    current_group = group_of_request or next(iter(groups), None)
    powerful = user.is_superuser and not group_of_request
    return {
        "userid": user.get_username(),
        "name": user.get_full_name() or user.get_username(),
        "user_href": hrefs.resource("users", user.pk),
        "group": current_group and current_group.name,
        "group_href": current_group and hrefs.resource("groups", current_group.pk),
        "role": "super_administrator" if powerful else current_group and current_group.name,
        "groups": [group.name for group in groups],
        "miq_groups": [
            {"href": hrefs.resource("groups", group.pk), "id": str(group.pk), "description": group.name}
            for group in groups
        ],
    }


def authorization(request: Request) -> dict[str, Any]:
    """The caller's permissions in the entry point."""
    allowed = cast(User, request.user).get_all_permissions()
    permissions = Permission.objects.order_by().values_list("content_type__app_label", "codename", "name")
    names = {f"{app}.{codename}": name for app, codename, name in permissions}
    return {
        "product_features": {
            permission: {"name": permission, "description": names[permission]}
            for permission in sorted(allowed & names.keys())
        }
    }
