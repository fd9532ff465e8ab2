"""Which settings stop a start, and what one setting for TLS does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from django.test import Client

from inventory import configuration, messages
from settings.addresses import https_origins, path_prefix
from tests.e2e.service import clean_environment
from tests.e2e.units import example_environment

ROOT = Path(__file__).parents[2]
PLACEHOLDER = "CHANGE-ME"
PLACEHOLDERS = [name for name, value in example_environment().items() if PLACEHOLDER in value]
#: What the start of each kind of process is, but for its work.
STARTS = {
    "web server": ("-m", "gunicorn", "settings.wsgi", "--check-config"),
    "worker": ("-m", "celery", "--quiet", "--app=settings", "worker", "--pool=threads"),
    "scheduler": ("-m", "celery", "--quiet", "--app=settings", "beat"),
    "migrate": ("manage.py", "migrate"),
    "standalone": ("manage.py", "standalone", "--port=0"),
}


def filled_in() -> dict[str, str]:
    """`deploy/portcullis.env` as an operator fills it in."""
    keys = {"SECRET_KEY": get_random_secret_key(), "CREDENTIALS_KEY": Fernet.generate_key().decode()}
    example = example_environment() | keys
    return {name: value.replace(PLACEHOLDER, "sesame") for name, value in example.items()}


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=clean_environment(PORTCULLIS_VAR=str(folder), **environment),
        capture_output=True,
        text=True,
        timeout=60,
    )


def problems() -> str:
    """Why a process refuses to start; empty if it starts."""
    try:
        configuration.refuse_bad_settings()
    except ImproperlyConfigured as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(configuration.CHECKED, raising=False)
    assert problems() == ""


@pytest.mark.parametrize(
    "variable", [name for name, value in example_environment().items() if PLACEHOLDER in value]
)
def test_a_placeholder_stops_a_start(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, example_environment()[variable])
    assert messages.placeholder_left(variable) in problems()


@pytest.mark.parametrize(
    ("setting", "value", "variable"),
    [
        ("SECRET_KEY", "s3cret-" * 7, "SECRET_KEY"),
        ("SECRET_KEY", "ab" * 25, "SECRET_KEY"),
        ("SECRET_KEY_FALLBACKS", ["s3cret-"], "SECRET_KEY_FALLBACKS"),
        ("DEBUG", True, "DEBUG"),
    ],
)
def test_a_weak_key_and_debug_stop_a_start(setting: str, value: Any, variable: str, settings: Any) -> None:
    setattr(settings, setting, value)
    assert variable in problems()
    assert "s3cret" not in problems()


def test_what_standalone_has_checked_is_not_checked_again(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG = True
    monkeypatch.setenv(configuration.CHECKED, "yes")
    assert problems() == ""


@pytest.mark.e2e
@pytest.mark.parametrize("start", STARTS)
def test_nothing_starts_with_a_placeholder(start: str, tmp_path: Path) -> None:
    ended = run(tmp_path, *STARTS[start], SECRET_KEY=PLACEHOLDER)
    assert ended.returncode != 0
    assert messages.placeholder_left("SECRET_KEY") in ended.stdout + ended.stderr


def test_the_example_of_the_settings_is_fit_for_deployment(tmp_path: Path) -> None:
    ended = run(tmp_path, "manage.py", "check", "--deploy", "--fail-level=WARNING", **filled_in())
    assert ended.returncode == 0, ended.stderr


def test_tls_makes_cookies_secure_and_trusts_the_hosts_that_are_served(tmp_path: Path) -> None:
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS")
    show = f"import settings.base as s; print([getattr(s, n) for n in {names}], s.CSRF_TRUSTED_ORIGINS)"
    assert run(tmp_path, "-c", show).stdout == "[False, False, False, 0] []\n"
    assert run(tmp_path, "-c", show, **filled_in()).stdout == (
        "[True, True, True, 31536000] ['https://portcullis.example.org']\n"
    )
    ours = filled_in() | {"CSRF_TRUSTED_ORIGINS": "https://example.org:8443", "HSTS_SECONDS": "60"}
    assert run(tmp_path, "-c", show, **ours).stdout == "[True, True, True, 60] ['https://example.org:8443']\n"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api", "/api/ping", "/admin/"])
def test_with_tls_http_is_redirected_and_https_is_remembered(path: str, client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 60
    redirected = client.get(path, headers={"X-Forwarded-Proto": "https"})  # which the web server alone may believe
    assert (redirected.status_code, redirected["Location"]) == (301, f"https://testserver{path}")
    assert client.get(path, secure=True)["Strict-Transport-Security"] == "max-age=60"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_are_not_redirected(path: str, client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get(path).status_code != 301


def test_origins_are_those_of_the_hosts() -> None:
    assert https_origins(["*", "one.example.org", ".example.org", "[::1]"]) == [
        "https://one.example.org",
        "https://*.example.org",
        "https://example.org",
        "https://[::1]",
    ]


@pytest.mark.parametrize(
    ("text", "prefix"), [("", ""), ("/", ""), ("firewalls", "/firewalls"), ("/a/b-2.0/", "/a/b-2.0")]
)
def test_a_prefix_has_a_slash_before_it_alone(text: str, prefix: str) -> None:
    assert path_prefix(text) == prefix


@pytest.mark.parametrize("text", ["/a//b", "/a b", "https://example.org/a", "/a/../b", "/.", "/a?b", "/ä"])
def test_a_prefix_that_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="PATH_PREFIX"):
        path_prefix(text)
