"""Serializers, which declare the plain attributes of a collection and the input of its actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inventory.rest import messages
from inventory.rest.classes import ClassNames
from inventory.rest.errors import BadInput
from inventory.rest.hrefs import ADDRESS
from inventory.rest.resources import Column
from inventory.rest.shapes import ID, Schema


@extend_schema_field(ID)
class IdField(serializers.Field):  # type: ignore[type-arg]
    """The id of another resource, as text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"read_only": True, **kwargs})

    def to_representation(self, value: object) -> str:
        return str(value)


class ClassNameField(serializers.CharField):
    """ManageIQ's class name for a resource, derived from its vendor. `ending` is as in `ClassNames`."""

    def __init__(self, ending: str) -> None:
        super().__init__(max_length=255)
        self.ending = ending


class PartsField(serializers.JSONField):
    """A JSON object with parts that not everybody may see; see `inventory.rest.disclosure`."""


class ResourceSerializer(serializers.ModelSerializer[Any]):
    """Declares the plain attributes of a resource, in their order, without `id` and `href`.

    It never serializes rows. They are read by a projection, which is made from these fields once.
    """

    def build_property_field(self, field_name: str, model_class: Any) -> tuple[Any, dict[str, Any]]:
        """Use `IdField` for columns like `cloud_tenant_id`, which DRF takes for properties."""
        if field_name.endswith("_id"):
            return IdField, {}
        return super().build_property_field(field_name, model_class)


def columns_of(serializer: serializers.Serializer[Any]) -> dict[str, Column]:
    """The plain attributes that a serializer declares."""
    return {name: _column(field) for name, field in serializer.fields.items()}


def _column(field: serializers.Field[Any, Any, Any, Any]) -> Column:
    if isinstance(field, ClassNameField):
        return Column("vendor", is_id=False, is_uuid=False, class_names=ClassNames(field.ending))
    source = str(field.source).replace(".", "__")
    return Column(
        source,
        isinstance(field, IdField),
        isinstance(field, serializers.UUIDField),
        has_parts=isinstance(field, PartsField),
    )


def form_of(form: QueryDict, keep: Callable[[str], bool]) -> QueryDict:
    """The fields of a form with these names. `QueryDict.copy()` would fail for files."""
    subset = QueryDict(mutable=True)
    for name in filter(keep, form):
        subset.setlist(name, form.getlist(name))
    return subset


def without(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """An object or a form without these names."""
    if isinstance(data, QueryDict):
        return form_of(data, lambda name: name not in names)
    return {name: value for name, value in data.items() if name not in names}


class StrictSerializer(serializers.Serializer[Any]):
    """The input of an action. Unknown keys are errors, because they would be lost.

    Text keeps the spaces around it.
    """

    #: Attributes that ManageIQ's clients may send instead of ours. Each maps to our attribute and its own schema.
    stand_ins: ClassVar[Mapping[str, tuple[str, Schema]]] = {}
    #: The schemas of resources that need none of those attributes.
    without: ClassVar[Sequence[Schema]] = ()

    @classmethod
    @cache
    def keys(cls) -> frozenset[str]:
        """The keys that a resource may have."""
        return frozenset({*cls().fields, *cls.stand_ins})

    @classmethod
    @cache
    def lists(cls) -> frozenset[str]:
        """The keys that a form may repeat, once for each value."""
        return frozenset(name for name, field in cls().fields.items() if isinstance(field, serializers.ListField))

    @classmethod
    def check_keys(cls, resource: Mapping[str, Any], *named_by: str) -> None:
        """Raises `BadInput` for keys other than these attributes and those in `named_by`."""
        # A browser's form has `credentials.userid` for what is nested in JSON.
        names = {key.partition(".")[0] for key in resource} if isinstance(resource, QueryDict) else resource.keys()
        if unknown := names - cls.keys() - set(named_by):
            raise BadInput(messages.invalid_attributes(sorted(unknown)))
        if isinstance(resource, QueryDict):
            repeated = sorted(
                name for name, values in resource.lists() if len(values) > 1 and name not in cls.lists()
            )
            if repeated:
                raise BadInput(messages.repeated_keys(repeated))

    @classmethod
    def validated(cls, resource: Mapping[str, Any], instance: Any = None) -> dict[str, Any]:
        """The validated values of one resource of the body, without its id or href. Raises 400.

        With an `instance`, only the attributes in the body.
        """
        serializer = cls(instance, data=without(resource, *ADDRESS), partial=instance is not None)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        for field in fields.values():
            if isinstance(field, serializers.CharField):
                field.trim_whitespace = False
        return fields

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, QueryDict):
            # Check the names of empty fields too, then drop these fields.
            self.check_keys(data)
            data = form_of(data, lambda name: any(data.getlist(name)))
        if isinstance(data, Mapping):
            self.check_keys(data)
            self._check_texts(data)
        return super().to_internal_value(data)

    def _check_texts(self, data: Mapping[str, Any]) -> None:
        """Accept whole numbers of JSON as text, but refuse floats, because parsing changed them: 1.10 became 1.1,
        and a number with too many digits became 1.8446744073709552e+19."""
        floats = [name for name, value in data.items() if isinstance(value, float)]
        if inexact := [name for name in floats if isinstance(self.fields.get(name), serializers.CharField)]:
            raise serializers.ValidationError(dict.fromkeys(inexact, "Not a valid string."))


class EmptyInput(StrictSerializer):
    """The input of an action without attributes."""
