"""Choosing the parser and the renderer of a request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import IO, Any

import orjson
from django.http import HttpRequest
from rest_framework.exceptions import NotAcceptable, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from inventory.rest import messages


class JSONParser(BaseParser):
    """Strict JSON. Repeated keys are errors, because a value would be lost."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read()  # at most DATA_UPLOAD_MAX_MEMORY_SIZE: the view has checked its length
        if b"\\u0000" in body:
            raise ParseError(messages.NUL_IN_BODY)  # no database can store one in a text
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(messages.not_json(error)) from error
        try:
            json.loads(body, object_pairs_hook=_each_once)  # orjson silently keeps the last of several
        except RecursionError as error:
            raise ParseError(messages.TOO_DEEP) from error
        return parsed


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    """Raises `ParseError` if a key is repeated."""
    if len({key for key, _ in pairs}) < len(pairs):
        names = [key for key, _ in pairs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ParseError(messages.repeated_keys(repeated))


class Negotiation(DefaultContentNegotiation):
    """Treats every body but multipart as JSON, because `curl -d` labels JSON as a form.

    `Accept` chooses the renderer, including its weights. The default is JSON.
    """

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        form = is_form(request)
        return next(parser for parser in parsers if isinstance(parser, MultiPartParser) == form)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        format_name = request.query_params.get("format")
        offered = [
            renderer for renderer in renderers if renderer.media_type and format_name in {None, renderer.format}
        ]
        if format_name or not request.META.get("HTTP_ACCEPT"):
            preferred = offered[0].media_type if offered else None
        else:
            preferred = _preferred(
                request.META["HTTP_ACCEPT"], tuple(str(renderer.media_type) for renderer in offered)
            )
        if preferred is None:
            requested = format_name or request.META["HTTP_ACCEPT"]
            raise NotAcceptable(messages.unsupported_format(requested))
        return next(renderer for renderer in offered if renderer.media_type == preferred), preferred


def is_form(request: Request) -> bool:
    """Whether the body is a browser's form."""
    return (request.content_type or "").startswith("multipart/form-data")


@lru_cache(maxsize=100)  # clients repeat their `Accept`
def _preferred(accept: str, offered: tuple[str, ...]) -> str | None:
    request = HttpRequest()
    request.META["HTTP_ACCEPT"] = accept
    return request.get_preferred_type(offered)
