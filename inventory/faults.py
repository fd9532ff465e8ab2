"""What happens to a task whose handler raises: another worker takes it, or it ends with the reason.

Only transient database errors are worth a retry: the database is down, locked, or rolled back one of two
transactions. Any other error would recur.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError

from inventory.backoff import ShutdownRequested
from inventory.leases import LeaseLost
from inventory.messages import internal_error

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

#: PostgreSQL's transient classes of states: connection exception, transaction rollback, insufficient resources,
#: operator intervention, system error; and single states of other classes.
CLASSES = frozenset({"08", "40", "53", "57", "58"})
STATES = frozenset({"25006", "25P03", "55P03"})  # read-only (a failover), idle too long, lock not available
#: Permanent states of these classes: disk full, query canceled.
LASTING = frozenset({"53100", "57014"})
#: SQLite's transient codes: the file is locked, or can't be opened at the moment.
CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL})

#: The context of an error in COPY: `COPY inventory_vm, line 3, column name: "..."`.
_COPIED = re.compile(r"COPY (?P<table>\w+), line \d+, column (?P<column>\w+)")


def passes(error: BaseException) -> bool:
    """Whether this is a transient error of the database."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    cause = error.__cause__
    if state := getattr(cause, "sqlstate", None):
        return state in STATES or (state[:2] in CLASSES and state not in LASTING)
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in CODES
    # A broken or closed connection has no state.
    return isinstance(error, OperationalError | InterfaceError)


def leave_to_others(error: BaseException) -> bool:
    """Whether another worker can take the tasks, because their rows are unchanged."""
    return isinstance(error, ShutdownRequested | LeaseLost) or passes(error)


def seeing_others(write: Callable[..., Answer], *args: Any) -> Answer:
    """Run a write again that conflicted with another transaction, whose rows its checks can see now.

    The write is one transaction, so nothing is left of the first run.
    """
    try:
        return write(*args)
    except IntegrityError:
        return write(*args)


def unforeseen(error: Exception, operation: object) -> str:
    """Log an unexpected error, and return a message without its text, which may contain secrets.

    Raises the error instead if another worker shall take the tasks.
    """
    if leave_to_others(error):
        raise error
    logger.error("%s failed", operation, exc_info=error)
    return internal_error(described(error))


def described(error: BaseException) -> str:
    """`DataError at name of inventory_vm`: the kind of an error, and its column if the database names it."""
    column = _column(getattr(error.__cause__, "diag", None))
    return f"{type(error).__name__} at {column}" if column else type(error).__name__


def _column(diagnosis: Any) -> str | None:
    """The column that PostgreSQL names, in its error or (for COPY) in the context."""
    if diagnosis is None:
        return None
    if diagnosis.table_name:
        name = diagnosis.column_name or diagnosis.constraint_name
        return f"{name} of {diagnosis.table_name}" if name else str(diagnosis.table_name)
    if match := _COPIED.match(diagnosis.context or ""):
        return f"{match['column']} of {match['table']}"
    return None
