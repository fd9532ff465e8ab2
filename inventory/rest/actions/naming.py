"""Finds the resource that a body names by its id, its address or another unique attribute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import and_
from typing import Any

from django.db.models import QuerySet

from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.hrefs import ADDRESS, id_in, parse_uuid
from inventory.rest.resources import ResourceType


class Named:
    """The rows that the resources of a body name, found with one query for each attribute in `identified_by`."""

    def __init__(
        self, resource_type: ResourceType, rows: QuerySet[Any], resources: Iterable[Mapping[str, Any]]
    ) -> None:
        self._resource_type = resource_type
        self._resources = list(resources)
        self._found: dict[tuple[str, object], set[int]] = {}
        for name in resource_type.identified_by:
            values = {self._value(resource, name) for resource in self._resources} - {None}
            source = resource_type.columns[name].source
            for value, pk in rows.filter(**{f"{source}__in": values}).values_list(source, "pk") if values else ():
                self._found.setdefault((name, value), set()).add(pk)

    def pks(self) -> set[int]:
        """The ids of all rows that are named in any way."""
        return {pk for resource in self._resources for pks in self._said(resource) for pk in pks}

    def pk(self, resource: Mapping[str, Any]) -> int:
        """The id of the row that matches every name in this resource; 0, which no row has, if none does."""
        candidates = self._said(resource)
        pks = sorted(reduce(and_, candidates)) if candidates else []
        if len(pks) > 1:
            raise BadInput(messages.several_named(self._resource_type.name, pks))
        return pks[0] if pks else 0

    def _said(self, resource: Mapping[str, Any]) -> list[set[int]]:
        """For each name in the resource, the ids that it matches."""
        addresses = [
            {id_in(resource[name], self._resource_type.name) or 0} for name in ADDRESS if name in resource
        ]
        others = [name for name in self._resource_type.identified_by if name in resource]
        return addresses + [self._found.get((name, self._value(resource, name)), set()) for name in others]

    def _value(self, resource: Mapping[str, Any], name: str) -> object:
        """The value as it is stored in rows; None if no row can have it."""
        value = resource.get(name)
        if self._resource_type.columns[name].is_uuid:
            return parse_uuid(value)
        return value if isinstance(value, str) else None
