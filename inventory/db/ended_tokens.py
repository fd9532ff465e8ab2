"""Tokens end for good when the password of their user changes, or their user is deactivated.

A trigger deletes them, because users are changed in many ways: on pages, by commands, by updates without signals.
"""

from __future__ import annotations

from collections.abc import Iterable

from inventory.db.triggers import TriggerOperation

_NAME = "end_tokens"
_ENDED = "OLD.password <> NEW.password OR (OLD.is_active AND NOT NEW.is_active)"


class EndTokens(TriggerOperation):
    """Deletes the rows of a model with a `user` when the user's tokens end."""

    def create(self, vendor: str, table: str) -> Iterable[str]:
        yield from self.drop(vendor, table)
        delete = f"DELETE FROM {table} WHERE user_id = NEW.id"  # nosec B608  # noqa: S608 - no input
        when = f"AFTER UPDATE OF password, is_active ON auth_user FOR EACH ROW WHEN ({_ENDED})"
        if vendor == "postgresql":
            body = f"BEGIN {delete}; RETURN NULL; END"
            yield f"CREATE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"
            yield f"CREATE TRIGGER {_NAME} {when} EXECUTE FUNCTION {_NAME}()"
        else:
            yield f"CREATE TRIGGER {_NAME} {when} BEGIN {delete}; END"

    def drop(self, vendor: str, table: str) -> Iterable[str]:
        if vendor == "postgresql":
            yield f"DROP TRIGGER IF EXISTS {_NAME} ON auth_user"
            yield f"DROP FUNCTION IF EXISTS {_NAME}()"
        else:
            yield f"DROP TRIGGER IF EXISTS {_NAME}"
