"""The attributes of a collection that filters and orders can use, with their types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from django.db import models
from django.db.models import F
from django.db.models.expressions import Combinable

from inventory.rest import messages
from inventory.rest.classes import TYPE, ClassNames
from inventory.rest.errors import BadInput
from inventory.rest.resources import ResourceType, Viewer


class Kind(Enum):
    """How values are written and compared."""

    TEXT = auto()
    NUMBER = auto()
    TRUTH = auto()
    TIME = auto()
    UUID = auto()
    LIST = auto()


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute as clients name it.

    `expression` is its value in a query on the collection's rows, of a list the `Texts`. One with `class_names`
    is no value of the rows: its conditions have to be settled.
    """

    name: str
    kind: Kind
    expression: Any
    class_names: ClassNames | None = None


_KINDS: dict[type[models.Field[Any, Any]], Kind] = {
    models.BooleanField: Kind.TRUTH,
    models.DateTimeField: Kind.TIME,
    models.UUIDField: Kind.UUID,
    models.IntegerField: Kind.NUMBER,
    models.CharField: Kind.TEXT,
    models.TextField: Kind.TEXT,
}


def attribute_of(resource_type: ResourceType, name: str, viewer: Viewer) -> Attribute | None:
    """The attribute with this name, or None. Raises `BadInput` for one that is not a scalar."""
    if texts := resource_type.lists.get(name):
        return Attribute(name, Kind.LIST, texts)
    column = resource_type.columns.get(name)
    if column and column.class_names is not None:
        return Attribute(name, Kind.TEXT, F(TYPE), column.class_names)
    source = _source(resource_type, name)
    if source is None:
        return None
    kind = _kind_of(resource_type, name)
    if kind is None:
        raise BadInput(messages.not_a_scalar(resource_type.label, name))
    return Attribute(name, kind, viewer.source(resource_type, name, source, viewer.whole(resource_type)))


def comparable(resource_type: ResourceType) -> list[str]:
    """The scalar attributes, which resources can be sorted by."""
    names = ["id", *resource_type.columns, *sorted(resource_type.computed)]
    return [name for name in names if _kind_of(resource_type, name)]


@lru_cache(maxsize=1000)  # clients may send any number of names
def _kind_of(resource_type: ResourceType, name: str) -> Kind | None:
    source = _source(resource_type, name)
    return _kind(resource_type, source) if isinstance(source, Combinable) else None


def _source(resource_type: ResourceType, name: str) -> Any:
    if name == "id":
        return F("pk")
    if column := resource_type.columns.get(name):
        return F(column.source)
    return resource_type.computed.get(name) or (() if name in resource_type.computed_names else None)


def _kind(resource_type: ResourceType, source: Combinable) -> Kind | None:
    """The kind of the value's field; for a foreign key, of its id."""
    field = source.resolve_expression(resource_type.queryset.query.clone()).output_field  # type: ignore[attr-defined]
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return next((kind for field_class, kind in _KINDS.items() if isinstance(field, field_class)), None)
