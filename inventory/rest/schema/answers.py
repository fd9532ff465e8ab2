"""The schemas of resources and lists, from what the collections declare."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, get_args, get_type_hints

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

from inventory.rest.resources import BelowParent, Costly, Relation, ResourceType, ToOne, get_resource_type
from inventory.rest.shapes import (
    ERROR,
    HREF,
    ID,
    LINKS,
    OFFERED,
    REASONS,
    RESULT,
    TEXT,
    WHOLE,
    Schema,
    any_of,
    closed,
    listed,
    previewed,
    schema_of,
)

#: Keys that describe input only.
_ONLY_IN = {"readOnly", "writeOnly", "default", "maxLength", "minLength"}


class Resources:
    """The components that answers refer to, each created when it is first needed."""

    def __init__(self, types: AutoSchema) -> None:
        #: Maps fields of serializers and models to schemas, and has the registry of components.
        self.types = types

    def component(self, name: str, make: Callable[[], Schema], kind: str = ResolvedComponent.SCHEMA) -> Schema:
        """A reference to a component. A component may refer to itself."""
        component = ResolvedComponent(name=name, type=kind, object=name)
        if component not in self.types.registry:
            self.types.registry.register(component)
            component.schema = make()
        reference: Schema = component.ref
        return reference

    @property
    def error(self) -> Schema:
        return self.component("Error", lambda: ERROR)

    def refusal(self, status: HTTPStatus) -> Schema:
        """An error response."""
        content = {"application/json": {"schema": self.error}}
        return self.component(
            status.phrase.title().replace(" ", ""),
            lambda: {"description": REASONS[status], "content": content},
            ResolvedComponent.RESPONSE,
        )

    @property
    def result(self) -> Schema:
        return self.component("ActionResult", lambda: RESULT)

    def previewed(self, kind: Any) -> Schema:
        """The result of an action that was only previewed, whose previews are of this type."""
        preview = self.component(kind.__name__, lambda: schema_of(kind))
        return self.component(f"{kind.__name__}Result", lambda: previewed(preview))

    @property
    def available_actions(self) -> Schema:
        return listed(self.component("Action", lambda: OFFERED))

    def resource(self, resource_type: ResourceType) -> Schema:
        """A resource, which always has its address."""
        return self._some_of(resource_type) | {"required": ["href"]}

    def _some_of(self, resource_type: ResourceType) -> Schema:
        """A resource from which `attributes` may have removed anything."""
        return self.component(resource_type.schema_name, lambda: self._resource(resource_type))

    def _resource(self, resource_type: ResourceType) -> Schema:
        properties = {"href": HREF, "id": ID, **self._plain(resource_type)}
        properties |= {name: self._computed(resource_type, name) for name in sorted(resource_type.computed_names)}
        for name, relation in resource_type.relations.items():
            properties[name] = self._related(relation)
        for name, subcollection in resource_type.subcollections.items():
            properties[name] = listed(self._some_of(subcollection.resource_type))
        to_many = {name for name, relation in resource_type.relations.items() if not isinstance(relation, ToOne)}
        if names := {*resource_type.subcollections, *to_many}:
            rest = dict.fromkeys(sorted(names), HREF)
            properties["more"] = closed(rest, description="Links to the rest of what was cut after a page.")
        return closed({**properties, "actions": self.available_actions}, description=resource_type.description)

    def _plain(self, resource_type: ResourceType) -> dict[str, Schema]:
        """The plain attributes. Whether one can be null follows from its column, if it has one."""
        # Also has the names of foreign keys' ids.
        columns = resource_type.queryset.model._meta._forward_fields_map
        properties = {}
        for name, field in resource_type.serializer_class().fields.items():
            if column := columns.get(str(field.source)):
                field.allow_null = column.null
            properties[name] = self._shown(self.types._map_serializer_field(field, "response"))
        return properties

    def _computed(self, resource_type: ResourceType, name: str) -> Schema:
        computed = resource_type.computed.get(name)
        if computed is None:
            return TEXT  # href_slug
        if isinstance(computed, Costly):
            computed = computed.load
        load = computed.load if isinstance(computed, BelowParent) else computed
        if callable(load):
            _, by_name = get_args(get_type_hints(load)["return"])
            return schema_of(get_args(by_name)[1])
        query = resource_type.queryset.annotate(_computed=computed).query
        return self._shown(self.types._map_model_field(query.annotations["_computed"].output_field, "response"))

    @staticmethod
    def _shown(schema: dict[str, Any]) -> Schema:
        return {key: value for key, value in schema.items() if key not in _ONLY_IN}

    def _related(self, relation: Relation) -> Schema:
        related = self._some_of(get_resource_type(relation.collection))
        return any_of([related, {"type": "null"}]) if isinstance(relation, ToOne) else listed(related)

    def page(self, resource_type: ResourceType) -> Schema:
        """The envelope of a list."""
        return self.component(
            f"{resource_type.schema_name}List",
            lambda: closed(
                {
                    "name": {"const": resource_type.name},
                    "count": WHOLE | {"description": "Resources that the caller may see here."},
                    "subcount": WHOLE | {"description": "Resources in this answer."},
                    "subquery_count": WHOLE | {"description": "Resources that match; only with a filter."},
                    "pages": WHOLE,
                    "resources": listed(self.resource(resource_type)),
                    "actions": self.available_actions,
                    "links": self.component("Links", lambda: LINKS),
                },
                "name",
                "count",
                "subcount",
                "pages",
                "actions",
                "links",
            ),
        )
