"""Lookups that Django doesn't have; importing this registers them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Field, ForeignObject, Lookup


@dataclass(frozen=True, slots=True)
class Numbers:
    """What `among` compares with; opaque, so that Django does not look at each of a thousand."""

    numbers: Iterable[int]


@ForeignObject.register_lookup  # which does not have those of every field
@Field.register_lookup
class Among(Lookup[Any]):
    """`pk__among=Numbers(...)` is `pk__in` with one parameter however many they are.

    Django prepares, and the database parses, each parameter of an `in` on its own.
    """

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, parameters = self.process_lhs(compiler, connection)
        numbers = "(SELECT value FROM json_each(%s))"
        return f"{left} IN {numbers}", (*parameters, f"[{self._joined}]")

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} = ANY(%s::bigint[])", (*parameters, f"{{{self._joined}}}")

    @property
    def _joined(self) -> str:
        return ",".join(map(str, self.rhs.numbers))
