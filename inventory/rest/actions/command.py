"""Reads the action that a request's body names, and builds its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.conf import settings
from django.http import QueryDict

from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.serializers import without

#: An action's answer for one resource: a `result`, or the resource itself.
Answer = dict[str, Any]
#: The action of a POST that names none.
DEFAULT = "create"
#: The action of a PUT or PATCH.
EDIT = "edit"
#: The keys of a body that keeps its resources apart from the action.
ENVELOPE = ("action", "resource", "resources")


@dataclass(frozen=True, slots=True)
class Command:
    """An action and its resources. `many` says that the body had a list of them."""

    action: str
    resources: tuple[dict[str, Any], ...]
    many: bool

    @classmethod
    def parse(cls, data: object, action: str | None = None) -> Self:
        """Parse a body. `action` is the one that the URL names, if it does. Raises `BadInput`."""
        if not isinstance(data, Mapping):
            raise BadInput(messages.NO_OBJECT)
        if isinstance(data, QueryDict) and len(data.getlist("action")) > 1:
            raise BadInput(messages.repeated_keys(["action"]))
        name = data.get("action", action or DEFAULT)
        if not isinstance(name, str):
            raise BadInput(messages.NO_ACTION_NAME)
        if action not in {None, name}:
            raise BadInput(messages.different_actions(str(action), name))
        if "resource" in data and "resources" in data:
            raise BadInput(messages.RESOURCE_AND_RESOURCES)
        if not {"resource", "resources"} & data.keys():
            return cls(name, (_rest(data),), many=False)
        if unknown := sorted(data.keys() - set(ENVELOPE)):
            raise BadInput(messages.unknown_body_keys(unknown))
        if "resources" in data:
            return cls(name, _listed(data["resources"]), many=True)
        return cls(name, (_object(data["resource"]),), many=False)


def _rest(data: Mapping[str, Any]) -> dict[str, Any]:
    """The body without the action, which is the resource."""
    return without(data, "action", *(["csrfmiddlewaretoken"] if isinstance(data, QueryDict) else []))


def _listed(resources: object) -> tuple[dict[str, Any], ...]:
    if not isinstance(resources, list):
        raise BadInput(messages.NO_LIST)
    if not resources:
        raise BadInput(messages.NO_RESOURCES)
    if len(resources) > settings.API_PAGE_LIMIT:
        raise BadInput(messages.too_many_resources(settings.API_PAGE_LIMIT))
    return tuple(_object(resource) for resource in resources)


def _object(resource: object) -> dict[str, Any]:
    if not isinstance(resource, dict):
        raise BadInput(messages.NO_RESOURCE_OBJECT)
    return resource


def edited_attributes(data: object) -> dict[str, Any]:
    """The attributes in the body of a PUT or PATCH: an object, the body of an `edit`, or a list of changes."""
    if not isinstance(data, list):
        command = Command.parse(data if isinstance(data, QueryDict) else _object(data), EDIT)
        if command.many:
            raise BadInput(messages.ONE_IN_PATCH)
        return command.resources[0]
    changes = [_edit(_object(change)) for change in data]
    if len(edited := dict(changes)) < len(changes):
        raise BadInput(messages.REPEATED_CHANGE)
    return edited


def _edit(change: dict[str, Any]) -> tuple[str, Any]:
    if unknown := sorted(change.keys() - {"action", "path", "value"}):
        raise BadInput(messages.unknown_change_keys(unknown))
    action, path = change.get("action"), change.get("path")
    if action not in ("edit", "add", "remove"):  # no set: the value may be unhashable
        raise BadInput(messages.unsupported_change(action))
    if not isinstance(path, str) or not path:
        raise BadInput(messages.NO_PATH)
    if ("value" in change) == (action == "remove"):
        raise BadInput(messages.value_in_change(path, needed=action != "remove"))
    return path.removeprefix("/"), change.get("value")


def result(success: bool, message: str, **links: Any) -> Answer:
    """The outcome of an action on one resource. `links` are added to it."""
    return {"success": success, "message": message, **links}
