"""The Content-Security-Policy; `tests/browser` looks at pages with it."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client

from inventory.csp import HEADER

TEMPLATES = sorted(path for app in ("inventory", "secgroups") for path in Path(app, "templates").rglob("*.html"))
#: What a policy without `unsafe-inline` forbids in a page.
INLINE = re.compile(r"<style|\sstyle=\W|\son[a-z]+=|javascript:|<script(?![^>]*\bsrc=)", re.IGNORECASE)


def policy(response: Any) -> dict[str, str]:
    directives = (directive.partition(" ") for directive in response.headers[HEADER].split("; "))
    return {name: sources for name, _, sources in directives}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/api/ping", "/api", "/api/docs", "/admin/", "/admin/login/", "/login/", "/nowhere", "/api/nowhere"]
)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_every_answer_has_it(path: str, accept: str, client: Client) -> None:
    response = client.get(path, headers={"Accept": accept})
    assert policy(response) == configured.SECURE_CSP


@pytest.mark.django_db
def test_what_is_refused_before_a_view_has_it(client: Client, settings: Any) -> None:
    assert policy(client.get("/api", headers={"Host": "elsewhere.example.org"}))
    settings.SECURE_SSL_REDIRECT = True
    assert policy(client.get("/api"))


def test_an_error_of_ours_has_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.contrib.auth.views.LoginView.get", lambda *args: 1 / 0)
    client.raise_request_exception = False
    response = client.get("/login/")
    assert response.status_code == 500
    assert policy(response)


def test_pages_for_debugging_do_without(client: Client, settings: Any) -> None:
    settings.DEBUG = True
    assert HEADER not in client.get("/nowhere").headers


def test_it_allows_nothing_inside_a_page_and_no_other_site(client: Client) -> None:
    sent = policy(client.get("/api/ping"))
    assert sent["default-src"] == sent["object-src"] == sent["base-uri"] == sent["frame-ancestors"] == "'none'"
    assert sent["form-action"] == "'self'"
    assert {source for sources in sent.values() for source in sources.split()} == {"'none'", "'self'", "data:"}
    assert [name for name, sources in sent.items() if "data:" in sources] == ["img-src"]


@pytest.mark.django_db  # closing a response looks at connections
def test_static_files_keep_their_type(client: Client) -> None:
    with closing(client.get("/static/inventory/docs.js")) as response:
        assert response.status_code == 200
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_no_template_has_what_it_forbids(template: Path) -> None:
    assert not INLINE.search(template.read_text())
