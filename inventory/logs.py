"""What lines of the log have in common: whose they are, and no secret.

A line names the request that its thread answers. In a worker it names the tasks that its thread runs, their queue
and the requests that asked for them.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from logging.handlers import SysLogHandler, WatchedFileHandler
from typing import Any, Protocol

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

#: The user and password of a URL.
USERINFO = re.compile(r"(?<=://)[^/?#\s'\"]*@")
#: Names of values that are secret.
SECRET_NAME = re.compile("authorization|cookie|credential|passw|secret|token|api_?key|private_?key", re.IGNORECASE)
HIDDEN = "***"
#: How deep the values that a record brings along may be nested.
MAX_DEPTH = 5
#: Addresses that load balancers ask all the time: whether the process is alive, and whether it is ready.
PROBES = ("/healthz", "/readyz")
#: Characters that would end a line, or move the cursor of a terminal.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: Headers with credentials.
CREDENTIALS = ("Authorization", "X-Auth-Token")
#: Maximum number of ids in a line.
MAX_LOGGED = 10


class RunningTask(Protocol):
    """What a line says of a task; see `inventory.models.Task`."""

    pk: Any
    queue: Any
    request_id: Any
    vendor: str | None
    provider_name: str | None


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
        ids = abbreviated(task.request_id for task in tasks if task.request_id)
        fields = {"queue": str(tasks[0].queue), "task": abbreviated(task.pk for task in tasks)}
        return {**fields, "request_id": ids} if ids else fields
    # Django logs refused requests after the last middleware has returned.
    answered = request_id.get() or getattr(getattr(record, "request", None), "request_id", None)
    return {"request_id": answered} if answered else {}


class Strict(logging.Handler):
    """A handler whose caller has to know that it failed, and tries again."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        raise


class StrictFileHandler(Strict, WatchedFileHandler):
    pass


class StrictSyslogHandler(Strict, SysLogHandler):
    pass


class SecretFreeFormatter(logging.Formatter):
    """Removes users and passwords in URLs from lines and tracebacks. A message can't make further lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name in `logging`
        return CONTROLS.sub(lambda match: ascii(match[0])[1:-1], super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        return USERINFO.sub(f"{HIDDEN}@", super().format(record))


class SecretFreeJsonFormatter(JsonFormatter):
    """Formats a record as one line of JSON: its time, level, logger and message, and what it brings along.

    Values with the name of a secret are hidden, at any depth, and so are users and passwords in URLs.
    """

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception", "stack_info": "stack"},
            # Requests have the client's query in their names; `context` is there for people.
            reserved_attrs=[*RESERVED_ATTRS, "taskName", "request", "context"],
            timestamp="time",
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {name: _shown(name, value) for name, value in log_data.items()}

    def format(self, record: logging.LogRecord) -> str:
        return USERINFO.sub(f"{HIDDEN}@", super().format(record))


def _shown(name: object, value: Any, depth: int = 0) -> Any:
    """A value as the log may have it."""
    if SECRET_NAME.search(str(name)):
        return HIDDEN
    if isinstance(value, Mapping | Sequence | Set) and not isinstance(value, str | bytes):
        if depth == MAX_DEPTH:
            return "..."
        if isinstance(value, Mapping):
            return {str(key): _shown(key, inner, depth + 1) for key, inner in value.items()}
        return [_shown("", inner, depth + 1) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def is_worth_a_line(record: Any) -> bool:
    """Drops probes, refused requests without credentials, and requests for the missing favicon."""
    request = getattr(record, "request", None)
    status = getattr(record, "status_code", None)
    if request is not None and request.path_info in PROBES:
        return bool(status == HTTPStatus.INTERNAL_SERVER_ERROR)
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return request is None or any(name in request.headers for name in CREDENTIALS)
        case HTTPStatus.NOT_FOUND:
            return request is None or request.path_info != "/favicon.ico"
    return True
