"""Reads the action that a request's body names, and builds its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from django.conf import settings
from django.http import QueryDict
from rest_framework.fields import BooleanField

from inventory.rest import messages
from inventory.rest.errors import BadInput
from inventory.rest.serializers import without

#: An action's answer for one resource: a `result`, or the resource itself.
Answer = dict[str, Any]
#: The action of a POST that names none.
DEFAULT = "create"
#: The action of a PUT or PATCH.
EDIT = "edit"
#: Whether an action is only previewed, from the inventory or, with `cloud`, from what the cloud has now.
DryRun = bool | Literal["cloud"]
#: The keys of a body that keeps its resources apart from the action.
ENVELOPE = ("action", "dry_run", "resource", "resources")


@dataclass(frozen=True, slots=True)
class Command:
    """An action and its resources. `many` says that the body had a list of them.

    `dry_run` is None if the body does not have it.
    """

    action: str
    resources: tuple[dict[str, Any], ...]
    many: bool
    dry_run: DryRun | None = None

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
        dry_run = _dry_run(data)
        if not {"resource", "resources"} & data.keys():
            return cls(name, (_rest(data),), many=False, dry_run=dry_run)
        if unknown := sorted(data.keys() - set(ENVELOPE)):
            raise BadInput(messages.unknown_body_keys(unknown))
        if "resources" in data:
            return cls(name, _listed(data["resources"]), many=True, dry_run=dry_run)
        return cls(name, (_object(data["resource"]),), many=False, dry_run=dry_run)


def _rest(data: Mapping[str, Any]) -> dict[str, Any]:
    """The body without the action and what is beside it, which is the resource."""
    return without(data, "action", "dry_run", *(["csrfmiddlewaretoken"] if isinstance(data, QueryDict) else []))


def _dry_run(data: Mapping[str, Any]) -> DryRun | None:
    if "dry_run" not in data or (isinstance(data, QueryDict) and not data["dry_run"]):
        return None
    value = data["dry_run"]
    if value == "cloud":
        return "cloud"
    for meaning, values in ((True, BooleanField.TRUE_VALUES), (False, BooleanField.FALSE_VALUES)):
        if isinstance(value, str | int) and value in values:
            return meaning
    raise BadInput(messages.INVALID_DRY_RUN)


def _listed(resources: object) -> tuple[dict[str, Any], ...]:
    if not isinstance(resources, list):
        raise BadInput(messages.NO_LIST)
    if not resources:
        raise BadInput(messages.NO_RESOURCES)
    return tuple(_object(resource) for resource in resources)


def _object(resource: object) -> dict[str, Any]:
    if not isinstance(resource, dict):
        raise BadInput(messages.NO_RESOURCE_OBJECT)
    return resource


def edit_command(data: object) -> Command:
    """The command in the body of a PUT or PATCH: attributes, the body of an `edit`, or a list of changes."""
    if not isinstance(data, list):
        command = Command.parse(data if isinstance(data, QueryDict) else _object(data), EDIT)
        if command.many:
            raise BadInput(messages.ONE_IN_PATCH)
        return command
    changes = [_edit(_object(change)) for change in data]
    if len(edited := dict(changes)) < len(changes):
        raise BadInput(messages.REPEATED_CHANGE)
    return Command(EDIT, (edited,), many=False)


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


def at_most(action: Any) -> int:
    """How many resources a declared action takes at once."""
    limit: int = getattr(settings, action.kwargs.get("at_most", "API_PAGE_LIMIT"))
    return limit
