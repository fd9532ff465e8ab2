"""How rows become resources: what a query selects for one shape of a resource, worked out once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import EmptyResultSet
from django.db.models import F, Func, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat
from rest_framework import serializers

from inventory.rest.choosing import Chosen, Sources
from inventory.rest.collections import ToOne
from inventory.rest.serializers import IdField

if TYPE_CHECKING:
    from inventory.rest.selection import Selection
    from inventory.rest.viewsets import CollectionViewSet

Resource = dict[str, Any]
#: Rows in one fetch: a page has at most as many.
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """Where a plain attribute comes from, and how its value is shown."""

    source: str
    is_id: bool
    is_uuid: bool

    @property
    def shown(self) -> str | Combinable:
        """What a query selects for it: the database makes text of an id faster than a loop over the rows."""
        if self.is_id:
            return Cast(F(self.source), TextField())
        return UuidAsText(F(self.source)) if self.is_uuid else self.source


class UuidAsText(Func):
    """A UUID as text where the database has a type for it; elsewhere Django makes a `UUID` of what it keeps."""

    template = "%(expressions)s"
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        return self.as_sql(compiler, connection, template="%(expressions)s::text")


def columns_of(serializer: serializers.Serializer[Any]) -> dict[str, Column]:
    """The plain attributes that a serializer declares."""
    return {
        name: Column(
            str(field.source).replace(".", "__"),
            is_id=isinstance(field, IdField),
            is_uuid=isinstance(field, serializers.UUIDField),
        )
        for name, field in serializer.fields.items()
    }


class Plan:
    """The names of a resource's values, and what a query selects for them.

    Django resolves and compiles what it selects anew for each query, which for a few rows takes longer than
    reading them. Here it has done so once, and the outcome is put into the query that finds the rows. Of a
    to-one relation it is the id.
    """

    def __init__(self, viewset: type[CollectionViewSet], sources: Mapping[str, str | Combinable]) -> None:
        self.names = ("href", "id", *sources)
        self.sources: Sources = (Cast(F("pk"), TextField()), *sources.values())
        rows = viewset.queryset.order_by().values_list(*self.sources)
        compiler = rows.query.get_compiler(rows.db)
        compiler.setup_query()
        selected = [(column, sql, None) for column, sql, alias in compiler.select]  # nothing refers to an alias
        self._select = selected, compiler.klass_info, compiler.annotation_col_map
        self._converters = compiler.get_converters([column for column, *_ in selected])
        self._joins = sum(used > 0 for used in rows.query.alias_refcount.values()) > 1

    @classmethod
    def of(cls, viewset: type[CollectionViewSet], selection: Selection) -> Plan:
        return _plan(cast("Hashable", viewset), selection.plain, selection.computed, tuple(selection.relations))

    def resources(self, rows: Chosen | QuerySet[Any], prefix: str) -> list[Resource]:
        """The resources of these rows, in their order; `prefix` and its id is the address of each."""
        names = self.names
        return [dict(zip(names, (prefix + row[0], *row), strict=False)) for row in self._read(rows)]

    def owned(
        self, rows: QuerySet[Any], owner: str, prefix: Callable[[Any], str]
    ) -> Iterator[tuple[Any, Resource]]:
        """Each resource after its value of `owner`, which also says the prefix of its address."""
        names = self.names
        for value, *row in rows.values_list(owner, *self.sources).iterator(CHUNK):
            yield value, dict(zip(names, (prefix(value) + row[0], *row), strict=True))

    def _read(self, rows: Chosen | QuerySet[Any]) -> Iterable[Sequence[Any]]:
        """Of each row the id as text, and then the values in the order of `names`; a page's may have its total."""
        if isinstance(rows, Chosen):
            found = rows.values(self.sources)
            return self._read_anew(rows.rows()) if found is None else found
        return self._read_anew(rows)

    def _read_anew(self, rows: QuerySet[Any]) -> Iterable[Sequence[Any]]:
        if self._joins or rows.query.group_by is not None or rows.query.distinct:
            return rows.values_list(*self.sources)
        compiler = rows.query.get_compiler(rows.db)
        compiler.get_select = lambda *args, **kwargs: self._select
        try:
            sql, parameters = compiler.as_sql()
        except EmptyResultSet:
            return []
        with compiler.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            found = cursor.fetchall()
        converted: Iterable[Sequence[Any]] = compiler.apply_converters(found, self._converters)
        return converted if self._converters else found


@lru_cache(maxsize=1000)  # of the many that clients can ask for
def _plan(
    viewset: type[CollectionViewSet], plain: tuple[str, ...], computed: tuple[str, ...], relations: tuple[str, ...]
) -> Plan:
    columns = viewset.columns()
    sources: dict[str, str | Combinable] = {name: columns[name].shown for name in plain}
    for name in computed:
        if isinstance(expression := viewset.computed.get(name), Combinable):
            sources[name] = expression
    for name in relations:
        if isinstance(relation := viewset.relations[name], ToOne):
            sources[name] = relation.column
    if "href_slug" in computed:
        sources["href_slug"] = Concat(
            Value(f"{viewset.collection}/"), Cast(F("pk"), TextField()), output_field=TextField()
        )
    return Plan(viewset, sources)
