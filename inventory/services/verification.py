"""Testing how a cloud would be reached, before its provider is saved."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import BoundedSemaphore, Thread

from inventory import drivers
from inventory.drivers.exceptions import CloudError, CloudUnavailable
from inventory.drivers.values import Check
from inventory.models import Provider

logger = logging.getLogger(__name__)

#: Seconds that a test may take.
VERIFICATION_SECONDS = 15.0
#: Seconds to wait for each part of an answer, so that a cloud that hangs is told by its own time-out.
TIMEOUT = 8.0
#: Most tests of one process that go on at a time, those that nobody waits for any more among them.
MAX_THREADS = 8

_free = BoundedSemaphore(MAX_THREADS)
Checks = tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a test; a `success` has all that a refresh needs."""

    success: bool
    message: str
    checks: Checks = ()


def verify_credentials(*, provider: Provider, seconds: float = VERIFICATION_SECONDS) -> Verdict:
    """Ask the cloud of a provider, which may be unsaved, what its credentials may do; nothing changes anywhere.

    Not to be called inside a transaction, which would last as long as the cloud takes.
    """
    driver = drivers.driver_class(provider.vendor)(replace(provider.connection, timeout=TIMEOUT))
    try:
        checks = _within(seconds, driver.verify)
    except CloudError as error:
        return Verdict(False, str(error))
    except Exception:
        logger.exception("The test of a provider of %s failed", provider.vendor)
        return Verdict(False, "Internal error in the test. See the log of Portcullis for details.")
    if not driver.needs_credentials:
        return Verdict(True, "The inventory can be read.", checks)
    denied = [check.message for check in checks if not check.allowed]
    if any(check.needed and not check.allowed for check in checks):
        return Verdict(False, " ".join(["Credentials accepted, but permissions are missing.", *denied]), checks)
    may = denied or ["All required permissions are granted."]
    return Verdict(True, " ".join(["The cloud answers and takes the credentials.", *may]), checks)


def _within(seconds: float, call: Callable[[], Checks]) -> Checks:
    """The outcome of a call that may take so long; one that takes longer goes on until its time-outs end it."""
    if seconds <= 0:
        raise CloudUnavailable("Not tested: the time limit was reached. Test fewer providers per request.")
    if not _free.acquire(blocking=False):
        raise CloudUnavailable(f"{MAX_THREADS} tests are under way already: try again in a minute.")
    outcome: Future[Checks] = Future()
    Thread(target=_run, args=(call, outcome), name="verify", daemon=True).start()
    try:
        return outcome.result(timeout=seconds)
    except TimeoutError:
        raise CloudUnavailable(f"The cloud did not answer all questions within {seconds:g} seconds.") from None


def _run(call: Callable[[], Checks], outcome: Future[Checks]) -> None:
    try:
        outcome.set_result(call())
    except Exception as error:
        outcome.set_exception(error)
    finally:
        _free.release()
