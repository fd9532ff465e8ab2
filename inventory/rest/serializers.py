"""What a collection declares as DRF serializers: its plain attributes, and what its actions take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar

from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inventory.rest.errors import BadInput
from inventory.rest.schema.shapes import ID, Schema


@extend_schema_field(ID)
class IdField(serializers.Field):  # type: ignore[type-arg]
    """The id of another resource: text in answers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"read_only": True, **kwargs})

    def to_representation(self, value: object) -> str:
        return str(value)


class ResourceSerializer(serializers.ModelSerializer[Any]):
    """The plain attributes of a resource, in order; `id` and `href` come by themselves.

    Rows are read by a plan that is made from these fields once, not by an instance for each row.
    """

    def build_property_field(self, field_name: str, model_class: Any) -> tuple[Any, dict[str, Any]]:
        """`cloud_tenant_id` is the column of a foreign key, which DRF takes for a property."""
        if field_name.endswith("_id"):
            return IdField, {}
        return super().build_property_field(field_name, model_class)


class StrictSerializer(serializers.Serializer[Any]):
    """The input of an action; what it does not know is an error, because it would be lost."""

    #: Attributes that another client may send in place of ours, each with ours and what it looks like.
    stand_ins: ClassVar[Mapping[str, tuple[str, Schema]]] = {}
    #: What a resource looks like that needs none of those attributes.
    without: ClassVar[Sequence[Schema]] = ()

    @classmethod
    def validated(cls, resource: Mapping[str, Any], instance: Any = None) -> dict[str, Any]:
        """The values of one resource of the body, beside what names the resource; 400 if they are wrong.

        With an `instance`, those of its attributes that are given.
        """
        data = copy(resource)
        for name in ("id", "href"):
            data.pop(name, None)  # type: ignore[attr-defined]
        serializer = cls(instance, data=data, partial=instance is not None)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            # A browser's form has `credentials.userid` for what is nested in JSON.
            names = {key.partition(".")[0] if isinstance(data, QueryDict) else key for key in data}
            if unknown := sorted(names - self.fields.keys()):
                raise BadInput(f"Invalid attributes specified: {', '.join(unknown)}")
        return super().to_internal_value(data)
