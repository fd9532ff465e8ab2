"""Which columns of a model hold a driver's value: one list, by which rows are written and read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Generic, TypeVar, get_origin, get_type_hints

from django.db.models.constants import LOOKUP_SEP

Value = TypeVar("Value")

#: The primary key of each ref, by the attribute that refers to it.
Ids = Mapping[str, Mapping[str, int]]
NO_IDS: Ids = MappingProxyType({})


@dataclass(frozen=True)
class Columns(Generic[Value]):
    """What the rows of values hold: `names` are the columns (of a foreign key with `_id`)."""

    names: Sequence[str]
    _attributes: Callable[[Value], Iterable[Any]]
    #: By their position, the attributes that a row has otherwise than the value.
    _conversions: Sequence[tuple[int, Callable[[Any], Any]]]
    _same: Sequence[Any]

    def of(self, value: Value) -> list[Any]:
        """What the row of a value holds, in the order of `names`."""
        row = [*self._attributes(value), *self._same]
        for at, converted in self._conversions:
            row[at] = converted(row[at])
        return row

    def named(self, value: Value) -> dict[str, Any]:
        return dict(zip(self.names, self.of(value), strict=True))


class ValueMapping(Generic[Value]):
    """The columns of the attributes of `kind`, one of the drivers' values.

    An attribute is in the column of its own name, unless it is `renamed`. A reference is the path to the `ems_ref`
    of the row that it leads to: `tenant_ref="cloud_tenant__ems_ref"`. `apart` are the attributes that the row has
    no column for, such as what is related to many others. `derived` are columns that are written and never read:
    each with what a value has it as.
    """

    def __init__(
        self,
        kind: type[Value],
        /,
        *,
        apart: Collection[str] = (),
        derived: Mapping[str, str] = MappingProxyType({}),
        **renamed: str,
    ) -> None:
        self.kind = kind
        #: What to read of a row, by attribute, in the order of the attributes.
        self.paths: dict[str, str] = {
            field.name: renamed.get(field.name, field.name)
            for field in fields(kind)  # type: ignore[arg-type]
            if field.name not in apart
        }
        self.derived = derived
        hints = get_type_hints(kind)
        # A value has a tuple where a column of JSON has a list.
        self._lists = [name for name in self.paths if get_origin(hints[name]) is tuple]
        self._as_it_is = not apart and not self._lists

    def columns(self, ids: Ids = NO_IDS, **same: Any) -> Columns[Value]:
        """The columns beside `ems_ref`; `same` are those that all rows have alike.

        `ids` are of what references lead to. References without are left out.
        """
        attributes: dict[str, str] = {}
        for name, path in self.paths.items():
            if name in ids:
                attributes[f"{path.rpartition(LOOKUP_SEP)[0]}_id"] = name
            elif name != "ref" and LOOKUP_SEP not in path:
                attributes[path] = name
        attributes |= self.derived
        conversions: dict[str, Callable[[Any], Any]] = dict.fromkeys(self._lists, list)
        conversions |= {name: known.get for name, known in ids.items()}
        converted = [(at, conversions[name]) for at, name in enumerate(attributes.values()) if name in conversions]
        return Columns((*attributes, *same), attrgetter(*attributes.values()), converted, tuple(same.values()))

    def value(self, row: Iterable[Any], **apart: Any) -> Value:
        """The value of a row: what its `paths` hold, in their order, and what is `apart`."""
        if self._as_it_is:
            return self.kind(*row)
        attributes = dict(zip(self.paths, row, strict=True))
        for name in self._lists:
            attributes[name] = tuple(attributes[name])
        return self.kind(**attributes, **apart)
