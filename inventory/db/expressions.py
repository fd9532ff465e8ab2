"""Comparisons of text that mean the same on every database: bytes on SQLite, and the collation "C" on PostgreSQL.

SQLite's LIKE ignores case, and SQLite has no regular expressions. PostgreSQL sorts text by the language of the
database. The two have no common way to ignore case beyond ASCII.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import re2
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import Func, JSONField, Lookup, Subquery, TextField
from django.dispatch import receiver

from inventory.db.statements import Param, adapt_param

_REGEX, _FOLD = "portcullis_regex", "portcullis_fold"
_FINAL_SIGMA, _SIGMA = "\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"

#: Escapes wildcards.
_FOR_GLOB = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})
_FOR_LIKE = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})


class Like(Lookup[bool]):
    """Whether a text consists of these pieces with anything between them: `("web", "")` matches a prefix."""

    prepare_rhs = False
    rhs: tuple[str, ...] | Param

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} GLOB %s", [*params, adapt_param(self.rhs, _as_glob)]

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} LIKE %s", [*params, adapt_param(self.rhs, _as_like)]


class HasLike(Like):
    """Whether one of the texts in a JSON array consists of these pieces."""

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        sql = f"EXISTS(SELECT 1 FROM json_each({lhs}) AS one WHERE one.value GLOB %s)"  # nosec B608  # noqa: S608 - only SQL that Django compiled is put in
        return sql, [*params, adapt_param(self.rhs, _as_glob)]

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        texts = f"jsonb_array_elements_text({lhs}) AS one(value)"
        sql = f"EXISTS(SELECT 1 FROM {texts} WHERE one.value LIKE %s)"  # nosec B608  # noqa: S608 - only SQL that Django compiled is put in
        return sql, [*params, adapt_param(self.rhs, _as_like)]


class Has(HasLike):
    """Whether a JSON array contains this text."""

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        # False, as elsewhere, and not null if there is no array.
        return f"({lhs} @> %s::jsonb) IS TRUE", [*params, adapt_param(self.rhs, _as_array)]


def _as_array(pieces: Iterable[str]) -> str:
    return json.dumps(list(pieces))


def _as_glob(pieces: Iterable[str]) -> str:
    return "*".join(piece.translate(_FOR_GLOB) for piece in pieces)


def _as_like(pieces: Iterable[str]) -> str:
    return "%".join(piece.translate(_FOR_LIKE) for piece in pieces)


class Regex(Lookup[bool]):
    """Whether a text matches a pattern of `inventory.rest.query.regex`."""

    prepare_rhs = False

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        return f"{_REGEX}(%s, {lhs})", [self.rhs, *params]

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} ~ %s", [*params, self.rhs]


class UuidAsText(Func):
    """A UUID as text, on databases with a UUID type. On others Django converts the stored text."""

    template = "%(expressions)s"
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        return self.as_sql(compiler, connection, template="%(expressions)s::text")


class ByCodePoint(Func):
    """A text that is compared and sorted by code point."""

    output_field = TextField()
    template = "%(expressions)s"

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template='(%(expressions)s COLLATE "C")', **context)


class Folded(Func):
    """A case-folded text, sorted by code point; see `fold`."""

    output_field = TextField()
    function = _FOLD

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        upper = 'upper(%(expressions)s COLLATE "und-x-icu")'
        folded = f"translate(lower({upper}), '{_FINAL_SIGMA}', '{_SIGMA}')"
        return self.as_sql(compiler, connection, template=f'({folded} COLLATE "C")', **context)


def fold(text: str) -> str:
    """Fold the case of a text: Unicode's full mapping up and down, and one sigma for both Greek ones."""
    return text.upper().lower().replace(_FINAL_SIGMA, _SIGMA)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    return re2.compile(pattern, options)


def _found(pattern: str, text: str | None) -> bool | None:
    return None if text is None else _compiled(pattern).search(str(text)) is not None


def _folded(text: str | None) -> str | None:
    return None if text is None else fold(str(text))


@receiver(connection_created)
def give_sqlite_its_functions(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Use RE2, which takes linear time, instead of Python's `re`, which Django registers for SQLite."""
    if connection.vendor == "sqlite":
        connection.connection.create_function(_REGEX, 2, _found, deterministic=True)
        connection.connection.create_function(_FOLD, 1, _folded, deterministic=True)


class Collected(Subquery):
    """The values of a subquery of one column, as a list. It saves a second query."""

    template = "(SELECT json_group_array(%(column)s) FROM (%(subquery)s))"
    output_field = JSONField()

    def as_sql(self, compiler: Any, connection: Any, template: str | None = None, **context: Any) -> Any:
        [column] = list(self.query.selected or {})
        return super().as_sql(compiler, connection, template, column=connection.ops.quote_name(column), **context)

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        return self.as_sql(compiler, connection, template="ARRAY(%(subquery)s)")

    def get_db_converters(self, connection: Any) -> list[Any]:
        return [] if connection.vendor == "postgresql" else [_loaded]


def _loaded(value: str, *_: Any) -> Any:
    return json.loads(value)
