"""Additional lookups. Importing this module registers them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from django.apps import apps
from django.db.models import CharField, Field, ForeignObject, Lookup, Model, TextField

from inventory.db.statements import adapt_param


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers for `among`. Django treats them as one value and doesn't process each."""

    numbers: Iterable[int]


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts for `among`."""

    texts: Collection[str]


@ForeignObject.register_lookup  # which doesn't inherit the lookups of `Field`
@Field.register_lookup
class Among(Lookup[Any]):
    """`pk__among=Numbers(...)` is `pk__in` with a single parameter, and `name__among=Texts(...)` is `name__in`.

    With `in`, Django prepares each value and the database parses each parameter.
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


@Field.register_lookup
class AmongRare(Among):
    """`among` for numbers of which few rows have each, though many have some of them beside other conditions.

    PostgreSQL is not told the numbers when it plans: it would multiply how many rows have them by how many fulfil
    the other conditions, and those are seldom independent.
    """

    lookup_name = "among_rare"

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} = ANY(ARRAY(SELECT unnest(%s::bigint[])))", (*params, adapt_param(self.rhs, _as_array))


@ForeignObject.register_lookup
@Field.register_lookup
class Connected(Lookup[Any]):
    """`provider__connected=True` excludes rows of providers whose deletion was accepted.

    The database first checks once whether there is such a provider, which is rare. If not, it checks no rows.
    """

    lookup_name = "connected"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any, among: str = "NOT IN (%s)") -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        providers, rows = _deleted(apps.get_model("inventory", "Provider")), _deleted(self._owner)
        return f"(NOT EXISTS ({providers}) OR {lhs} {among % rows})", tuple(params)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Use an array if the owners are few, because the planner expects NOT IN to run again for each row."""
        are_few = self._owner._meta.label_lower == "inventory.provider"
        return self.as_sql(compiler, connection, **({"among": "<> ALL (ARRAY(%s))"} if are_few else {}))

    @property
    def _owner(self) -> type[Model]:
        """The model that the left side's key belongs to."""
        key = self.lhs.target
        owner: type[Model] = key.related_model or key.model
        return owner


class LinkedAmong(Lookup[Any]):
    """Whether a row (its id) is linked with one of the rows of these ids, by a many-to-many relation."""

    prepare_rhs = False
    #: The model of the links, and its foreign keys to the row and to the others.
    links: ClassVar[str]
    row: ClassVar[str]
    target: ClassVar[str]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        links: Any = apps.get_model(self.links)
        rows = links.objects.filter(**{f"{self.target}__among": self.rhs}).values(self.row)
        sql, linked = rows.query.get_compiler(connection=connection).as_sql()
        return f"{lhs} IN ({sql})", (*params, *linked)


@cache
def _deleted(model: type[Model]) -> str:
    """The SQL for the ids of a model's rows that wait for their deletion."""
    rows: Any = model._default_manager
    return str(rows.deleted().order_by().values("pk").query)


def _as_json(operand: Numbers | Texts) -> str:
    return json.dumps(list(operand.texts) if isinstance(operand, Texts) else list(operand.numbers))


def _as_array(operand: Numbers | Texts) -> Any:
    return list(operand.texts) if isinstance(operand, Texts) else f"{{{','.join(map(str, operand.numbers))}}}"
