"""Parses the parameters that select what an answer shows: `expand`, `attributes` and `hide`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from django.http import QueryDict

from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.parameters import names_in
from inventory.rest.resources import ResourceType, ToOne, get_resource_type

#: The names in `attributes` that are not attributes of a collection. `all` means the plain ones.
_APART = frozenset({"id", "href", "actions", "all"})


@dataclass(frozen=True, slots=True)
class Selection:
    """The attributes of a resource that an answer shows.

    `relations` maps each relation to its selected attributes, or to None for all plain ones. `embedded` are
    subcollections. A list shows resources if it is `expanded`, and only their addresses otherwise. If it is
    `hidden`, it shows neither.
    """

    plain: tuple[str, ...]
    computed: tuple[str, ...] = ()
    relations: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    embedded: tuple[str, ...] = ()
    actions: bool = False
    expanded: bool = False
    hidden: bool = False

    @classmethod
    def of_related(cls, resource_type: ResourceType, names: tuple[str, ...] | None) -> Self:
        """Select these attributes of a related resource; None selects all plain ones."""
        if names is None:
            return cls(tuple(resource_type.columns))
        plain, computed = resource_type.columns, resource_type.computed_names
        return cls(tuple(filter(plain.__contains__, names)), tuple(filter(computed.__contains__, names)))

    @classmethod
    def of_request(cls, query: QueryDict, resource_type: ResourceType) -> Self:
        """Parse the parameters. Raises `BadInput` for names that the collection doesn't have."""
        expand = names_in(query, "expand", {"resources", *resource_type.subcollections})
        attributes = names_in(query, "attributes")
        plain = tuple(name for name in attributes if name in resource_type.columns)
        computed = tuple(name for name in attributes if name in resource_type.computed_names)
        relations = _relations(attributes, resource_type)
        unknown = [
            name
            for name in attributes
            if name not in {*plain, *computed, *relations, *_APART} and not _dotted(name, resource_type)
        ]
        if unknown:
            raise BadInput(messages.invalid_attributes(unknown))
        limited = "all" not in attributes and (plain or not {"id", "href", "actions"}.isdisjoint(attributes))
        return cls(
            plain=plain if limited else tuple(resource_type.columns),
            computed=computed,
            relations=relations,
            embedded=tuple(name for name in expand if name != "resources"),
            actions="actions" in attributes or not limited,
            expanded="resources" in expand,
            hidden="resources" in names_in(query, "hide", {"resources"}),
        )


def _dotted(name: str, resource_type: ResourceType) -> tuple[str, str] | None:
    """The two parts of a name like `cloud_tenant.name`, if it is an attribute of a to-one relation."""
    relation, _, attribute = name.partition(".")
    link = resource_type.relations.get(relation)
    if isinstance(link, ToOne) and attribute in attributes_of(get_resource_type(link.collection)):
        return relation, attribute
    return None


def attributes_of(resource_type: ResourceType) -> list[str]:
    """The attributes that can be selected of a to-one relation's resource."""
    return ["href", "id", *resource_type.columns, *sorted(resource_type.computed_names)]


def _relations(attributes: list[str], resource_type: ResourceType) -> dict[str, tuple[str, ...] | None]:
    relations: dict[str, tuple[str, ...] | None] = {
        name: None for name in attributes if name in resource_type.relations
    }
    for name in attributes:
        if dotted := _dotted(name, resource_type):
            relation, attribute = dotted
            selected = relations.get(relation, ())
            relations[relation] = None if selected is None else (*selected, attribute)
    return relations
