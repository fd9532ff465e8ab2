"""Events that triggers write, whoever writes the rows that they tell of.

Who causes the writes of a transaction, and why, is set by `because`. The triggers read it: from a setting of the
transaction on PostgreSQL, and on SQLite, which has one writer at a time, from the only row of a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import connection
from django.db.transaction import TransactionManagementError

from inventory.db.triggers import SQLITE_NOW, TriggerOperation, Triggers

#: The table of `inventory.models.EventStream`.
_EVENTS = "inventory_eventstream"
#: SQLite's table for the cause, and PostgreSQL's setting.
_CAUSE, _SETTING = "inventory_cause", "portcullis.cause"


@dataclass(frozen=True, slots=True)
class Cause:
    """Who causes a write, and why. `NOBODY` stands for whoever writes without saying so."""

    source: str = "REFRESH"
    username: str | None = None
    group: str | None = None
    address: str | None = None
    request_id: str | None = None
    task_id: int | None = None
    #: The causes of some rows, where they are others, by what `RecordEvents.key` makes of a row.
    of_rows: Mapping[str, Cause] = field(default_factory=dict)
    #: Whether the rows leave events. They don't where one event tells of them all.
    is_recorded: bool = True

    def attributes(self) -> dict[str, Any]:
        """What an event has of it."""
        return {name: getattr(self, name) for name in ("source", *_OF_CAUSE)}


NOBODY = Cause()
UNRECORDED = Cause(is_recorded=False)

_SET = {
    "postgresql": f"SELECT set_config('{_SETTING}', %s, true)",
    "sqlite": f"INSERT OR REPLACE INTO {_CAUSE} (id, cause) VALUES (1, %s)",  # nosec B608  # noqa: S608 - a name
}


@contextmanager
def because(cause: Cause) -> Iterator[None]:
    """What this transaction writes while the block runs is caused by this.

    Causes don't nest. If the block fails, the transaction is rolled back, and the cause with it.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("A cause is one of a transaction, and there is none.")
    with connection.cursor() as cursor:
        cursor.execute(_SET[connection.vendor], [orjson.dumps(cause).decode()])
        yield
        cursor.execute(_SET[connection.vendor], [orjson.dumps(NOBODY).decode()])


#: SQLite's condition for writes that leave events, the cause as it stands, and that of a row.
_IS_RECORDED = f"coalesce((SELECT json_extract(cause, '$.is_recorded') FROM {_CAUSE}), 1)"  # nosec B608  # noqa: S608
_WHOLE_CAUSE = f"(SELECT cause FROM {_CAUSE})"  # nosec B608  # noqa: S608 - only the name of a table is put in
_CAUSE_OF_ROW = f"(SELECT value FROM {_CAUSE}, json_each(cause, '$.of_rows') WHERE json_each.key = {{key}})"  # nosec B608  # noqa: S608
#: Writes the events of `{rows}`.
_INSERT = """
    INSERT INTO {events} (event_type, timestamp, source, {of_cause}, {of_row}, count, full_data)
    SELECT '{event_type}', {moment}, {causes}, {of_row}, 1, {data}
    FROM (SELECT {cause} AS cause, {row} AS data, {values} FROM {rows} AS written {joins}) AS found
"""
#: What an event has of its cause beside the source, with the type of its value.
_OF_CAUSE = {"username": "text", "group": "text", "address": "text", "request_id": "text", "task_id": "bigint"}
_OF_ROW = ("message", "ems_id", "cloud_tenant_id", "vm_or_template_id", "security_group_id")
#: PostgreSQL knows nothing of the rows that a statement wrote. It would read whole tables for a few names.
_BY_INDEX = "SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off"
_NULL = "CAST(NULL AS bigint)"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class RecordEvents(TriggerOperation):
    """Write an event for each row of a model that is inserted or deleted, or in which one of `watched` changes.

    `created` and `deleted` are the types of events. Without `created`, only deletions leave one. A change is of
    type `edited`, or if there is none, it is the deletion of what was before and the creation of what is now.
    `columns` are those of the row that `full_data` has. In SQL, `written` is the row, and `joins` brings other
    tables. `names` are added to `full_data`. `message` is that of each type; its placeholders are `columns` and
    `names`, or have SQL in `texts`. `ids` has the SQL for the event's own columns. `key` is the SQL for the key
    of a row in `Cause.of_rows`.
    """

    def __init__(
        self,
        model: str,
        *,
        created: str = "",
        deleted: str,
        messages: Mapping[str, str],
        columns: Sequence[str],
        ids: Mapping[str, str],
        edited: str | None = None,
        watched: Sequence[str] = (),
        flags: Sequence[str] = (),
        joins: str = "",
        names: Mapping[str, str] | None = None,
        texts: Mapping[str, str] | None = None,
        key: str = "",
    ) -> None:
        super().__init__(model)
        self.created, self.deleted, self.edited = created, deleted, edited
        self.messages, self.columns, self.ids = messages, columns, ids
        self.watched, self.flags, self.joins = watched, flags, joins
        self.names, self.texts, self.key = names or {}, texts or {}, key

    def create(self, vendor: str, table: str) -> Iterator[str]:
        triggers = Triggers(table, "events")
        yield from self.drop(vendor, table)
        sql = _Sql(self, vendor)
        if vendor == "postgresql":
            whole = {"DELETE": sql.deletion("changed")}
            if self.created:
                whole["INSERT"] = sql.creation("changed")
            all_events = {**whole, "UPDATE": sql.change()} if self.watched else whole
            cases = " ".join(f"WHEN '{event}' THEN {insert};" for event, insert in all_events.items())
            body = f"""
                IF NOT coalesce((cause->>'is_recorded')::boolean, true) THEN RETURN NULL; END IF;
                CASE TG_OP {cases} END CASE;
            """
            declare = f"""
                cause jsonb := coalesce(nullif(current_setting('{_SETTING}', true), '')::jsonb, '{{}}');
                moment timestamptz := clock_timestamp();
            """
            yield triggers.function(body, declare, _BY_INDEX)
            yield from triggers.for_statements(*whole)
            if self.watched:
                yield triggers.for_updates_of(self.watched)
        else:
            yield f"CREATE TABLE IF NOT EXISTS {_CAUSE} (id integer PRIMARY KEY, cause text NOT NULL)"
            if self.created:
                yield triggers.on_sqlite("INSERT", sql.creation(sql.row("NEW")), when=_IS_RECORDED)
            yield triggers.on_sqlite("DELETE", sql.deletion(sql.row("OLD")), when=_IS_RECORDED)
            if self.watched:
                yield triggers.on_sqlite("UPDATE", sql.change(), self.watched, when=_IS_RECORDED)

    def drop(self, vendor: str, table: str) -> Iterator[str]:
        return Triggers(table, "events").dropped(vendor)

    def describe(self) -> str:
        return f"Record events of {self.model}"


