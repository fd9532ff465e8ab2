"""Which errors of the database pass, and what is said of the others."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.db.utils import InternalError

from inventory.db.bulk import copy_rows
from inventory.faults import described, passes
from inventory.models import CloudTenant, Vm
from tests.cast import Cast


def caused(error: Exception, **attributes: Any) -> Exception:
    """An error of Django with its cause, which has these attributes."""
    error.__cause__ = type("Cause", (Exception,), attributes)()
    return error


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("the connection is closed"),
        InterfaceError("connection already closed"),
        caused(OperationalError(), sqlstate="08006"),
        caused(OperationalError(), sqlstate="40001"),
        caused(OperationalError(), sqlstate="40P01"),
        caused(OperationalError(), sqlstate="53300"),
        caused(OperationalError(), sqlstate="55P03"),
        caused(OperationalError(), sqlstate="57P01"),
        caused(InternalError(), sqlstate="25006"),
        caused(OperationalError(), sqlstate=None),
        caused(OperationalError(), sqlite_errorcode=sqlite3.SQLITE_BUSY),
        caused(OperationalError(), sqlite_errorcode=sqlite3.SQLITE_BUSY_SNAPSHOT),
        caused(OperationalError(), sqlite_errorcode=sqlite3.SQLITE_CANTOPEN),
    ],
)
def test_it_passes(error: Exception) -> None:
    assert passes(error)


@pytest.mark.parametrize(
    "error",
    [
        DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
        DatabaseError(),
        IntegrityError(),
        caused(DataError(), sqlstate="22001"),
        caused(OperationalError(), sqlstate="53100"),
        caused(OperationalError(), sqlstate="57014"),
        caused(OperationalError(), sqlite_errorcode=sqlite3.SQLITE_ERROR),
        caused(OperationalError(), sqlite_errorcode=sqlite3.SQLITE_FULL),
        ValueError(),
        ConnectionResetError(),
    ],
)
def test_it_comes_back_each_time(error: Exception) -> None:
    assert not passes(error)


def test_what_a_database_really_raises(cast: Cast) -> None:
    with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM nowhere")
    assert not passes(raised.value)
    with pytest.raises(IntegrityError) as broken, transaction.atomic():
        CloudTenant.objects.create(provider=cast.acme, ems_ref="t-account")
    assert not passes(broken.value)
    assert described(broken.value).startswith("IntegrityError")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite holds texts of any length")
def test_a_column_is_named_where_the_database_names_it(cast: Cast) -> None:
    row = (cast.acme.pk, "i-1", "x" * 300)
    with pytest.raises(DataError) as raised, transaction.atomic():
        copy_rows(Vm, ["provider_id", "ems_ref", "name"], [row])
    assert described(raised.value) == "DataError at name of inventory_vm"
