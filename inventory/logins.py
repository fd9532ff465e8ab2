"""Limits of logins: how many may fail, and how many passwords are checked at a time.

Failures are rows, which all processes share. After `LOGIN_FAILURES` of an account at one address, or
`LOGIN_ADDRESS_FAILURES` of an address, within `LOGIN_FAILURE_WINDOW`, logins are refused without a hash.
The owner of the account is let in from elsewhere. Valid tokens and sessions are not affected.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_network
from math import ceil
from threading import Lock
from typing import Any, Self, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import APIException

from inventory import messages
from inventory.capacity import NoThreadLeft, Share
from inventory.db.expressions import fold
from inventory.metrics import logins_refused
from inventory.models import LoginFailure
from inventory.models.login_failure import ADDRESS_LENGTH
from inventory.proxies import peer_address

T = TypeVar("T")

#: The network of which one client has all addresses.
IPV6_PREFIX = 64
#: When to retry while too many passwords are checked, in seconds.
CHECKS_WAIT = 1

#: So many wrong passwords in a process, within so many seconds, are a flood.
FLOOD_FAILURES, FLOOD_SECONDS = 5, 10.0

#: In a flood, a quarter of the threads check passwords at most. Others answer those who are already logged in.
#: Otherwise all may: many clients that start at once, with right passwords, wait for a moment.
_checks = Share(4)
_recent_failures: deque[float] = deque(maxlen=FLOOD_FAILURES)
#: Passwords are hashed one at a time, because hashing takes a core and much memory.
_hashing = Lock()


class TooManyLogins(APIException):
    """A login that is refused without looking at its password. `wait` is in seconds."""

    status_code = 429

    def __init__(self, door: str, reason: str, message: str, wait: int) -> None:
        super().__init__(message)
        logins_refused(door, reason)
        self.wait = wait


def client_network(request: Any) -> str:
    """The client's address, or the network of an IPv6 address. All clients without an address count as one."""
    address = peer_address(request.META.get("REMOTE_ADDR", ""))
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address or "")


def window_start() -> datetime:
    """Failures before this time no longer count."""
    return timezone.now() - settings.LOGIN_FAILURE_WINDOW


def is_flooded() -> bool:
    """Whether this process has just refused many wrong passwords."""
    since = time.monotonic() - FLOOD_SECONDS
    return len(_recent_failures) == FLOOD_FAILURES and _recent_failures[0] > since


@contextmanager
def password_check() -> Iterator[None]:
    """Hash a password in this context. In a flood, raises `TooManyLogins` if too many requests do."""
    try:
        with _checks.thread() if is_flooded() else nullcontext(), _hashing:
            yield
    except NoThreadLeft:
        raise TooManyLogins("password", "busy", messages.TOO_MANY_CHECKS, CHECKS_WAIT) from None


@dataclass(frozen=True, slots=True)
class Login:
    """A login from an address: as a user, or with a name or a token that nobody has."""

    address: str
    user_id: int | None
    digest: str | None
    #: What metrics call it.
    door: str = "password"

    @classmethod
    def of_user(cls, request: Any, user: User) -> Self:
        return cls(client_network(request), user.pk, None)

    @classmethod
    def of_session(cls, user: User, session_key: str) -> Self:
        """With the password of a user who is logged in, from any address: each session counts for itself."""
        return cls(_digest("session", session_key)[:ADDRESS_LENGTH], user.pk, None)

    @classmethod
    def of_name(cls, request: Any, username: str) -> Self:
        """By the account's name, however it is spelled."""
        user_id = User.objects.filter(username=username).values_list("pk", flat=True).first()
        return cls(client_network(request), user_id, None if user_id else _digest("name", fold(username)))

    @classmethod
    def of_token(cls, request: Any, token: str) -> Self:
        return cls(client_network(request), None, _digest("token", token), door="token")

    def limit(self, check: Callable[[], T]) -> T:
        """Check a password by calling `check`, whose result is false if it is wrong. Raises `TooManyLogins`."""
        self.require_tries()
        with password_check():
            self.require_tries()  # others may have failed while this one waited
            result = check()
        if result:
            self.succeed()
        else:
            self.fail()
        return result

    def require_tries(self) -> list[LoginFailure]:
        """The failures of this address. Raises `TooManyLogins` if they are too many."""
        failures = self._failures()
        self._require_tries(failures)
        return failures

    def succeed(self) -> None:
        """Forget the failures of this account at this address."""
        if failures := self._own(self.require_tries()):
            LoginFailure.objects.filter(pk__in=[failure.pk for failure in failures]).delete()

    def fail(self) -> None:
        """Record a failure. Raises `TooManyLogins` if others have used up the tries meanwhile."""
        _recent_failures.append(time.monotonic())
        failure = LoginFailure.objects.create(address=self.address, user_id=self.user_id, digest=self.digest)
        self._require_tries([earlier for earlier in self._failures() if earlier.pk < failure.pk])

    def fail_once(self) -> None:
        """Record a failure, unless it is recorded: whoever repeats an unknown token guesses nothing."""
        if not any(failure.digest == self.digest for failure in self.require_tries()):
            self.fail()

    def _failures(self) -> list[LoginFailure]:
        failures = LoginFailure.objects.filter(address=self.address, failed_on__gt=window_start())
        return list(failures.order_by("failed_on", "pk"))

    def _require_tries(self, failures: Sequence[LoginFailure]) -> None:
        of_account = _wait(self._own(failures), settings.LOGIN_FAILURES)
        if wait := max(of_account, _wait(failures, settings.LOGIN_ADDRESS_FAILURES)):
            raise TooManyLogins(self.door, "locked", messages.too_many_logins(wait), wait)

    def _own(self, failures: Sequence[LoginFailure]) -> list[LoginFailure]:
        own = (self.user_id, self.digest)
        return [failure for failure in failures if (failure.user_id, failure.digest) == own]


def _wait(failures: Sequence[LoginFailure], limit: int) -> int:
    """Seconds until fewer than `limit` of these failures count; zero if fewer do now."""
    if len(failures) < limit:
        return 0
    elapsed = timezone.now() - failures[-limit].failed_on
    return max(ceil((settings.LOGIN_FAILURE_WINDOW - elapsed).total_seconds()), 1)


def _digest(kind: str, text: str) -> str:
    return salted_hmac(f"inventory.logins.{kind}", text, algorithm="sha256").hexdigest()


def forget_old_failures() -> None:
    LoginFailure.objects.filter(failed_on__lte=window_start()).delete()
