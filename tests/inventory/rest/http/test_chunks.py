"""Bodies in chunks, as gunicorn hands them to the application."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from gunicorn.config import Config
from gunicorn.http import RequestParser
from gunicorn.http.wsgi import create

from inventory.models import Task
from inventory.rest.http.chunks import Unchunked
from tests.cast import Cast

HERE = ("127.0.0.1", 8000)


@pytest.fixture(autouse=True)
def one_connection(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction of the test is on it: the end of a request must not close it."""
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)


def post(path: str, *chunks: bytes, **headers: str) -> tuple[int, Any]:
    """What is answered to a body of these chunks, whatever length the headers claim."""
    fields = {
        "Host": "localhost",
        "Authorization": f"Basic {base64.b64encode(b'admin:password').decode()}",
        "Transfer-Encoding": "chunked",
        **headers,
    }
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))

    def arriving() -> Iterator[bytes]:
        yield f"POST {path} HTTP/1.1\r\n{head}\r\n".encode()
        yield body

    request = next(RequestParser(Config(), arriving(), HERE))
    with socket.socket() as sock:
        _, environ = create(request, sock, HERE, HERE, Config())
    status: list[str] = []
    answer = Unchunked(WSGIHandler())(environ, lambda line, *args: status.append(line))
    return int(status[0].split()[0]), json.loads(b"".join(answer))


@pytest.mark.usefixtures("admin_user")
class TestChunks:
    def test_they_are_read(self, cast: Cast) -> None:
        status, answer = post(f"/api/providers/{cast.acme.pk}", b'{"action": "ref', b'resh", "force": true}')
        assert (status, answer["success"]) == (HTTPStatus.OK, True)
        assert Task.objects.get().arguments["force"] is True

    def test_none_at_all_is_no_body(self, cast: Cast) -> None:
        status, answer = post(f"/api/providers/{cast.acme.pk}")
        assert status == HTTPStatus.BAD_REQUEST
        assert answer["error"]["message"] == "The request must have a body"

    def test_too_much_is_413_as_of_a_known_length(self, cast: Cast) -> None:
        large = b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2)
        status, answer = post(f"/api/providers/{cast.acme.pk}", large, large, b"x")
        assert status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        assert answer["error"]["kind"] == "payload_too_large"

    def test_a_form_can_come_in_chunks(self, cast: Cast) -> None:
        part = b'--b\r\nContent-Disposition: form-data; name="action"\r\n\r\nrefresh\r\n--b--\r\n'
        kind = "multipart/form-data; boundary=b"
        status, _ = post(f"/api/providers/{cast.acme.pk}", part[:20], part[20:], Content_Type=kind)
        assert status == HTTPStatus.OK


def test_the_web_server_runs_the_application_that_reads_them() -> None:
    from settings.wsgi import application

    assert isinstance(application, Unchunked)
