"""Testing a connection before its provider is saved."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import BoundedSemaphore, Thread

from django.contrib.auth.models import User

from inventory import drivers, messages
from inventory.drivers.deadline import seconds_left
from inventory.drivers.exceptions import CloudError, CloudUnavailable
from inventory.drivers.values import Check
from inventory.models import Provider
from inventory.services.audience import may_see
from inventory.services.waiting import SECONDS, TooManyWaiting, waiting_for_clouds

logger = logging.getLogger(__name__)

#: Timeout for each part of an answer, so that a cloud that hangs is reported as such.
TIMEOUT = 8.0
#: Maximum number of tests in a process at a time, including abandoned ones, for which no request waits.
MAX_THREADS = 8

_free = BoundedSemaphore(MAX_THREADS)
Checks = tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a test. `success` means that a refresh would work."""

    success: bool
    message: str
    checks: Checks = ()


def verify_credentials(*, providers: Sequence[Provider], user: User, seconds: float = SECONDS) -> list[Verdict]:
    """Test what the credentials of each provider may do, without changing anything. They may be unsaved.

    All together take at most so many seconds, and the verdicts tell `user` only what they may know. Raises
    `TooManyWaiting`, because the request waits for clouds, and others need threads too. Don't call this inside a
    transaction, which would last as long.
    """
    if not providers:
        return []
    with waiting_for_clouds(seconds):
        return [_verdict(provider, user) for provider in providers]


def _verdict(provider: Provider, user: User) -> Verdict:
    verdict = _tested(provider)
    if may_see(user, provider):
        return verdict
    logger.info("A test of %s, of which only the success is told: %s", provider.vendor, verdict.message)
    return Verdict(verdict.success, messages.TEST_PASSED if verdict.success else messages.TEST_NOT_PASSED)


def _tested(provider: Provider) -> Verdict:
    driver_class = drivers.driver_class(provider.vendor)
    try:
        connection = replace(provider.connection, timeout=TIMEOUT, answer_time=SECONDS)
        driver = driver_class(connection)
        checks = _within(seconds_left(), driver.verify)
    except CloudError as error:
        return Verdict(False, str(error))
    except TooManyWaiting:
        raise
    except Exception:
        logger.exception("The test of a provider of %s failed", provider.vendor)
        return Verdict(False, messages.TEST_FAILED)
    if not driver_class.needs_credentials:
        return Verdict(True, messages.INVENTORY_READABLE, checks)
    denied = [check.message for check in checks if not check.allowed]
    if any(check.needed and not check.allowed for check in checks):
        return Verdict(False, " ".join([messages.PERMISSIONS_MISSING, *denied]), checks)
    may = denied or [messages.ALL_GRANTED]
    return Verdict(True, " ".join([messages.CREDENTIALS_ACCEPTED, *may]), checks)


def _within(seconds: float, call: Callable[[], Checks]) -> Checks:
    """The result of a call, within so many seconds. A slower call continues until its timeouts end it."""
    if seconds <= 0:
        raise CloudUnavailable(messages.NO_TIME_LEFT)
    if not _free.acquire(blocking=False):
        raise TooManyWaiting
    future: Future[Checks] = Future()
    Thread(target=_run, args=(call, future), name="verify", daemon=True).start()
    try:
        return future.result(timeout=seconds)
    except TimeoutError:
        raise CloudUnavailable(messages.test_timed_out(round(seconds, 1))) from None


def _run(call: Callable[[], Checks], future: Future[Checks]) -> None:
    try:
        future.set_result(call())
    except Exception as error:
        future.set_exception(error)
    finally:
        _free.release()
