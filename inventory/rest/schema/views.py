"""The description of the API, for programs and for people."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.rest.http.views import ApiView
from inventory.rest.schema.document import document


class SchemaView(ApiView):
    """The API described as OpenAPI 3.1."""

    place = "Schema"

    @extend_schema(responses={200: {"type": "object", "required": ["openapi", "info", "paths"]}})
    def get(self, request: Request, **kwargs: Any) -> Response:
        """The API described as OpenAPI 3.1."""
        return Response(document(self.kwargs.get("version")))


class DocsView(ApiView):
    """A page to read the description and try it out."""

    place = "Docs"

    @extend_schema(responses={(200, "text/html"): {"type": "string"}})
    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        """A page to read the description and try it out."""
        return render(request, "rest/docs.html", {"schema": f"{self.hrefs.root}/schema"})
