"""Which parser reads a request's body, and which renderer answers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request


class JSONParser(BaseParser):
    """Strict JSON."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise RequestDataTooBig
        if b"\\u0000" in body:
            raise ParseError("The body must not contain NUL characters")  # no database can store one in a text
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from error


class Negotiation(DefaultContentNegotiation):
    """A body is JSON whatever its Content-Type says, for `curl -d` calls it a form; only multipart is a form."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        form = (request.content_type or "").startswith("multipart/form-data")
        return next(parser for parser in parsers if isinstance(parser, MultiPartParser) == form)
