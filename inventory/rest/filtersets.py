"""Ordinary filter parameters by django-filter, derived from plain attributes: `?name=web&port__gte=80`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from django import forms
from django.db.models import F, Q
from django.db.models.expressions import Combinable
from django.http import QueryDict
from django.utils.module_loading import import_string
from django_filters import filters
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import FilterSet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inventory.db.conditions import NOTHING, Condition, all_of, compare, compare_by, fixed
from inventory.db.expressions import Folded, Like, fold
from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.query.parsing import MAX_INTEGER, MIN_INTEGER, TimeSpan, parse_time
from inventory.rest.resources import ResourceType, Viewer
from inventory.rest.serializers import IdField


@extend_schema_field({"type": "boolean"})
class TruthFilter(filters.TypedChoiceFilter):
    """`true` or `false`. django-filter's own filter ignores any other value."""

    def __init__(self, **kwargs: Any) -> None:
        choices = [("", ""), ("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce=lambda value: value == "true", empty_value=None, **kwargs)


@extend_schema_field({"type": "integer", "minimum": MIN_INTEGER, "maximum": MAX_INTEGER})
class NumberFilter(filters.NumberFilter):
    """A whole number that the databases can store."""

    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=MIN_INTEGER, max_value=MAX_INTEGER, **kwargs)


class NumbersFilter(filters.BaseInFilter, NumberFilter):
    pass


class TimeField(IsoDateTimeField):
    """A time in UTC, parsed as for `filter[]`: PostgreSQL knows fewer time zones than clients."""

    def to_python(self, value: Any) -> Any:
        try:
            return parse_time(value) if value else None
        except BadInput as error:
            raise forms.ValidationError(str(error)) from error


class TimeFilter(filters.IsoDateTimeFilter):
    """A time, or a whole day."""

    field_class = TimeField

    def condition(self, value: TimeSpan, viewer: Viewer) -> Condition:
        name = self.field_name
        if self.lookup_expr == "exact":
            return compare(f"{name}__gte", value.first) & compare(f"{name}__lte", value.last)
        edge = value.last if self.lookup_expr in {"gt", "lte"} else value.first
        return compare(f"{name}__{self.lookup_expr}", edge)


class TextFilter(filters.CharFilter):
    """Text, including spaces and the empty text, which django-filter's own filter ignores.

    Case is folded here, because databases fold it differently.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, empty_value="", **kwargs)

    def condition(self, value: str, viewer: Viewer) -> Condition:
        around = _AROUND.get(self.lookup_expr)
        if around is None:
            return compare(f"{self.field_name}__{self.lookup_expr}", value)
        before, after = around
        return compare_by(Like, Folded(F(self.field_name)), (*before, fold(value), *after))


class TextsFilter(filters.BaseInFilter, TextFilter):
    pass


class UuidsFilter(filters.BaseInFilter, filters.UUIDFilter):
    pass


#: The pieces of `Like` before and after the text, for each lookup that ignores case.
_AROUND: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "icontains": (("",), ("",)),
    "istartswith": ((), ("",)),
    "iendswith": (("",), ()),
    "iexact": ((), ()),
}
_ORDER = ("lt", "lte", "gt", "gte")


class Kind(NamedTuple):
    """The filters of one kind of attribute, one for each lookup. The form in the browser has only one."""

    one: type[filters.Filter]
    lookups: tuple[str, ...] = ()
    many: type[filters.Filter] | None = None
    in_form: str = ""

    def filters(self, name: str, source: str) -> dict[str, filters.Filter]:
        by_name = {name: self.one(field_name=source, label=name)}
        for lookup in self.lookups:
            by_name[f"{name}__{lookup}"] = self.one(
                field_name=source, lookup_expr=lookup, label=f"{name} {lookup}"
            )
        if self.many:
            by_name[f"{name}__in"] = self.many(field_name=source, lookup_expr="in", label=f"{name} in")
        by_name[f"{name}__isnull"] = TruthFilter(field_name=source, lookup_expr="isnull", label=f"{name} is null")
        return by_name


#: By serializer field; other attributes have no parameters.
KINDS: Mapping[type[serializers.Field], Kind] = {  # type: ignore[type-arg]
    IdField: Kind(NumberFilter, many=NumbersFilter),
    serializers.BooleanField: Kind(TruthFilter),
    serializers.IntegerField: Kind(NumberFilter, _ORDER, NumbersFilter),
    serializers.DateTimeField: Kind(TimeFilter, _ORDER, in_form="gte"),
    serializers.UUIDField: Kind(filters.UUIDFilter, many=UuidsFilter),
    serializers.ChoiceField: Kind(TextFilter, many=TextsFilter),
    serializers.CharField: Kind(TextFilter, tuple(_AROUND), TextsFilter, in_form="icontains"),
}


def filterset_of(
    serializer: serializers.Serializer[Any], others: Mapping[str, filters.Filter | str] = MappingProxyType({})
) -> type[FilterSet]:
    """The parameters for a serializer's attributes, and other ones: filters, or classes by their dotted paths."""
    declared_filters: dict[str, filters.Filter] = {
        name: import_string(other)(label=name) if isinstance(other, str) else other
        for name, other in others.items()
    }
    in_form: list[str] = [*others]
    for name, field in {"id": IdField(source="pk"), **serializer.fields}.items():
        kind = next((kind for field_class, kind in KINDS.items() if isinstance(field, field_class)), None)
        if kind:
            declared_filters |= kind.filters(name, str(field.source or name).replace(".", "__"))
            in_form.append(f"{name}__{kind.in_form}" if kind.in_form else name)
    return type("ColumnFilterSet", (FilterSet,), {**declared_filters, "in_form": in_form})


def parameters_of(
    resource_type: ResourceType, filterset: type[FilterSet], query: QueryDict, viewer: Viewer
) -> Condition:
    """The condition of the parameters, for a viewer. Raises `BadInput` for invalid values.

    Each parameter goes through its own field. A `FilterSet` would copy all of its filters and make a form of them
    for each request, which takes longer than the query.
    """
    conditions, errors = [], []
    for name in sorted(query.keys() & filterset.base_filters.keys()):
        filter_ = filterset.base_filters[name]
        try:
            attribute = name.partition("__")[0]
            value = _cleaned(filter_.field, query, name)
            scoped = resource_type.scoped[attribute](viewer.user) if attribute in resource_type.scoped else None
            condition = _scoped(scoped, filter_, value) if scoped else _condition(filter_, value, viewer)
            if resource_type.hides(attribute):
                condition &= viewer.whole(resource_type)
            column = resource_type.columns.get(attribute)
            if column is not None and column.class_names is not None:
                condition = column.class_names.settled(condition)
            conditions.append(condition)
        except forms.ValidationError as error:
            errors.append(f"{name}: {' '.join(error.messages)}")
    if errors:
        raise BadInput("; ".join(errors))
    return all_of(conditions)


def _condition(filter_: filters.Filter, value: Any, viewer: Viewer) -> Condition:
    """The condition of a filter: its own, or its lookup on its attribute.

    A filter whose condition is about rows of other types has to look only at those that the viewer may see.
    """
    if value == []:
        return NOTHING
    if hasattr(filter_, "condition"):
        condition: Condition = filter_.condition(value, viewer)
        return condition
    return compare(f"{filter_.field_name}__{filter_.lookup_expr}", value)


def _scoped(expression: Combinable, filter_: filters.Filter, value: Any) -> Condition:
    """The same on what an attribute shows to a viewer in place of its column."""
    lookup = expression.output_field.get_lookup(filter_.lookup_expr)  # type: ignore[attr-defined]
    return fixed(Q(lookup(expression, value)))


def _cleaned(field: forms.Field, query: QueryDict, name: str) -> Any:
    """The value of a parameter. An empty one is only valid for text."""
    value = field.clean(field.widget.value_from_datadict(query, {}, name))
    if value is None or (isinstance(value, list) and None in value):
        raise forms.ValidationError(messages.VALUE_MISSING)
    return value
