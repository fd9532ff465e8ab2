"""The description of the API has everything that there is, as the collections declare it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string
from openapi_spec_validator import validate

from inventory.rest.parameters import SELECTING
from inventory.rest.resources import ToMany
from inventory.rest.routers import viewset_of
from inventory.rest.schema.document import Generator, document
from inventory.rest.shapes import ENDPOINT, SECURITY
from inventory.validators import validate_endpoint
from tests.cast import FILE, FILE_TYPE

Schema = dict[str, Any]
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def schema() -> Schema:
    return document()


def viewsets() -> Iterator[tuple[str, Any]]:
    """Each address of a collection or subcollection, with its viewset."""
    for name in settings.COLLECTIONS:
        viewset = viewset_of(name)
        yield f"/api/{name}", viewset
        for below, declared in viewset.subcollections.items():
            yield f"/api/{name}/{{{name.removesuffix('s')}_id}}/{below}", import_string(declared.viewset)


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        regex = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, regex)
        else:
            yield regex, pattern


def inner(schema: Schema, reference: Schema) -> Schema:
    """What a reference refers to."""
    found = schema
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def answer_of(operation: Schema, status: str = "200") -> Schema:
    found: Schema = operation["responses"][status]["content"]["application/json"]["schema"]
    return found


def bodies_of(operation: Schema) -> list[Schema]:
    """All the ways to write the body of a request."""
    return list(_ways(operation["requestBody"]["content"]["application/json"]["schema"]))


def _ways(schema: Schema) -> Iterator[Schema]:
    if "properties" in schema:
        yield schema
    else:
        for way in schema["anyOf"]:
            yield from _ways(way)


def test_it_is_valid_openapi_3_1(schema: Schema) -> None:
    assert schema["openapi"].startswith("3.1.")
    validate(schema)


def test_every_address_and_method_under_the_api_is_described(schema: Schema) -> None:
    described = {(path, method) for path, operations in schema["paths"].items() for method in operations}
    found = set()
    for regex, pattern in routes(get_resolver().url_patterns):
        if not regex.startswith("api") or pattern.name == "nowhere":
            continue
        path = re.sub(r"^api.*?\(\?:/\|\$\)", "/api/", regex).rstrip("/")
        path = re.sub(r"\(\?P<(\w+?)s?_pk>[^)]+\)", r"{\1_id}", path).replace("(?P<pk>[^/]+)", "{id}")
        callback: Any = pattern.callback
        methods = getattr(callback, "actions", None) or {
            method: method for method in METHODS if hasattr(getattr(callback, "cls", None), method)
        }
        found |= {(path, method) for method in methods or {"get"} if method in METHODS}
    refused = {(path, method) for path, method in found - described if method == "post" and path.endswith("/{id}")}
    assert found - described == refused
    assert {(path, method) for path, method in described - found if method != "options"} == set()
    for path, _ in refused:  # a POST that nothing could be asked of
        viewset = dict(viewsets())[path.removesuffix("/{id}")]
        assert not [action for action in viewset.declared_actions() if action.detail]


@pytest.mark.parametrize("path", [path for path, _ in viewsets()])
def test_every_attribute_relation_and_subcollection_is_described(schema: Schema, path: str) -> None:
    viewset = dict(viewsets())[path]
    resource = inner(schema, answer_of(schema["paths"][f"{path}/{{id}}"]["get"]))
    declared = {"href", "id", "actions", *viewset.resource_type.columns, *viewset.resource_type.computed_names}
    to_many = {name for name, relation in viewset.relations.items() if isinstance(relation, ToMany)}
    declared |= {*viewset.relations, *viewset.subcollections}
    assert resource["properties"].keys() - {"more"} == declared
    rest = resource["properties"].get("more", {"properties": {}})
    assert rest["properties"].keys() == to_many | viewset.subcollections.keys()
    page = inner(schema, answer_of(schema["paths"][path]["get"]))
    assert page["properties"]["name"] == {"const": viewset.collection}
    assert inner(schema, page["properties"]["resources"]["items"]) == resource


@pytest.mark.parametrize("path", [path for path, _ in viewsets()])
def test_every_action_is_described_where_it_can_be_asked_for(schema: Schema, path: str) -> None:
    declared = dict(viewsets())[path].declared_actions()
    for address, actions in (
        (path, declared),
        (f"{path}/{{id}}", [action for action in declared if action.detail]),
    ):
        names = {name for action in actions for name in (action.url_path, *action.kwargs.get("aliases", ()))}
        if names:
            ways = bodies_of(schema["paths"][address]["post"])
            assert set().union(*map(asked_by, ways)) == names


def asked_by(way: Schema) -> set[str]:
    """The actions that a body of this shape asks for, by all their names."""
    action = way["properties"]["action"]
    return set(action.get("enum", [action.get("const")]))


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("http://cloud:5000/v3", True),
        ("file:///acme-2026.json", True),
        ("https://user:password@cloud", False),
        ("ftp://cloud", False),
        ("file:///a/b.json", False),
        ("file:///..", False),
        ("file://cloud/acme.json", False),
    ],
)
def test_a_url_is_what_is_taken_for_one(url: str, taken: bool) -> None:
    assert bool(re.search(ENDPOINT["pattern"], url)) is taken
    with nullcontext() if taken else pytest.raises(ValidationError):
        validate_endpoint(url)


def test_the_body_of_an_action_has_what_its_serializer_takes(schema: Schema) -> None:
    ways = bodies_of(schema["paths"]["/api/providers"]["post"])
    one, many, flat = (way for way in ways if asked_by(way) == {"create"})
    attributes = inner(schema, one["properties"]["resource"])
    assert many["properties"]["resources"]["items"] == one["properties"]["resource"]
    assert {"name", "type", "credentials", "connection_configurations"} < attributes["properties"].keys()
    assert attributes["required"] == ["name", "type"]
    without = {"properties": {"type": {"enum": [FILE_TYPE, FILE]}}}
    named = ("credentials", "connection_configurations", "authentications")
    assert attributes["anyOf"] == [*({"required": [name]} for name in named), without]
    assert flat["properties"].keys() == {"action", *attributes["properties"]}
    assert "action" not in flat["required"]  # a POST without one creates


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("guid", {"type": "string", "format": "uuid"}),
        ("description", {"type": ["string", "null"]}),
        ("cloud_tenant_id", {"type": ["string", "null"], "pattern": "^[0-9]+$"}),
        ("created_on", {"type": "string", "format": "date-time"}),
        ("template", {"type": "boolean"}),
        ("power_state", {"enum": ["on", "off", "paused", "suspended", "unknown"], "type": "string"}),
        ("total_security_groups", {"type": "integer"}),
        ("ipaddresses", {"type": "array", "items": {"type": "string"}}),
        ("cloud_tenant", {"anyOf": [{"$ref": "#/components/schemas/CloudTenant"}, {"type": "null"}]}),
        ("network_ports", {"type": "array", "items": {"$ref": "#/components/schemas/NetworkPort"}}),
    ],
)
def test_an_attribute_has_the_type_of_its_column(schema: Schema, name: str, expected: Schema) -> None:
    assert schema["components"]["schemas"]["Vm"]["properties"][name] == expected


def test_everything_but_the_ping_and_the_product_asks_for_a_login_and_says_what_is_refused(schema: Schema) -> None:
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if path in {"/api/ping", "/api/product_info"}:
                assert operation["security"] == [{}]
            else:
                token_only = operation["operationId"] == "auth_delete"
                assert operation["security"] == [
                    {name: []} for name in SECURITY if name == "token" or not token_only
                ]
                assert {"400", "401", "415"} < operation["responses"].keys()


def test_it_is_served_with_the_version_that_was_asked_for(admin_client: Client) -> None:
    assert admin_client.get("/api/schema").json() == document()
    versioned = admin_client.get("/api/v1.0.0/schema").json()
    assert all(path.startswith("/api/v1.0.0") for path in versioned["paths"])
    assert len(versioned["paths"]) == len(document()["paths"])


def test_it_is_made_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    Generator().get_schema(public=True)
    assert capsys.readouterr().err == ""


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema", "/api/docs"])
def test_nobody_reads_it_without_a_login(client: Client, path: str) -> None:
    assert client.get(path).status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.django_db
def test_a_browser_is_led_from_the_docs_to_the_login(client: Client) -> None:
    answer = client.get("/api/docs", headers={"accept": "text/html"})
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert "/login/?next=/api/docs" in answer.content.decode()


def test_the_docs_need_no_other_host(admin_client: Client) -> None:
    answer = admin_client.get("/api/docs", headers={"accept": "text/html"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    sources = re.findall(r'(?:src|href)="([^"]+)"', answer.content.decode())
    assert len(sources) >= 3
    for source in sources:
        assert source.startswith("/static/")
        file = admin_client.get(source)
        file.close()
        assert file.status_code == HTTPStatus.OK


@pytest.mark.parametrize("path", [path for path, _ in viewsets()])
def test_the_parameters_that_are_described_are_those_that_are_understood(schema: Schema, path: str) -> None:
    viewset = dict(viewsets())[path]
    [*above, _] = [part for part in path.split("/")[2:] if not part.startswith("{")]
    for address, action in ((path, "list"), (f"{path}/{{id}}", "retrieve")):
        described = schema["paths"][address]["get"]["parameters"]
        assert {one["name"] for one in described if one["in"] == "query"} == set(
            viewset.allowed_parameters(action, *above)
        )
    for operation in (operations["post"] for operations in schema["paths"].values() if "post" in operations):
        described = {one["name"] for one in operation["parameters"] if one["in"] == "query"}
        assert described == (SELECTING if operation["operationId"].endswith("_query") else set())
