"""Answers that the caller has already."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson
from django.utils.http import parse_etags, quote_etag
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.rest.renderers import JSONRenderer, dumped


def unless_known(request: Request, resource: dict[str, Any]) -> Response:
    """A resource with its `ETag`, or 304 if that is one of `If-None-Match`.

    The tag is made of what was read, so it changes with every value that the answer shows, also those of other
    resources. A page for people has none: it shows more than the resource.
    """
    if not isinstance(request.accepted_renderer, JSONRenderer):
        return Response(resource)
    text = dumped(resource)
    etag = quote_etag(blake2b(text, digest_size=16).hexdigest())
    known = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    if known == ["*"] or etag in {tag.removeprefix("W/") for tag in known}:
        return Response(status=304, headers={"ETag": etag})
    return Response(orjson.Fragment(text), headers={"ETag": etag})
