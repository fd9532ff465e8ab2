"""Additional lookups. Importing this module registers them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import CharField, Field, ForeignObject, Lookup, Model, TextField

from inventory.db.statements import adapt_param


@dataclass(frozen=True, slots=True)
class Numbers:
    """The values of `among`; opaque, so that Django does not process each of them."""

    numbers: Iterable[int]


@dataclass(frozen=True, slots=True)
class Texts:
    """The same for text."""

    texts: Collection[str]


@ForeignObject.register_lookup  # which does not have those of every field
@Field.register_lookup
class Among(Lookup[Any]):
    """`pk__among=Numbers(...)` is `pk__in` with one parameter however many they are, `name__among=Texts(...)` too.

    Django prepares, and the database parses, each parameter of an `in` on its own.
    """

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        items = "(SELECT value FROM json_each(%s))"
        return f"{lhs} IN {items}", (*params, adapt_param(self.rhs, _as_json))

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        kind = "text" if isinstance(self.lhs.output_field, CharField | TextField) else "bigint"
        return f"{lhs} = ANY(%s::{kind}[])", (*params, adapt_param(self.rhs, _as_array))


@ForeignObject.register_lookup
@Field.register_lookup
class Connected(Lookup[Any]):
    """`provider__connected=True` leaves out what is of a provider whose deletion was accepted.

    The database asks once whether there is any such provider, which is rare, and else looks at no row's.
    """

    lookup_name = "connected"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any, among: str = "NOT IN (%s)") -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        providers, rows = _deleted(apps.get_model("inventory", "Provider")), _deleted(self._owner)
        return f"(NOT EXISTS ({providers}) OR {lhs} {among % rows})", tuple(params)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """As an array where they are few: the planner counts what NOT IN asks again for each row that it joins."""
        are_few = self._owner._meta.label_lower == "inventory.provider"
        return self.as_sql(compiler, connection, **({"among": "<> ALL (ARRAY(%s))"} if are_few else {}))

    @property
    def _owner(self) -> type[Model]:
        """The model of which the left side has a key."""
        key = self.lhs.target
        owner: type[Model] = key.related_model or key.model
        return owner


@cache
def _deleted(model: type[Model]) -> str:
    """What finds the ids of those rows of a model that only wait to be deleted."""
    rows: Any = model._default_manager
    return str(rows.deleted().order_by().values("pk").query)


def _as_json(operand: Numbers | Texts) -> str:
    return json.dumps(list(operand.texts) if isinstance(operand, Texts) else list(operand.numbers))


def _as_array(operand: Numbers | Texts) -> Any:
    return list(operand.texts) if isinstance(operand, Texts) else f"{{{','.join(map(str, operand.numbers))}}}"
