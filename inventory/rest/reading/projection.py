"""How rows become resources: what a query selects for one shape of a resource, worked out once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import F, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat

from inventory.rest.reading.rows import RowQuery, Sources
from inventory.rest.reading.selection import Selection
from inventory.rest.resources import ResourceType, ToOne

Resource = dict[str, Any]
#: Rows in one fetch: a page has at most as many.
CHUNK = 1000


class Projection:
    """The names of a resource's values, and what a query selects for them.

    Django resolves and compiles what it selects anew for each query, which for a few rows takes longer than
    reading them. Here it has done so once, and the outcome is put into the query that finds the rows. Of a
    to-one relation it is the id.
    """

    def __init__(self, resource_type: ResourceType, sources: Mapping[str, str | Combinable]) -> None:
        self.names = ("href", "id", *sources)
        self.sources: Sources = (Cast(F("pk"), TextField()), *sources.values())
        rows = resource_type.queryset.order_by().values_list(*self.sources)
        compiler = rows.query.get_compiler(rows.db)
        compiler.setup_query()
        selected = [(column, sql, None) for column, sql, alias in compiler.select]  # nothing refers to an alias
        self._select = selected, compiler.klass_info, compiler.annotation_col_map
        self._converters = compiler.get_converters([column for column, *_ in selected])
        self._joins = sum(used > 0 for used in rows.query.alias_refcount.values()) > 1

    @classmethod
    def of(cls, resource_type: ResourceType, selection: Selection) -> Projection:
        return _projection(resource_type, selection.plain, selection.computed, tuple(selection.relations))

    def resources(self, rows: RowQuery | QuerySet[Any], prefix: str) -> list[Resource]:
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

    def _read(self, rows: RowQuery | QuerySet[Any]) -> Iterable[Sequence[Any]]:
        """Of each row the id as text, and then the values in the order of `names`; a page's may have its total."""
        if isinstance(rows, RowQuery):
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
def _projection(
    resource_type: ResourceType, plain: tuple[str, ...], computed: tuple[str, ...], relations: tuple[str, ...]
) -> Projection:
    columns = resource_type.columns
    sources: dict[str, str | Combinable] = {name: columns[name].selected for name in plain}
    for name in computed:
        if isinstance(expression := resource_type.computed.get(name), Combinable):
            sources[name] = expression
    for name in relations:
        if isinstance(relation := resource_type.relations[name], ToOne):
            sources[name] = relation.column
    if "href_slug" in computed:
        sources["href_slug"] = Concat(
            Value(f"{resource_type.name}/"), Cast(F("pk"), TextField()), output_field=TextField()
        )
    return Projection(resource_type, sources)
