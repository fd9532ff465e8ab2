"""The guard of events: the database refuses to change or delete them, whoever asks.

Whoever may alter the tables can take the guard away. docs/events.md says what helps against that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inventory.db.triggers import SQLITE_NOW, TriggerOperation, Triggers

#: The table of `inventory.models.EventRetention`.
_RETENTION = "inventory_eventretention"
REFUSAL = "Events are never changed, nor deleted before they are as old as the retention says."

#: PostgreSQL's function. A count grows within its hour, by a clock that may be behind this one. `max` is null
#: without a row, and nothing is younger than that.
_GUARD = """
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
"""
#: When SQLite refuses: the same, and an INSERT that would replace an event, without any other trigger.
_INSERTED = "EXISTS (SELECT 1 FROM {events} WHERE id = NEW.id OR counted_as = NEW.counted_as)"
_UPDATED = """
    NOT ({same} AND NEW.count > OLD.count AND OLD.counted_as IS NOT NULL
        AND OLD.timestamp > strftime('%Y-%m-%d %H:%M:%f', 'now', '-75 minutes'))
"""
_DELETED = """
    NOT coalesce(OLD.timestamp < (
        SELECT strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || max(days) || ' days') FROM {retention}
    ), FALSE)
"""
#: The event of a change of the retention.
_EDITED = """
    INSERT INTO {events} (event_type, timestamp, source, message, count, full_data)
    VALUES ('retention_edited', {now}, 'PORTCULLIS', 'The days that events are kept are now ' || NEW.days, 1,
        {object}('before', {object}('days', {before}), 'after', {object}('days', NEW.days)))
"""


class GuardEvents(TriggerOperation):
    """Refuse to change events, but for a count that grows within its hour, and to delete young ones.

    `columns` are all those of an event. How long they are kept is in a table of its own. Its changes leave events.
    """

    def __init__(self, model: str, columns: Sequence[str]) -> None:
        super().__init__(model)
        self.columns = columns

    def create(self, vendor: str, table: str) -> Iterator[str]:
        yield from self.drop(vendor, table)
        yield from self._on_postgresql(table) if vendor == "postgresql" else self._on_sqlite(table)

    def _on_postgresql(self, table: str) -> Iterator[str]:
        guard, edited = Triggers(table, "guard"), Triggers(_RETENTION, "events")
        yield guard.function(_GUARD.format(refusal=REFUSAL, retention=_RETENTION))
        for event, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            yield f"""
                CREATE TRIGGER {guard.name}_{each.lower()} BEFORE {event} ON {table}
                FOR EACH {each} EXECUTE FUNCTION {guard.name}()
            """
        insert = _EDITED.format(
            events=table, now="clock_timestamp()", object="jsonb_build_object", before="before"
        )
        yield edited.function(f"{insert};", "before int := CASE TG_OP WHEN 'UPDATE' THEN OLD.days END;")
        yield f"""
            CREATE TRIGGER {edited.name} AFTER INSERT OR UPDATE ON {_RETENTION}
            FOR EACH ROW EXECUTE FUNCTION {edited.name}()
        """

    def _on_sqlite(self, table: str) -> Iterator[str]:
        guard, edited = Triggers(table, "guard"), Triggers(_RETENTION, "events")
        same = " AND ".join(f'NEW."{name}" IS OLD."{name}"' for name in self.columns if name != "count")
        refuse = f"SELECT RAISE(ABORT, '{REFUSAL}')"
        yield guard.on_sqlite("INSERT", refuse, when=_INSERTED.format(events=table), time="BEFORE")
        yield guard.on_sqlite("UPDATE", refuse, when=_UPDATED.format(same=same), time="BEFORE")
        yield guard.on_sqlite("DELETE", refuse, when=_DELETED.format(retention=_RETENTION), time="BEFORE")
        for event, before in (("INSERT", "NULL"), ("UPDATE", "OLD.days")):
            insert = _EDITED.format(events=table, now=SQLITE_NOW, object="json_object", before=before)
            yield edited.on_sqlite(event, insert)

    def drop(self, vendor: str, table: str) -> Iterator[str]:
        for triggers in (Triggers(table, "guard"), Triggers(_RETENTION, "events")):
            yield from triggers.dropped(vendor)

    def describe(self) -> str:
        return "Refuse changes of events"
