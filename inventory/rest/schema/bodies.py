"""The schemas of request bodies, from what the actions declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from drf_spectacular.openapi import AutoSchema

from inventory.rest.actions.command import DEFAULT, EDIT
from inventory.rest.serializers import EmptyInput
from inventory.rest.shapes import ANY_ID, DRY_RUN, TEXT, Schema, any_of, closed, listed

#: The keys that name a resource; any other is a text.
_NAMES: dict[str, Schema] = {"id": ANY_ID, "href": TEXT | {"format": "uri-reference"}}


@dataclass(frozen=True)
class Input:
    """The input of an action for one resource."""

    properties: dict[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    #: A resource must have at least one of these attributes.
    one_of: tuple[str, ...] = ()
    #: The resources that need none of them.
    without: tuple[Schema, ...] = ()

    @classmethod
    def of(cls, action: Any, types: AutoSchema) -> Self:
        """Exactly what the action's serializer takes."""
        serializer_class = action.kwargs.get("serializer_class", EmptyInput)
        mapped = types._map_serializer(serializer_class(), "request")
        shape = cls(mapped.get("properties", {}), tuple(mapped.get("required", ())))
        return replace(shape, without=tuple(serializer_class.without))._standing_in(serializer_class.stand_ins)

    def _standing_in(self, stand_ins: Mapping[str, tuple[str, Schema]]) -> Self:
        shape = self
        for name, (original, schema) in stand_ins.items():
            shape = replace(shape, properties={**shape.properties, name: schema})
            if original in self.required:
                remaining = tuple(required for required in shape.required if required != original)
                shape = replace(
                    shape, required=remaining, one_of=tuple(dict.fromkeys((*shape.one_of, original, name)))
                )
        return shape

    def named(self, by: Sequence[str]) -> Self:
        """The same, for a resource that the body names by one of these."""
        names = {name: _NAMES.get(name, TEXT) for name in by}
        return replace(self, properties={**names, **self.properties}, one_of=tuple(by), without=())

    def partial(self) -> Self:
        return replace(self, required=(), one_of=(), without=())

    def schema(self, **beside: Schema) -> Schema:
        """A resource, possibly with other keys `beside` its attributes."""
        schema: Schema = {"type": "object", "properties": {**beside, **self.properties}}
        if self.required:
            schema["required"] = list(self.required)
        if self.one_of:
            schema["anyOf"] = [*({"required": [name]} for name in self.one_of), *self.without]
        return schema | {"additionalProperties": False}


def bodies_of(
    shape: Input, resource: Schema, names: list[str] | None, *, at_most: int, previews: bool = False
) -> list[Schema]:
    """The possible bodies of an action: a resource, resources, or the attributes of one beside the action.

    `resource` refers to the schema of `shape`. `names` are the action's names, unless it is in the URL. `previews`
    says that it takes `dry_run`, and `at_most` how many resources it takes.
    """
    action: dict[str, Schema] = {"dry_run": DRY_RUN} if previews else {}
    if names:
        action["action"] = {"enum": names} if len(names) > 1 else {"const": names[0]}
    required = [] if names in (None, [DEFAULT]) else ["action"]
    ways = [closed({**action, "resource": resource}, *required, "resource")]
    if at_most > 1:
        resources = listed(resource) | {"minItems": 1, "maxItems": at_most}
        ways.append(closed({**action, "resources": resources}, *required, "resources"))
    flat = shape.schema(**action)
    flat["required"] = [*required, *shape.required]
    return [*ways, flat]


def edits_of(shape: Input, resource: Schema) -> list[Schema]:
    """The possible bodies of a PUT: those of a POST of `edit`, with or without the action."""
    return [way for names in (None, [EDIT]) for way in bodies_of(shape, resource, names, at_most=1)]


def changes_of(shape: Input) -> Schema:
    """The other possible body of a PATCH: a list of changes to attributes."""
    changes = [_change(["edit", "add"], name, value=schema) for name, schema in shape.properties.items()]
    changes += [_change(["remove"], name) for name, schema in shape.properties.items() if _can_be_null(schema)]
    return listed(any_of(changes))


def _change(actions: list[str], name: str, **value: Schema) -> Schema:
    properties: dict[str, Schema] = {"action": {"enum": actions}, "path": {"const": name}, **value}
    return closed(properties, *properties)


def _can_be_null(schema: Schema) -> bool:
    return "null" in schema.get("type", ()) or any(_can_be_null(option) for option in schema.get("oneOf", ()))
