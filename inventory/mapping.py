"""The mapping between a driver's values and a model's columns, for both writing and reading."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from django.db.models.constants import LOOKUP_SEP

Value = TypeVar("Value")

#: The primary key of each ref, by attribute.
Ids = Mapping[str, Mapping[str, int]]
NO_IDS: Ids = MappingProxyType({})


@dataclass(frozen=True)
class Columns(Generic[Value]):
    """Converts values to rows. `names` are the columns (`_id` for foreign keys)."""

    names: Sequence[str]
    _attributes: Callable[[Value], Iterable[Any]]
    #: Conversions by position, for attributes that differ between value and row.
    _conversions: Sequence[tuple[int, Callable[[Any], Any]]]
    _same: Sequence[Any]

    def of(self, value: Value) -> list[Any]:
        """The row of a value, in the order of `names`."""
        row = [*self._attributes(value), *self._same]
        for index, convert in self._conversions:
            row[index] = convert(row[index])
        return row

    def named(self, value: Value) -> dict[str, Any]:
        return dict(zip(self.names, self.of(value), strict=True))


class ValueMapping(Generic[Value]):
    """Maps the attributes of `kind`, one of the drivers' values, to columns.

    An attribute has the column of the same name, unless it is `renamed`. A reference is the path to the `ems_ref`
    of its row: `tenant_ref="cloud_tenant__ems_ref"`. `excluded` are attributes without a column, such as
    many-to-many relations. `derived` are columns that are written but not read, with the attributes that they come
    from. Raises `TypeError` for an attribute that the value does not have.
    """

    def __init__(
        self,
        kind: type[Value],
        /,
        *,
        excluded: Collection[str] = (),
        derived: Mapping[str, str] = MappingProxyType({}),
        **renamed: str,
    ) -> None:
        self.kind = kind
        names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
        if unknown := {*excluded, *renamed} - names:
            raise TypeError(f"{kind.__name__} has no attribute {', '.join(sorted(unknown))}")
        #: The path of each attribute, in their order.
        self.paths: dict[str, str] = {
            field.name: renamed.get(field.name, field.name)
            for field in fields(kind)  # type: ignore[arg-type]
            if field.name not in excluded
        }
        self.derived = derived
        hints = get_type_hints(kind)
        # Values have tuples, JSON columns have lists.
        self._lists = [name for name in self.paths if _is_tuple(hints[name])]
        self._as_it_is = not excluded and not self._lists

    def columns(self, ids: Ids = NO_IDS, **common: Any) -> Columns[Value]:
        """The columns beside `ems_ref`. `common` are columns with the same value in all rows.

        `ids` has the primary keys for references. References without ids are left out.
        """
        attributes: dict[str, str] = {}
        for name, path in self.paths.items():
            if name in ids:
                attributes[f"{path.rpartition(LOOKUP_SEP)[0]}_id"] = name
            elif name != "ref" and LOOKUP_SEP not in path:
                attributes[path] = name
        attributes |= self.derived
        conversions: dict[str, Callable[[Any], Any]] = dict.fromkeys(self._lists, partial(_unless_none, list))
        conversions |= {name: by_ref.get for name, by_ref in ids.items()}
        converters = [
            (index, conversions[name]) for index, name in enumerate(attributes.values()) if name in conversions
        ]
        return Columns(
            (*attributes, *common), attrgetter(*attributes.values()), converters, tuple(common.values())
        )

    def value(self, row: Iterable[Any], **extra: Any) -> Value:
        """The value of a row, from its `paths`, in their order, and the `extra` attributes."""
        if self._as_it_is:
            return self.kind(*row)
        attributes = dict(zip(self.paths, row, strict=True))
        for name in self._lists:
            attributes[name] = _unless_none(tuple, attributes[name])
        return self.kind(**attributes, **extra)


def _is_tuple(hint: Any) -> bool:
    """Whether it is `tuple[...]` or `tuple[...] | None`."""
    return any(get_origin(one) is tuple for one in (hint, *get_args(hint)))


def _unless_none(convert: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else convert(value)
