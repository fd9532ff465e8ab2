"""Chunked bodies (`Transfer-Encoding: chunked`), which Django takes for empty, because they have no length."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler


class Unchunked:
    """Gives a WSGI application chunked bodies as bodies with a length.

    The web server joins the chunks (`wsgi.input_terminated`). A body that is too large is only read far enough to
    know that.
    """

    def __init__(self, application: WSGIHandler) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        if chunked and environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
            environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        response: Iterable[bytes] = self._application(environ, start_response)
        return response
