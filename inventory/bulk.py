"""Many rows at once: by COPY on PostgreSQL, by prepared statements elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.db import connection, models

#: Rows that are held where they can't be streamed: Django looks at the first and keeps the rest for it.
BATCH = 1000
#: Makes of a value of Python what the database takes.
_Prepare = Callable[[Any], Any]


def copy_rows(model: type[models.Model], field_names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows, each the values of these fields (of a foreign key the id); those not named are null.

    They are streamed, never held. No signal is sent and no default of the model is put in. Raises what an INSERT
    would.
    """
    fields: list[Any] = [model._meta.get_field(name) for name in field_names]
    if connection.vendor == "postgresql":
        prepared = _prepared(rows, {at: _preparing(field) for at, field in enumerate(fields) if _differs(field)})
        with connection.cursor() as cursor, cursor.copy(f"COPY {_columns(model, fields)} FROM STDIN") as copy:
            for row in prepared:
                copy.write_row(row)
        return
    prepared = _prepared(rows, {at: _preparing(field) for at, field in enumerate(fields)})
    insert = f"INSERT INTO {_columns(model, fields)} VALUES ({', '.join(['%s'] * len(fields))})"  # noqa: S608
    with connection.cursor() as cursor:
        while batch := list(islice(prepared, BATCH)):
            cursor.executemany(insert, batch)


def new_ids(model: type[models.Model], count: int) -> Sequence[int]:
    """So many keys of the automatic field `id`, which no row has or will be given.

    On SQLite, where only a row takes its key, that holds until the end of the transaction or the next call.
    """
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            series = "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)"
            cursor.execute(series, [table, "id", count])
            return [pk for (pk,) in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        [last] = cursor.fetchone() or [0]
        return range(last + 1, last + 1 + count)


def analyze(*models: type[models.Model]) -> None:
    """Tell PostgreSQL what its tables now hold; outside a transaction also that all may see it.

    Until then it plans for what was there before, and autovacuum comes by only once a minute.
    """
    if connection.vendor != "postgresql":
        return
    what = "ANALYZE" if connection.in_atomic_block else "VACUUM (ANALYZE)"
    tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in models)
    with connection.cursor() as cursor:
        cursor.execute(f"{what} {tables}")


def _columns(model: type[models.Model], fields: Iterable[Any]) -> str:
    quote = connection.ops.quote_name
    return f"{quote(model._meta.db_table)} ({', '.join(quote(field.column) for field in fields)})"


def _differs(field: Any) -> bool:
    """Whether the database holds another value than Python: then the field also says how to read it back."""
    return hasattr(field, "from_db_value")


def _preparing(field: Any) -> _Prepare:
    return lambda value: field.get_db_prep_save(value, connection)


def _prepared(rows: Iterable[Sequence[Any]], preparing: dict[int, _Prepare]) -> Iterator[Sequence[Any]]:
    if not preparing:
        yield from rows
        return
    for row in rows:
        values = list(row)
        for at, prepare in preparing.items():
            values[at] = prepare(values[at])
        yield values
