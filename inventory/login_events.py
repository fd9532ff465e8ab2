"""Events of logins and of what is refused. Those that anybody can cause are counted: one for each hour.

A stranger can't fill the database: names that no account has are never stored, and beyond `ADDRESSES` events of a
type in an hour, further addresses are counted together.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import orjson
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from inventory import messages
from inventory.accounts import userid_of
from inventory.db.events import Cause
from inventory.db.inspection import evaluated
from inventory.db.patience import impatient
from inventory.logins import client_network
from inventory.models import EventStream
from inventory.services import cause_of_request, record_event

logger = logging.getLogger(__name__)

#: How many addresses an hour are told apart, for each type of event.
ADDRESSES = 1000
#: The time of a user's last login is as exact as this, so that not every request writes.
LAST_LOGIN_KEPT_AFTER = timedelta(minutes=1)


def note_page_login(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """A login on a page, or through an OpenID Connect provider."""
    record_event("login_succeeded", messages.login_succeeded(user.get_username()), cause_of_request(user))


def note_basic_login(request: Any, user: User) -> None:
    """A login by HTTP Basic whose password was checked, which is not each request."""
    message, cause = messages.login_succeeded(user.get_username()), _cause(request, user.get_username())
    _try_to_count("login_succeeded", message, cause)
    keep_last_login(user)


def keep_last_login(user: User) -> None:
    """Store that a user has logged in now, unless they did within the last minute."""
    now = timezone.now()
    before = Q(last_login=None) | Q(last_login__lt=now - LAST_LOGIN_KEPT_AFTER)
    User.objects.filter(before, pk=user.pk).update(last_login=now)


def note_refused_login(credentials: dict[str, Any], request: Any = None, **kwargs: Any) -> None:
    """A wrong password, on a page or by HTTP Basic."""
    if request is None:
        return  # not from a client
    getattr(request, "_request", request).login_refused = True
    userid = userid_of(str(credentials.get("username", "")).replace("\0", ""))
    username = userid if User.objects.filter(username=userid).exists() else None
    _try_to_count("login_refused", messages.login_refused(username), _cause(request, username))


def note_refusal(request: HttpRequest, response: HttpResponse) -> None:
    """A request that was answered 401 or 403."""
    if response.status_code not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return
    if getattr(request, "login_refused", False):
        return
    user = evaluated(getattr(request, "user", None))
    cause = _cause(request, (user and user.get_username()) or None)
    is_stranger = response.status_code == HTTPStatus.UNAUTHORIZED and cause.username is None
    if is_stranger and "HTTP_X_AUTH_TOKEN" in request.META:
        _try_to_count("token_refused", messages.TOKEN_REFUSED, cause)
    elif is_stranger and "HTTP_AUTHORIZATION" in request.META:
        _try_to_count("login_refused", messages.login_refused(None), cause)
    else:
        _try_to_count("request_refused", messages.request_refused(response.status_code), cause)


def _cause(request: Any, username: str | None) -> Cause:
    """As which user, and from which network: a client has all addresses of its own."""
    return replace(cause_of_request(None), username=username, address=client_network(request) or None)


def _try_to_count(event_type: str, message: str, cause: Cause) -> None:
    """Count it if that takes no long wait. The client gets the same answer if it can't be counted."""
    try:
        with impatient():
            _count(event_type, message, cause)
    except DatabaseError:
        logger.exception("An event could not be written: %s", event_type)


def _count(event_type: str, message: str, cause: Cause) -> None:
    """Count an event of a user and an address in this hour; write it if it is the first."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    if _counted(event_type, cause, hour):
        return
    latest = EventStream.objects.filter(event_type=event_type).order_by("-pk").values_list("timestamp", flat=True)
    if any(timestamp >= hour for timestamp in latest[ADDRESSES - 1 : ADDRESSES]):
        cause = replace(cause, address=None)
        if _counted(event_type, cause, hour):
            return
    if not record_event(event_type, message, cause, counted_as=_key(event_type, cause, hour)):
        _counted(event_type, cause, hour)  # somebody else was faster


def _counted(event_type: str, cause: Cause, hour: datetime) -> bool:
    rows = EventStream.objects.filter(counted_as=_key(event_type, cause, hour))
    return bool(rows.update(count=F("count") + 1))


def _key(event_type: str, cause: Cause, hour: datetime) -> str:
    return sha256(orjson.dumps([event_type, cause.username, cause.address, hour])).hexdigest()
