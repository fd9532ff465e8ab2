from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client

from inventory.rest.actions.command import Command, edit_command
from inventory.rest.errors import BadInput
from secgroups.api.provider_security_groups import GroupEditInput
from secgroups.models import SecurityGroup


def test_one_resource_stands_under_its_key() -> None:
    assert Command.parse({"action": "add", "resource": {"name": "web"}}) == Command(
        "add", ({"name": "web"},), False
    )


def test_without_the_key_the_rest_of_the_body_is_the_resource() -> None:
    assert Command.parse({"action": "add", "name": "web"}) == Command("add", ({"name": "web"},), False)


def test_a_list_is_many_even_with_one_in_it() -> None:
    assert Command.parse({"action": "add", "resources": [{"name": "web"}]}).many


def test_without_an_action_it_is_create() -> None:
    assert Command.parse({"name": "aws"}) == Command("create", ({"name": "aws"},), False)


def test_the_fields_of_a_form_that_were_left_empty_say_nothing() -> None:
    form = QueryDict("action=edit&name=web&description=&csrfmiddlewaretoken=x")
    [resource] = Command.parse(form).resources
    assert GroupEditInput.validated(resource, SecurityGroup()) == {"name": "web"}


def test_the_address_of_an_action_and_the_body_name_the_same() -> None:
    assert Command.parse({"action": "add", "name": "web"}, "add") == Command.parse({"name": "web"}, "add")
    with pytest.raises(BadInput, match="The address is of the action add, but the body names remove"):
        Command.parse({"action": "remove", "name": "web"}, "add")


@pytest.mark.parametrize("body", [None, [], "add", 3, [{"action": "add"}]])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(BadInput, match="The body must be a JSON object"):
        Command.parse(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"action": 3}, "action must be a string"),
        ({"action": ["add"]}, "action must be a string"),
        ({"resources": []}, "No resources specified"),
        ({"resources": {"name": "web"}}, "must be a list"),
        ({"resources": None}, "must be a list"),
        ({"resources": ["web"]}, "must be a JSON object"),
        ({"resource": "web"}, "must be a JSON object"),
        ({"resource": None}, "must be a JSON object"),
        ({"resource": {}, "resources": [{}]}, "not both"),
        ({"resource": {}, "force": True, "filter": True}, "Unknown key in the body: filter, force"),
        ({"resource": {}, "dry_run": None}, "dry_run must be true, false or cloud"),
        ({"name": "web", "dry_run": "yes, please"}, "dry_run must be true, false or cloud"),
        ({"name": "web", "dry_run": [True]}, "dry_run must be true, false or cloud"),
        ({"resources": [{}], "filter": []}, "Unknown key in the body: filter"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(body: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Command.parse(body)


def test_a_patch_changes_and_removes_what_its_paths_name() -> None:
    changes = [{"action": "edit", "path": "/name", "value": "aws"}, {"action": "remove", "path": "url"}]
    assert edit_command(changes).resources[0] == {"name": "aws", "url": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": "foo", "path": "name"}, "Unsupported Action foo in a PATCH"),
        ({"action": {}, "path": "name"}, "Unsupported Action {} in a PATCH"),
        ({"action": [], "path": "name"}, re.escape("Unsupported Action [] in a PATCH")),
        ({"path": "name", "value": 1}, "Unsupported Action None in a PATCH"),
        ({"action": "edit", "value": 1}, "must name an attribute in its path"),
        ({"action": "edit", "path": 3, "value": 1}, "must name an attribute in its path"),
        ({"action": "edit", "path": "name"}, "The change of name in a PATCH must have a value"),
        ({"action": "remove", "path": "name", "value": 1}, "The change of name in a PATCH can have no value"),
        ({"action": "edit", "path": "name", "value": 1, "op": 1}, "Unknown key in a change of a PATCH: op"),
        ("name", "A resource must be a JSON object"),
    ],
)
def test_what_is_wrong_with_a_patch_is_said(change: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        edit_command([change])


@pytest.mark.parametrize("attributes", [{"name": "aws"}, {}])
def test_an_edit_by_its_method_may_be_written_as_one_by_its_name(attributes: dict[str, Any]) -> None:
    for body in (attributes, {"action": "edit", **attributes}, {"resource": attributes}):
        assert edit_command(body).resources[0] == attributes
    assert edit_command({"action": "edit", "resource": attributes}).resources[0] == attributes


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"action": "delete", "name": "aws"}, "of the action edit, but the body names delete"),
        ({"resources": [{"name": "aws"}]}, "only the resource of its address"),
        ({"resource": {}, "name": "aws"}, "Unknown key in the body: name"),
        ({"resource": None}, "A resource must be a JSON object"),
        (None, "A resource must be a JSON object"),
    ],
)
def test_an_edit_that_is_written_as_something_else_is_refused(body: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        edit_command(body)


def test_a_patch_changes_an_attribute_once() -> None:
    with pytest.raises(BadInput, match="an attribute only once"):
        edit_command([{"action": "edit", "path": path, "value": 1} for path in ("name", "/name")])


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_without_a_body_nothing_is_asked_for(admin_client: Client, method: str) -> None:
    answer = getattr(admin_client, method)("/api/providers/1", b"", "application/json")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["message"] == "The request must have a body"


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize(("path", "expected"), [("vms", True), ("network_ports/1", False), ("tasks/1", True)])
def test_a_post_is_allowed_only_where_there_is_an_action(admin_client: Client, path: str, expected: bool) -> None:
    allowed = admin_client.options(f"/api/{path}").headers["Allow"].split(", ")
    assert ("POST" in allowed) == expected
