"""From a view to its operations."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from itertools import chain
from typing import Any

import uritemplate
from drf_spectacular.contrib.django_filters import DjangoFilterExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from inventory.rest.actions.command import EDIT, at_most
from inventory.rest.parameters import AS_OF
from inventory.rest.schema import parameters
from inventory.rest.schema.answers import Resources
from inventory.rest.schema.bodies import Input, bodies_of, changes_of, edits_of
from inventory.rest.serializers import StrictSerializer
from inventory.rest.shapes import ENDPOINT, FILLED, REASONS, SECURITY, Schema, any_of, closed, listed
from inventory.validators import validate_endpoint

#: How an operation is called that has no name of its own.
_VERBS = {"update": "replace", "partial_update": "change", "destroy": "delete"}
_READS = {"list", "retrieve"}


class Inspector(AutoSchema):
    """Describes the parameters, bodies and answers of a method of an address.

    For a collection, they follow from its declaration. Other views declare their answers with `extend_schema`.
    """

    view: Any

    def is_excluded(self) -> bool:
        """A POST that could only be refused is no operation."""
        return self.is_collection and self.action == "act" and not self.actions

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Never: lists come in an envelope."""
        return False

    # --- What the view is ---

    @property
    def is_collection(self) -> bool:
        return hasattr(self.view, "resource_type")

    @property
    def viewset(self) -> Any:
        return type(self.view)

    @property
    def action(self) -> str:
        """The action that the address names, else the viewset's method for the request's."""
        return str(self.view.named_action or self.view.action)

    @property
    def changes_one(self) -> bool:
        return self.is_collection and self.view.detail and self.method != "GET"

    @cached_property
    def resources(self) -> Resources:
        return Resources(self)

    @cached_property
    def actions(self) -> list[Any]:
        """The actions that this method of this address can run."""
        name = {"update": "edit", "partial_update": "edit", "destroy": "delete"}.get(self.action)
        declared = self.viewset.declared_actions()
        if self.action == "act":
            return [action for action in declared if not self.view.detail or action.detail]
        return [
            action
            for action in declared
            if name == action.url_path or self.action in {action.__name__, action.url_path}
        ]

    # --- Names ---

    def get_operation_id(self) -> str:
        parts = [part for part in self.path.split("/")[2:] if not part.startswith("{")]
        if not self.is_collection:
            return "_".join([*parts, self.method.lower()]) if parts else "entry_point"
        action = "act_on_one" if self.action == "act" and self.view.detail else self.action
        return "_".join(parts if parts[-1] == action else [*parts, _VERBS.get(action, action)])

    def get_tags(self) -> list[str]:
        return [self.view.collection] if self.is_collection else ["api"]

    def get_summary(self) -> str:
        line: str = self.get_description().partition("\n")[0].rstrip(".")
        return line

    def get_description(self) -> str:  # type: ignore[override]
        if not self.is_collection or self.action in {*_READS, "metadata"}:
            description: str = super().get_description()
            return description
        if self.action == "act":
            lines = [f"* `{action.url_path}`: {action.__doc__}" for action in self.actions]
            return "\n".join(["Run the action that the body names.", "", *lines])
        return str(self.actions[0].__doc__)

    def get_auth(self) -> list[Schema]:
        return [{name: []} for name in SECURITY] if self.view.authentication_classes else []

    # --- Requests ---

    def get_override_parameters(self) -> list[Any]:
        overrides = [parameters.path_id(name) for name in uritemplate.variables(self.path)]
        if self.view.authentication_classes:
            overrides += [parameters.GROUP, parameters.SKIP_RENEWAL]
        if self.method == "POST":
            overrides += [parameters.IDEMPOTENCY_KEY, parameters.REPLAYED]
        if not self.is_collection:
            return overrides
        if self.action in {*_READS, "query"}:
            overrides += parameters.selecting(self.viewset.resource_type)
        if self.changes_one:
            overrides += [parameters.IF_MATCH]
        if self.action == "list":
            overrides += parameters.listing(self.viewset.resource_type)
            if AS_OF in self.viewset.allowed_parameters("list", self.view.parent_collection):
                overrides += [parameters.PAST]
        if self.action == "retrieve":
            overrides += [parameters.IF_NONE_MATCH, parameters.ETAG]
        return overrides

    def _get_parameters(self) -> list[Schema]:
        """The dialect's own parameters, then those of django-filter."""
        schemas: list[Schema] = super()._get_parameters()
        if self.is_collection and self.action == "list":
            filterset, model = self.viewset.filterset(), self.viewset.queryset.model
            resolve = DjangoFilterExtension(None).resolve_filter_field
            for name, filter_ in filterset.base_filters.items():
                schemas += resolve(self, model, filterset, name, filter_)
        return schemas

    def map_parsers(self) -> list[str]:
        """JSON, whatever the Content-Type says; forms are for the browsable API."""
        return ["application/json"]

    def map_renderers(self, attribute: str) -> list[str]:
        return ["application/json" if attribute == "media_type" else "json"]

    def _get_request_body(self, direction: Any = "request") -> Schema | None:
        if not self.is_collection or self.method not in {"POST", "PUT", "PATCH"}:
            body: Schema | None = super()._get_request_body(direction)
            return body
        schema = any_of([way for action in self.actions for way in self._bodies(action)])
        return {"content": {"application/json": {"schema": schema}}, "required": True}

    def _bodies(self, action: Any) -> list[Schema]:
        shape = Input.of(action, self)
        name = f"{self.viewset.resource_type.label}{action.url_path.capitalize()}"
        if action.url_path == EDIT:
            shape = shape.partial()
        if not self.view.detail and (names := self.viewset.identifying_keys(action)):
            shape, name = shape.named(names), f"Named{name}"
        resource = self.resources.component(name, shape.schema)
        if self.method in {"PUT", "PATCH"}:
            return edits_of(shape, resource) + ([changes_of(shape)] if self.method == "PATCH" else [])
        action_names = [action.url_path, *action.kwargs.get("aliases", ())] if self.action == "act" else None
        previews = "previews" in action.kwargs
        limit = 1 if self.view.detail else at_most(action)
        return bodies_of(shape, resource, action_names, at_most=limit, previews=previews)

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> Schema:
        schema: Schema = super()._map_serializer(serializer, direction, bypass_extensions)
        return schema | ({"additionalProperties": False} if isinstance(serializer, StrictSerializer) else {})

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Schema:
        schema: Schema = super()._map_serializer_field(field, direction, bypass_extensions)
        schema.pop("x-spec-enum-id", None)  # only for a hook that is not used
        return taken(field, schema) if direction == "request" else schema

    # --- Answers ---

    def get_response_serializers(self) -> Any:
        if not self.is_collection:
            return super().get_response_serializers()
        if self.action == "list":
            return {
                200: OpenApiResponse(self.resources.page(self.viewset.resource_type), "A page of the collection")
            }
        if self.action == "retrieve":
            response = OpenApiResponse(self.resources.resource(self.viewset.resource_type), "The resource")
            return {200: response, 304: OpenApiResponse(description="Not modified")}
        if self.method == "DELETE":
            return {204: OpenApiResponse(description="Deleted")}
        return {200: OpenApiResponse(self._done, "The result")}

    @property
    def _done(self) -> Schema:
        """What these actions answer: the resource or a result, in an envelope unless at a single resource."""
        answers = [
            self.resources.resource(self.viewset.resource_type)
            for action in self.actions
            if action.kwargs.get("shows")
        ]
        if not self.view.detail or len(answers) < len(self.actions):
            answers += self._results
        return any_of(answers) if self.view.detail else self._enveloped(answers)

    def _enveloped(self, answers: list[Schema]) -> Schema:
        """Many of these answers. The name says which, since components of one name are one."""
        label = self.viewset.resource_type.schema_name if len(answers) > len(self._results) else "Action"
        kinds = "".join(f"Or{kind.__name__}" for kind in self._previews)
        name = f"{label}{kinds}Results"
        return self.resources.component(name, lambda: _envelope(any_of(answers)))

    @property
    def _results(self) -> list[Schema]:
        """The results of these actions, done or previewed."""
        return [self.resources.result, *map(self.resources.previewed, self._previews)]

    @property
    def _previews(self) -> list[Any]:
        """The types of the previews of these actions."""
        kinds = (action.kwargs.get("previews", ()) for action in self.actions)
        return [*dict.fromkeys(chain.from_iterable(kinds))]

    def _get_response_bodies(self, direction: Any = "response") -> Schema:
        bodies: Schema = super()._get_response_bodies(direction)
        bodies |= {str(status.value): self.resources.refusal(status) for status in self._refusals()}
        if self.is_collection and self.actions:
            response = OpenApiResponse(
                any_of([self.resources.error, self._refused]), REASONS[HTTPStatus.BAD_REQUEST]
            )
            bodies["400"] = self._get_response_for_code(response, "400")
        return bodies

    @property
    def _refused(self) -> Schema:
        """The refusal of a single resource, in the same form as success."""
        return any_of(self._results) if self.view.detail else self._enveloped(self._results)

    def _refusals(self) -> list[HTTPStatus]:
        statuses = [HTTPStatus.BAD_REQUEST]
        if self.view.authentication_classes:
            statuses += [HTTPStatus.UNAUTHORIZED]
        if self.is_collection:
            statuses += [HTTPStatus.FORBIDDEN]
        if uritemplate.variables(self.path) or self.view.names_resources:
            statuses += [HTTPStatus.NOT_FOUND]
        if self.method == "POST":
            statuses += [HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS]
        if self.changes_one:
            statuses += [HTTPStatus.PRECONDITION_FAILED]
        if self.method in {"POST", "PUT", "PATCH"}:
            statuses += [HTTPStatus.REQUEST_ENTITY_TOO_LARGE]
        return [*statuses, HTTPStatus.UNSUPPORTED_MEDIA_TYPE]


def _envelope(answer: Schema) -> Schema:
    return closed({"results": listed(answer)}, "results")


def taken(field: Any, schema: Schema) -> Schema:
    """A field takes more than its type: `"5"` is a valid number, and 5 a valid text."""
    if isinstance(field, serializers.BooleanField):
        words = {value for value in field.TRUE_VALUES | field.FALSE_VALUES if isinstance(value, str)}
        return schema | {"type": ["boolean", "string", "integer"], "enum": [True, False, 1, 0, *sorted(words)]}
    if isinstance(field, serializers.IntegerField):
        return schema | {"type": [*_types(schema), "string"], "pattern": "^[0-9]{1,4}$"}
    if type(field) is serializers.CharField:
        filled = FILLED if field.trim_whitespace else {"minLength": 1}
        if validate_endpoint in field.validators:
            return schema | ENDPOINT | {"type": _types(schema)}
        return ({} if field.allow_blank else filled) | schema | {"type": [*_types(schema), "integer"]}
    return schema


def _types(schema: Schema) -> list[str]:
    types = schema["type"]
    return types if isinstance(types, list) else [types]
