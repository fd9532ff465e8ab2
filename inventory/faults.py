"""What becomes of a task whose handler raises: taken again by whoever comes next, or ended with the reason.

Of the errors of the database only those that pass are worth repeating: it is away, locked, or had to choose
between two transactions. Any other would come back each time.
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

#: PostgreSQL's classes of states that pass: no connection, a transaction that was rolled back for another's sake,
#: no resources, an operator's intervention, a failure of the system; and single states of other classes.
CLASSES = frozenset({"08", "40", "53", "57", "58"})
STATES = frozenset({"25006", "25P03", "55P03"})  # read-only (a failover), idle for too long, a lock not to be had
#: Of these classes: a full disk and a statement that takes too long stay.
LASTING = frozenset({"53100", "57014"})
#: SQLite's codes that pass: the file is locked, or can't be opened for the moment.
CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL})

#: The context of an error in a COPY: `COPY inventory_vm, line 3, column name: "..."`.
_COPIED = re.compile(r"COPY (?P<table>\w+), line \d+, column (?P<column>\w+)")


def passes(error: BaseException) -> bool:
    """Whether an error is the database's, and one that is gone when it is asked again in a moment."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    cause = error.__cause__
    if state := getattr(cause, "sqlstate", None):
        return state in STATES or (state[:2] in CLASSES and state not in LASTING)
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in CODES
    # A connection that breaks, or was closed, has no state.
    return isinstance(error, OperationalError | InterfaceError)


def leave_to_others(error: BaseException) -> bool:
    """Whether the rows still say what is to be done, and whoever comes next does it."""
    return isinstance(error, ShutdownRequested | LeaseLost) or passes(error)


def seeing_others(write: Callable[..., Answer], *args: Any) -> Answer:
    """Run a write again that met what another transaction has just written: what checks its input sees that now.

    What it writes it writes in one transaction, of which nothing is left.
    """
    try:
        return write(*args)
    except IntegrityError:
        return write(*args)


def unforeseen(error: Exception, doing: object) -> str:
    """Log an error that nobody foresaw, and say it in words for a person: never its own, which may have secrets.

    Raises it instead where it is to be left to others.
    """
    if leave_to_others(error):
        raise error
    logger.error("%s failed", doing, exc_info=error)
    return internal_error(described(error))


def described(error: BaseException) -> str:
    """`DataError at name of inventory_vm`: the kind of an error, and where the database says it the column."""
    where = _column(getattr(error.__cause__, "diag", None))
    return f"{type(error).__name__} at {where}" if where else type(error).__name__


def _column(diagnosis: Any) -> str | None:
    """The column that PostgreSQL names, in its error or (of a COPY) in the context of it."""
    if diagnosis is None:
        return None
    if diagnosis.table_name:
        named = diagnosis.column_name or diagnosis.constraint_name
        return f"{named} of {diagnosis.table_name}" if named else str(diagnosis.table_name)
    if found := _COPIED.match(diagnosis.context or ""):
        return f"{found['column']} of {found['table']}"
    return None
