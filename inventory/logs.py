"""What lines of the log have in common: whose they are, and no secret.

A line names the request that its thread answers. In a worker it names the tasks that its thread runs, their queue
and the requests that asked for them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, Protocol

#: The user and password of a URL.
USERINFO = re.compile(r"(?<=://)[^/?#\s'\"]*@")
#: Headers with credentials.
CREDENTIALS = ("Authorization", "X-Auth-Token")
#: Maximum number of ids in a line.
MAX_LOGGED = 10


class RunningTask(Protocol):
    """What a line says of a task; see `inventory.models.Task`."""

    pk: Any
    queue: Any
    request_id: Any


#: The id of the request that this thread answers.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
#: The tasks that this thread runs.
running_tasks: ContextVar[Sequence[RunningTask]] = ContextVar("running_tasks", default=())


@contextmanager
def running(tasks: Sequence[RunningTask]) -> Iterator[None]:
    """These tasks are run by this thread while the block runs."""
    token = running_tasks.set(tasks)
    try:
        yield
    finally:
        running_tasks.reset(token)


def abbreviated(ids: Iterable[object]) -> str:
    """`3, 4 and 8 more`."""
    distinct = list(dict.fromkeys(map(str, ids)))
    suffix = f" and {len(distinct) - MAX_LOGGED} more" if len(distinct) > MAX_LOGGED else ""
    return ", ".join(distinct[:MAX_LOGGED]) + suffix


class ContextFilter(logging.Filter):
    """Adds `request_id`, `task` and `queue` to a record, where it has them, and all of them as `context`."""

    def filter(self, record: logging.LogRecord) -> bool:
        fields = _fields(record)
        vars(record).update(fields)
        words = " ".join(f"{name}={value}" for name, value in fields.items())
        record.context = f" [{words}]" if words else ""
        return True


def _fields(record: logging.LogRecord) -> dict[str, str]:
    if tasks := running_tasks.get():
        asked = abbreviated(task.request_id for task in tasks if task.request_id)
        fields = {"queue": str(tasks[0].queue), "task": abbreviated(task.pk for task in tasks)}
        return {**fields, "request_id": asked} if asked else fields
    # Django logs refused requests after the last middleware has returned.
    answered = request_id.get() or getattr(getattr(record, "request", None), "request_id", None)
    return {"request_id": answered} if answered else {}


class SecretFreeFormatter(logging.Formatter):
    """Removes users and passwords in URLs from lines and tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return USERINFO.sub("***@", super().format(record))


def is_worth_a_line(record: Any) -> bool:
    """Drops refused requests without credentials, and requests for the missing favicon."""
    request = getattr(record, "request", None)
    match getattr(record, "status_code", None):
        case HTTPStatus.UNAUTHORIZED:
            return request is None or any(name in request.headers for name in CREDENTIALS)
        case HTTPStatus.NOT_FOUND:
            return request is None or request.path_info != "/favicon.ico"
    return True
