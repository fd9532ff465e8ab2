"""Conditional requests: `If-None-Match` for reads, `If-Match` for changes."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson
from django.utils.http import parse_etags, quote_etag
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.rest import messages
from inventory.rest.http.renderers import JSONRenderer, dumped

IF_MATCH = "HTTP_IF_MATCH"


def conditional_response(request: Request, resource: dict[str, Any]) -> Response:
    """A resource with its `ETag`, or 304 if `If-None-Match` has it.

    The tag is a hash of the answer, so it changes with every value that it shows, even those of other resources.
    HTML pages have none, because they show more than the resource.
    """
    if not isinstance(request.accepted_renderer, JSONRenderer):
        return Response(resource)
    text = dumped(resource)
    etag = _etag(text)
    etags = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    if etags == ["*"] or etag in {tag.removeprefix("W/") for tag in etags}:
        return Response(status=304, headers={"ETag": etag})
    return Response(orjson.Fragment(text), headers={"ETag": etag})


class PreconditionFailed(APIException):
    status_code = 412
    default_detail = messages.CHANGED


def ensure_unchanged(request: Request, resource: dict[str, Any]) -> None:
    """Raises `PreconditionFailed` unless `If-Match` has the tag of the resource, as read without parameters."""
    etags = parse_etags(request.META[IF_MATCH])
    if etags != ["*"] and _etag(dumped(resource)) not in etags:
        raise PreconditionFailed


def _etag(text: bytes) -> str:
    return quote_etag(blake2b(text, digest_size=16).hexdigest())
