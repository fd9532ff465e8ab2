"""The charsets of requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

#: Those that decode whatever a client sends to characters that a database takes.
_KNOWN = re.compile(r"utf-?8|us-ascii|iso-8859-1|latin-?1|windows-1252", re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?(?P<name>[^;\"\s]*)\"?", re.IGNORECASE)


class KnownCharsets:
    """Removes any other charset from `Content-Type`, so that the request is read as UTF-8.

    Django looks it up among all codecs of Python when it makes a request, before any middleware. Some of them
    fail, and some decode to half of a surrogate pair.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if content_type := environ.get("CONTENT_TYPE"):
            environ["CONTENT_TYPE"] = _CHARSET.sub(
                lambda match: match[0] if _KNOWN.fullmatch(match["name"]) else "", content_type
            )
        return self._application(environ, start_response)
