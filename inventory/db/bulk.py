"""Bulk writes: COPY and arrays on PostgreSQL, prepared statements elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

import orjson
from django.db import connection, models
from django.db.models.expressions import RawSQL
from django.utils import timezone

Item = TypeVar("Item")
#: The values of a row's fields, in their order.
Values = Sequence[Any]

#: Rows or keys in one statement. Every version of SQLite allows three times as many.
BATCH = 10_000


def copy_rows(model: type[models.Model], field_names: Sequence[str], rows: Iterable[Values]) -> None:
    """Insert rows of values for these fields (ids for foreign keys). Other fields get their defaults.

    Rows are streamed, and no signals are sent. Raises the same errors as an INSERT. Does nothing without rows.
    """
    rows = iter(rows)
    if (first := next(rows, None)) is None:
        return
    named_fields: list[Any] = [model._meta.get_field(name) for name in field_names]
    default_fields, complete = _completion(model, named_fields)
    fields = [*named_fields, *default_fields]
    rows = _adapted(fields, map(complete, chain([first], rows)))
    with connection.wrap_database_errors, connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {_columns(model, fields)} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        insert = f"INSERT INTO {_columns(model, fields)} VALUES ({', '.join(['%s'] * len(fields))})"  # nosec B608  # noqa: S608 - only names of columns and tables are put in
        for batch in batches(rows):
            cursor.executemany(insert, batch)


def update_rows(model: type[models.Model], field_names: Sequence[str], rows: Iterable[Values]) -> None:
    """Set these fields of existing rows. Each of `rows` is a primary key and the values.

    Sets fields with `auto_now`, as `save` does.
    """
    stamped = [field for field in model._meta.concrete_fields if getattr(field, "auto_now", False)]
    fields: list[Any] = [model._meta.pk, *(model._meta.get_field(name) for name in field_names), *stamped]
    timestamps = [timezone.now()] * len(stamped)
    update = _update_from_arrays if connection.vendor == "postgresql" else _update_one_by_one
    with connection.cursor() as cursor:
        for batch in batches(_adapted(fields, ((*row, *timestamps) for row in rows))):
            update(cursor, model._meta.db_table, fields, batch)


def new_ids(model: type[models.Model], count: int) -> Sequence[int]:
    """Reserve this many values of the automatic field `id`.

    SQLite can't reserve keys, so there they are only valid until the next call or the end of the transaction.
    """
    table = model._meta.db_table
    if not count:
        return []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            series = "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)"
            cursor.execute(series, [table, "id", count])
            return [pk for (pk,) in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        [last_id] = cursor.fetchone() or [0]
        return range(last_id + 1, last_id + 1 + count)


def among(keys: Iterable[int]) -> RawSQL:
    """For `pk__in`: passes thousands of keys as one parameter, because each separate one takes time."""
    if connection.vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::bigint[])", [list(keys)])
    return RawSQL("SELECT value FROM json_each(%s)", [orjson.dumps(list(keys)).decode()])


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in lists of at most `BATCH`."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def analyze(*models: type[models.Model]) -> None:
    """Update PostgreSQL's statistics. Outside a transaction, also vacuum the tables, for index-only scans.

    Otherwise PostgreSQL plans with old statistics until autovacuum runs, which is once a minute at most.
    """
    if connection.vendor != "postgresql":
        return
    command = "ANALYZE" if connection.in_atomic_block else "VACUUM (ANALYZE)"
    tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in models)
    with connection.cursor() as cursor:
        cursor.execute(f"{command} {tables}")


def _columns(model: type[models.Model], fields: Iterable[Any]) -> str:
    quote = connection.ops.quote_name
    return f"{quote(model._meta.db_table)} ({', '.join(quote(field.column) for field in fields)})"


def _completion(model: type[models.Model], fields: Sequence[Any]) -> tuple[list[Any], Callable[[Values], Values]]:
    """The other fields that have values in a new row, and a function that appends their values to a row."""
    blank = model()
    other_fields = [
        field for field in model._meta.concrete_fields if field not in fields and not field.primary_key
    ]
    generated = [field for field in other_fields if field.has_default() and callable(field.default)]
    values = {field: field.pre_save(blank, add=True) for field in other_fields if field not in generated}
    constant = {field: value for field, value in values.items() if value is not None}

    constant_values = tuple(constant.values())

    def complete(row: Values) -> Values:
        return (*row, *constant_values, *[field.get_default() for field in generated])

    return [*constant, *generated], complete if constant or generated else tuple


def _adapted(fields: Sequence[Any], rows: Iterable[Values]) -> Iterator[Values]:
    """Convert the values for the database. On PostgreSQL, most need no conversion."""
    differing = [(index, _conversion(field)) for index, field in enumerate(fields) if _differs(field)]

    def adapted(row: Values) -> Values:
        values = list(row)
        for index, convert in differing:
            values[index] = convert(values[index])
        return values

    return map(adapted, rows) if differing else iter(rows)


def _conversion(field: Any) -> Callable[[Any], Any]:
    if connection.vendor == "postgresql" and type(field) is models.JSONField and field.encoder is None:
        return _json  # faster than Django's, with the same result in jsonb
    return partial(field.get_db_prep_save, connection=connection)


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _differs(field: Any) -> bool:
    """Whether the database may store a different value. On PostgreSQL, only fields with a conversion do."""
    return connection.vendor != "postgresql" or hasattr(field, "from_db_value")


def _update_from_arrays(cursor: Any, table: str, fields: Sequence[Any], rows: Sequence[Values]) -> None:
    """Pass each field's values as an array. The type has no length, because a cast to one would truncate."""
    quote = connection.ops.quote_name
    arrays = ", ".join(f"%s::{field.db_type(connection).partition('(')[0]}[]" for field in fields)
    key, *columns = (quote(field.column) for field in fields)
    cursor.execute(
        f"UPDATE {quote(table)} SET {', '.join(f'{column} = new.{column}' for column in columns)}"  # nosec B608  # noqa: S608 - only names of columns and tables are put in
        f" FROM unnest({arrays}) AS new ({', '.join([key, *columns])}) WHERE {quote(table)}.{key} = new.{key}",
        [list(values) for values in zip(*rows, strict=True)],
    )


def _update_one_by_one(cursor: Any, table: str, fields: Sequence[Any], rows: Sequence[Values]) -> None:
    quote = connection.ops.quote_name
    key, *columns = (quote(field.column) for field in fields)
    cursor.executemany(
        f"UPDATE {quote(table)} SET {', '.join(f'{column} = %s' for column in columns)} WHERE {key} = %s",  # nosec B608  # noqa: S608 - only names of columns and tables are put in
        [(*values, pk) for pk, *values in rows],
    )
