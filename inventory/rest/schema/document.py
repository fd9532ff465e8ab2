"""The OpenAPI document."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from django.conf import settings
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator

from inventory.rest.resources import get_resource_type
from inventory.rest.shapes import METADATA, SECURITY, Schema

_ROOT = re.compile(r"^.*?\(\?:/\|\$\)")


class Addresses(EndpointEnumerator):
    """The addresses of the API, without the optional version segment."""

    def get_path_from_regex(self, path_regex: str) -> str:
        path: str = super().get_path_from_regex(_ROOT.sub("api/", path_regex))
        return path.rstrip("/")


class Generator(SchemaGenerator):
    """Describes the API below `/api`, or below `/api/v<version>` for a version."""

    endpoint_inspector_cls = Addresses

    def coerce_path(self, path: str, method: str, view: Any) -> str:
        """`{providers_pk}` is the `{provider_id}`."""
        return re.sub(r"{(\w+?)s?_pk}", r"{\1_id}", super().coerce_path(path, method, view))

    def parse(self, input_request: Any, public: bool) -> Schema:
        paths: Schema = super().parse(input_request, public)
        for name in settings.COLLECTIONS:
            paths[f"/api/{name}"]["options"] = _metadata(paths[f"/api/{name}"]["get"])
        paths["/api/ping"] = {"get": _PING}
        root = f"/api/v{self.api_version}" if self.api_version else "/api"
        return {path.replace("/api", root, 1): operations for path, operations in sorted(paths.items())}

    def get_schema(self, request: Any = None, public: bool = False) -> Schema:
        document: Schema = super().get_schema(request, public)
        document["info"]["version"] = settings.REST_FRAMEWORK["DEFAULT_VERSION"]
        document["components"]["securitySchemes"] = SECURITY
        descriptions = {"api": "The API itself."} | {
            name: get_resource_type(name).description for name in sorted(settings.COLLECTIONS)
        }
        document["tags"] = [{"name": name, "description": text} for name, text in descriptions.items()]
        return document


@cache
def document(version: str | None = None) -> Schema:
    """The description of the API, which is the same for everybody and created once in a process."""
    return Generator(api_version=version).get_schema(public=True)


_PING = {
    "operationId": "ping",
    "summary": "Check that the service answers, without a login",
    "tags": ["api"],
    "security": [{}],
    "responses": {
        "200": {"description": "The service answers", "content": {"text/plain": {"schema": {"const": "pong"}}}}
    },
}


def _metadata(operation: Schema) -> Schema:
    """The OPTIONS operation of a collection, whose GET is `operation`."""
    response = {"description": "The names", "content": {"application/json": {"schema": METADATA}}}
    errors = {status: operation["responses"][status] for status in operation["responses"] if status != "200"}
    return {
        "operationId": f"{operation['operationId'].removesuffix('list')}describe",
        "summary": "The names of attributes, relations and subcollections",
        "tags": operation["tags"],
        "security": operation["security"],
        "responses": {"200": response, **errors},
    }
