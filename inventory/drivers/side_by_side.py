"""Reading lists of a cloud side by side.

Each read has a thread that only waits for the cloud. What needs the database (turns, pauses, the state of tasks)
runs `at_home`, in the thread that asked for the reads: the connection and its transaction belong to that thread.
So while one read pauses, no other begins a request.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

First = TypeVar("First")
Second = TypeVar("Second")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Abandoned(Exception):
    """Another read has failed, so this one ends."""


def side_by_side(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """The results of two reads at the same time, each with the context variables of the caller.

    If one fails, the other ends before its next request, and the first error is raised.
    """
    home = _Home()
    reads = home.start(first), home.start(second)
    home.serve()
    return reads[0].result(), reads[1].result()


def at_home(call: Callable[[], Result]) -> Result:
    """Run a call in the thread that asked for the reads; at once if this is not one of its reads."""
    home = _home.get()
    return call() if home is None else home.run(call)


class _Home:
    """The thread that asked for reads."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._reading = 0
        self._error: BaseException | None = None

    def start(self, read: Callable[[], Result]) -> Future[Result]:
        """Begin a read in a thread of its own."""
        future: Future[Result] = Future()
        context = copy_context()
        context.run(_home.set, self)

        def work() -> None:
            _settle(future, read)
            self._calls.put(partial(self._end, future))

        self._reading += 1
        Thread(target=context.run, args=(work,), daemon=True).start()
        return future

    def run(self, call: Callable[[], Result]) -> Result:
        """Have a call run by `serve`, and wait for its result."""
        future: Future[Result] = Future()
        self._calls.put(partial(_settle, future, partial(self._unless_failed, call)))
        return future.result()

    def serve(self) -> None:
        """Run the calls of the reads until all have ended. Raises the first error."""
        while self._reading:
            self._calls.get()()
        if self._error:
            raise self._error

    def _unless_failed(self, call: Callable[[], Result]) -> Result:
        if self._error:
            raise Abandoned
        return call()

    def _end(self, read: Future[Any]) -> None:
        self._reading -= 1
        error = read.exception()
        if self._error is None:
            self._error = error
        elif error and not isinstance(error, Abandoned):
            logger.warning("Another list of the cloud failed as well: %s", error)


_home: ContextVar[_Home | None] = ContextVar("home", default=None)


def _settle(future: Future[Result], call: Callable[[], Result]) -> None:
    """Give the future the result or the error of a call."""
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
