"""No charset of a request makes an error of the service."""

from __future__ import annotations

import io
from http import HTTPStatus
from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory

from inventory.charsets import KnownCharsets

pytestmark = pytest.mark.django_db


def status(path: str, content_type: str, method: str = "GET", body: bytes = b"") -> int:
    """What the application answers to a web server."""
    environ = RequestFactory().generic(method, path).environ | {
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    statuses: list[int] = []

    def start_response(line: str, headers: Any, error: Any = None) -> Any:
        statuses.append(int(line.partition(" ")[0]))

    list(KnownCharsets(get_wsgi_application())(environ, start_response))
    return statuses[0]


@pytest.mark.parametrize(
    "charset", ["hex", "undefined", "idna", "raw_unicode_escape", "punycode", "utf-7", '"hex"', ""]
)
@pytest.mark.parametrize("path", ["/api/ping?x=1", "/healthz?x=1"])
def test_no_charset_fails(charset: str, path: str) -> None:
    assert status(path, f"text/plain; charset={charset}") < HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize("path", ["/login/", "/admin/login/", "/api/tokens", "/oidc/callback/"])
def test_none_decodes_to_half_characters(path: str) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\n\\ud800\r\n--b--\r\n'
    content_type = "multipart/form-data; boundary=b; charset=raw_unicode_escape"
    for method, body in (("GET", b""), ("POST", form)):
        assert status(f"{path}?state=\\ud800", content_type, method, body) < HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("text/html; charset=UTF-8", "text/html; charset=UTF-8"),
        ('text/html; charset="latin1"; a=b', 'text/html; charset="latin1"; a=b'),
        ("multipart/form-data; charset=hex; boundary=b", "multipart/form-data; boundary=b"),
        ("application/json", "application/json"),
    ],
)
def test_known_charsets_stay(given: str, kept: str) -> None:
    seen: list[str] = []
    KnownCharsets(lambda environ, start_response: seen.append(environ["CONTENT_TYPE"]) or [])(
        {"CONTENT_TYPE": given}, lambda *arguments: None
    )
    assert seen == [kept]