def _quoted(name: str) -> str:
    return f'"{name}"'


class _Sql:
    """The statements that write the events of one table."""

    def __init__(self, recorded: RecordEvents, vendor: str) -> None:
        self.recorded, self.vendor = recorded, vendor
        self.is_postgresql = vendor == "postgresql"

    def creation(self, rows: str) -> str:
        return self._insert(self.recorded.created, rows, before="NULL", after=self._json("data"))

    def deletion(self, rows: str) -> str:
        return self._insert(self.recorded.deleted, rows, before=self._json("data"), after="NULL")

    def change(self) -> str:
        old, new = self.row("OLD"), self.row("NEW")
        if self.recorded.edited:
            before = self._object("OLD")
            return self._insert(self.recorded.edited, new, before=before, after=self._json("data"))
        return f"{self.deletion(old)}; {self.creation(new)}"

    def row(self, version: str) -> str:
        """The columns of a row in a trigger for each row."""
        used = {*self.recorded.columns, *self.recorded.watched, *self._used()}
        return f"(SELECT {', '.join(f'{version}.{column} AS {column}' for column in sorted(used))})"

    def _used(self) -> set[str]:
        """The other columns of the row that the SQL names."""
        recorded = self.recorded
        pieces = [recorded.ids, recorded.names, recorded.texts, {"": recorded.joins + recorded.key}]
        return set(re.findall(r"\bwritten\.(\w+)", " ".join(sql for piece in pieces for sql in piece.values())))

    def _insert(self, event_type: str, rows: str, *, before: str, after: str) -> str:
        recorded = self.recorded
        of_row = {**dict.fromkeys(_OF_ROW, _NULL), **recorded.ids, "message": self._message(event_type)}
        causes = [f"coalesce({self._of_cause('source')}, '{NOBODY.source}')", *map(self._of_cause, _OF_CAUSE)]
        return _INSERT.format(
            events=_EVENTS,
            event_type=event_type,
            of_cause=", ".join(map(_quoted, _OF_CAUSE)),
            of_row=", ".join(_OF_ROW),
            moment="moment" if self.is_postgresql else SQLITE_NOW,
            causes=", ".join(causes),
            data=f"{self._build}('before', {before}, 'after', {after})",
            cause=self._cause(),
            row=self._object("written", recorded.names),
            values=", ".join(f"{of_row[name]} AS {name}" for name in _OF_ROW),
            rows=rows,
            joins=recorded.joins,
        )

    def _cause(self) -> str:
        key = self.recorded.key
        if self.is_postgresql:
            return f"coalesce(cause->'of_rows'->({key}), cause)" if key else "cause"
        return f"coalesce({_CAUSE_OF_ROW.format(key=key)}, {_WHOLE_CAUSE})" if key else _WHOLE_CAUSE

    def _of_cause(self, name: str) -> str:
        if self.is_postgresql:
            return f"(found.cause->>'{name}')::{_OF_CAUSE.get(name, 'text')}"
        return f"json_extract(found.cause, '$.{name}')"

    def _json(self, text: str) -> str:
        return text if self.is_postgresql else f"json({text})"

    @property
    def _build(self) -> str:
        return "jsonb_build_object" if self.is_postgresql else "json_object"

    def _object(self, version: str, names: Mapping[str, str] | None = None) -> str:
        """A row as JSON. Ids are text, as in answers."""
        values = {column: self._value(f"{version}.{column}", column) for column in self.recorded.columns}
        pairs = ", ".join(f"'{name}', {value}" for name, value in {**values, **(names or {})}.items())
        return f"{self._build}({pairs})"

    def _value(self, sql: str, column: str) -> str:
        if column == "id" or column.endswith("_id"):
            return f"CAST({sql} AS text)"
        if column in self.recorded.flags and not self.is_postgresql:
            return f"json(CASE {sql} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END)"
        return sql

    def _message(self, event_type: str) -> str:
        parts = []
        recorded = self.recorded
        for position, part in enumerate(_PLACEHOLDER.split(recorded.messages[event_type])):
            if position % 2 == 0:
                parts.append("'{}'".format(part.replace("'", "''")))
            else:
                sql = recorded.texts.get(part) or recorded.names.get(part) or f"written.{part}"
                parts.append(f"coalesce({sql}, '?')")
        return " || ".join(parts)
