"""Testing a connection before its provider is saved."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import BoundedSemaphore, Thread

from inventory import drivers, messages
from inventory.drivers.exceptions import CloudError, CloudUnavailable
from inventory.drivers.values import Check
from inventory.models import Provider

logger = logging.getLogger(__name__)

#: Maximum seconds for a test.
VERIFICATION_SECONDS = 15.0
#: Timeout for each part of an answer, so that a cloud that hangs is reported as such.
TIMEOUT = 8.0
#: Maximum number of tests in a process at a time, including abandoned ones.
MAX_THREADS = 8

_free = BoundedSemaphore(MAX_THREADS)
Checks = tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a test. `success` means that a refresh would work."""

    success: bool
    message: str
    checks: Checks = ()


def verify_credentials(*, provider: Provider, seconds: float = VERIFICATION_SECONDS) -> Verdict:
    """Test what the credentials of a provider may do, without changing anything. It may be unsaved.

    Don't call this inside a transaction, which would last as long as the cloud takes.
    """
    driver_class = drivers.driver_class(provider.vendor)
    try:
        driver = driver_class(replace(provider.connection, timeout=TIMEOUT))
        checks = _within(seconds, driver.verify)
    except CloudError as error:
        return Verdict(False, str(error))
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
        raise CloudUnavailable(messages.too_many_tests(MAX_THREADS))
    future: Future[Checks] = Future()
    Thread(target=_run, args=(call, future), name="verify", daemon=True).start()
    try:
        return future.result(timeout=seconds)
    except TimeoutError:
        raise CloudUnavailable(messages.test_timed_out(seconds)) from None


def _run(call: Callable[[], Checks], future: Future[Checks]) -> None:
    try:
        future.set_result(call())
    except Exception as error:
        future.set_exception(error)
    finally:
        _free.release()
