"""Actions: what the body of a POST asks for, and the results that answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.conf import settings
from django.http import QueryDict

from inventory.rest.errors import BadInput
from inventory.rest.serializers import without

#: What an action answers for one resource: a `result`, or the resource itself.
Answer = dict[str, Any]
#: What clients call a POST without an action.
DEFAULT = "create"
#: What a PUT or PATCH is.
EDIT = "edit"
#: What a body has that says its resources by themselves.
ENVELOPE = ("action", "resource", "resources")


@dataclass(frozen=True, slots=True)
class Command:
    """The body of a POST: an action and the resources it is for; `many` if they came as a list."""

    action: str
    resources: tuple[dict[str, Any], ...]
    many: bool

    @classmethod
    def parse(cls, data: object, action: str | None = None) -> Self:
        """Read a body; `action` where the URL names it. `BadInput` says what is wrong with it."""
        if not isinstance(data, Mapping):
            raise BadInput("The body must be a JSON object")
        if isinstance(data, QueryDict) and len(data.getlist("action")) > 1:
            raise BadInput("Key given several times: action")
        named = data.get("action", action or DEFAULT)
        if not isinstance(named, str):
            raise BadInput("The action must be a string")
        if action not in {None, named}:
            raise BadInput(f"The URL is of the action {action}, and the body of {named}")
        if "resource" in data and "resources" in data:
            raise BadInput("The body must have either a resource or resources, not both")
        if not {"resource", "resources"} & data.keys():
            return cls(named, (_rest(data),), many=False)
        if unknown := sorted(data.keys() - set(ENVELOPE)):
            raise BadInput(f"Unknown key in the body: {', '.join(unknown)}")
        if "resources" in data:
            return cls(named, _listed(data["resources"]), many=True)
        return cls(named, (_object(data["resource"]),), many=False)


def _rest(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the body says beside the action: the resource itself."""
    return without(data, "action", *(["csrfmiddlewaretoken"] if isinstance(data, QueryDict) else []))


def _listed(resources: object) -> tuple[dict[str, Any], ...]:
    if not isinstance(resources, list):
        raise BadInput("The resources must be a list")
    if not resources:
        raise BadInput("No resources specified")
    if len(resources) > settings.API_PAGE_LIMIT:
        raise BadInput(f"Too many resources specified: at most {settings.API_PAGE_LIMIT} in one request")
    return tuple(_object(resource) for resource in resources)


def _object(resource: object) -> dict[str, Any]:
    if not isinstance(resource, dict):
        raise BadInput("A resource must be a JSON object")
    return resource


def edited_attributes(data: object) -> dict[str, Any]:
    """The body of a PUT or PATCH: an object of attributes, what a POST of `edit` has, or a list of changes."""
    if not isinstance(data, list):
        command = Command.parse(data if isinstance(data, QueryDict) else _object(data), EDIT)
        if command.many:
            raise BadInput("A PUT or PATCH is of the one resource of its address")
        return command.resources[0]
    changes = [_edit(_object(change)) for change in data]
    if len(edited := dict(changes)) < len(changes):
        raise BadInput("An attribute can be changed once in a PATCH")
    return edited


def _edit(change: dict[str, Any]) -> tuple[str, Any]:
    if unknown := sorted(change.keys() - {"action", "path", "value"}):
        raise BadInput(f"Unknown key in a change of a PATCH: {', '.join(unknown)}")
    action, path = change.get("action"), change.get("path")
    if action not in ("edit", "add", "remove"):  # no set: anything can stand here, also what has no hash
        raise BadInput(f"Unsupported Action {action} in a PATCH: it must be edit, add or remove")
    if not isinstance(path, str) or not path:
        raise BadInput("A change in a PATCH must name an attribute in its path")
    if ("value" in change) == (action == "remove"):
        needed = "can have no value" if action == "remove" else "must have a value"
        raise BadInput(f"The change of {path} in a PATCH {needed}")
    return path.removeprefix("/"), change.get("value")


def result(success: bool, message: str, **links: Any) -> Answer:
    """What became of an action on one resource, with the addresses that go with it."""
    return {"success": success, "message": message, **links}
