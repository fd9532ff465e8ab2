"""The guard of events: the database refuses to change or delete them, whoever asks.

Whoever may alter the tables can take the guard away. docs/events.md says what helps against that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inventory.db.triggers import TriggerOperation

#: The table of `inventory.models.EventRetention`.
_RETENTION = "inventory_eventretention"
#: SQLite's time, as Django stores it.
_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
REFUSAL = "Events are never changed, nor deleted before they are as old as the retention says."

#: PostgreSQL's functions and triggers. A count grows within its hour, by a clock that may be behind this one.
#: `max` is null without a row, and nothing is younger than that.
_POSTGRESQL = (
    """
    CREATE FUNCTION {events}_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF to_jsonb(NEW) - 'count' = to_jsonb(OLD) - 'count' AND NEW.count > OLD.count
                AND OLD.counted_as IS NOT NULL AND OLD.timestamp > clock_timestamp() - interval '75 minutes' THEN
                RETURN NEW;
            END IF;
        ELSIF TG_OP = 'DELETE' THEN
            IF OLD.timestamp < clock_timestamp() - make_interval(days => (SELECT max(days) FROM {retention})) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION '{refusal}' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    """
    CREATE TRIGGER {events}_guard BEFORE UPDATE OR DELETE ON {events}
    FOR EACH ROW EXECUTE FUNCTION {events}_guard()
    """,
    """
    CREATE TRIGGER {events}_guard_truncate BEFORE TRUNCATE ON {events}
    FOR EACH STATEMENT EXECUTE FUNCTION {events}_guard()
    """,
    """
    CREATE FUNCTION {retention}_events() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE before int := CASE TG_OP WHEN 'UPDATE' THEN OLD.days END;
    BEGIN
        INSERT INTO {events} (event_type, timestamp, source, message, count, full_data)
        VALUES ('retention_edited', clock_timestamp(), 'PORTCULLIS', '{kept}' || NEW.days, 1, jsonb_build_object(
            'before', jsonb_build_object('days', before), 'after', jsonb_build_object('days', NEW.days)));
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER {retention}_events AFTER INSERT OR UPDATE ON {retention}
    FOR EACH ROW EXECUTE FUNCTION {retention}_events()
    """,
)
#: SQLite's triggers. Without that before an INSERT, REPLACE would delete an event without any trigger.
_SQLITE = (
    """
    CREATE TRIGGER {events}_guard_insert BEFORE INSERT ON {events}
    WHEN EXISTS (SELECT 1 FROM {events} WHERE id = NEW.id OR counted_as = NEW.counted_as)
    BEGIN SELECT RAISE(ABORT, '{refusal}'); END
    """,
    """
    CREATE TRIGGER {events}_guard_update BEFORE UPDATE ON {events}
    WHEN NOT ({same} AND NEW.count > OLD.count AND OLD.counted_as IS NOT NULL
        AND OLD.timestamp > strftime('%Y-%m-%d %H:%M:%f', 'now', '-75 minutes'))
    BEGIN SELECT RAISE(ABORT, '{refusal}'); END
    """,
    """
    CREATE TRIGGER {events}_guard_delete BEFORE DELETE ON {events}
    WHEN NOT coalesce(OLD.timestamp < (
        SELECT strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || max(days) || ' days') FROM {retention}
    ), FALSE)
    BEGIN SELECT RAISE(ABORT, '{refusal}'); END
    """,
    """
    CREATE TRIGGER {retention}_events_insert AFTER INSERT ON {retention} BEGIN
        INSERT INTO {events} (event_type, timestamp, source, message, count, full_data)
        VALUES ('retention_edited', {now}, 'PORTCULLIS', '{kept}' || NEW.days, 1,
            json_object('before', json_object('days', NULL), 'after', json_object('days', NEW.days)));
    END
    """,
    """
    CREATE TRIGGER {retention}_events_update AFTER UPDATE ON {retention} BEGIN
        INSERT INTO {events} (event_type, timestamp, source, message, count, full_data)
        VALUES ('retention_edited', {now}, 'PORTCULLIS', '{kept}' || NEW.days, 1,
            json_object('before', json_object('days', OLD.days), 'after', json_object('days', NEW.days)));
    END
    """,
)
_KEPT = "The days that events are kept are now "


class GuardEvents(TriggerOperation):
    """Refuse to change events, but for a count that grows within its hour, and to delete young ones.

    `columns` are all those of an event. How long they are kept is in a table of its own. Its changes leave events.
    """

    def __init__(self, model: str, columns: Sequence[str]) -> None:
        super().__init__(model)
        self.columns = columns

    def create(self, vendor: str, table: str) -> Iterator[str]:
        yield from self.drop(vendor, table)
        same = " AND ".join(f'NEW."{name}" IS OLD."{name}"' for name in self.columns if name != "count")
        names = {"events": table, "retention": _RETENTION, "refusal": REFUSAL, "kept": _KEPT, "now": _NOW}
        for statement in _POSTGRESQL if vendor == "postgresql" else _SQLITE:
            yield statement.format(same=same, **names)

    def drop(self, vendor: str, table: str) -> Iterator[str]:
        if vendor == "postgresql":
            yield f"DROP FUNCTION IF EXISTS {table}_guard CASCADE"
            yield f"DROP FUNCTION IF EXISTS {_RETENTION}_events CASCADE"
        else:
            yield from (
                f"DROP TRIGGER IF EXISTS {table}_guard_{event}" for event in ("insert", "update", "delete")
            )
            yield from (f"DROP TRIGGER IF EXISTS {_RETENTION}_events_{event}" for event in ("insert", "update"))

    def describe(self) -> str:
        return "Refuse changes of events"
