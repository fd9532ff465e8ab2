"""What a request wants to see of each resource: `expand`, `attributes` and `hide`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from django.http import QueryDict

from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.parameters import names_in
from inventory.rest.resources import ResourceType, ToOne, get_resource_type

#: What `attributes` can name beside the attributes of a collection; `all` are the plain ones.
_APART = frozenset({"id", "href", "actions", "all"})


@dataclass(frozen=True, slots=True)
class Selection:
    """The attributes of a resource that an answer shows.

    `relations` maps each relation to the attributes wanted of it, None for all; `embedded` are subcollections.
    A list shows them where it is `expanded`, else the addresses alone, and where it is `hidden` not even these.
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
        """These attributes of what a relation leads to; None for all plain ones."""
        if names is None:
            return cls(tuple(resource_type.columns))
        plain, computed = resource_type.columns, resource_type.computed_names
        return cls(tuple(filter(plain.__contains__, names)), tuple(filter(computed.__contains__, names)))

    @classmethod
    def asked_by(cls, query: QueryDict, resource_type: ResourceType) -> Self:
        """Read the parameters; `BadInput` names what the collection does not have."""
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
    """`cloud_tenant.name` as its two parts, if that is an attribute of a to-one relation."""
    relation, _, attribute = name.partition(".")
    link = resource_type.relations.get(relation)
    if isinstance(link, ToOne) and attribute in attributes_of(get_resource_type(link.collection)):
        return relation, attribute
    return None


def attributes_of(resource_type: ResourceType) -> list[str]:
    """What can be asked of the resource that a relation to one leads to."""
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
