"""What the variables of OpenID Connect mean, and that nothing is loaded without them."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import environ
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from settings.oidc import OPTIONAL, REQUIRED, read_oidc
from tests.live.oidc.provider import configured
from tests.test_architecture import ROOT


def read(**variables: str) -> Any:
    env = environ.Env()
    env.ENVIRON = variables
    return read_oidc(env)


def test_without_any_there_is_no_provider(client: Client, db: None) -> None:
    assert read() is None
    assert settings.OIDC is None
    assert client.get("/oidc/login/").status_code == 404
    for page in ("/login/", "/admin/login/"):
        assert "oidc" not in client.get(page).content.decode()


def test_without_any_nothing_is_loaded() -> None:
    code = "import django, sys; django.setup(); import settings.urls; sys.exit('authlib' in sys.modules)"
    environment = {"DJANGO_SETTINGS_MODULE": "settings.test", "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_the_least_configuration() -> None:
    configuration = configured("https://id.example.org/realm", OIDC_NAME="")
    assert (configuration.name, configuration.scopes) == ("OpenID Connect", ("openid", "profile", "email"))
    assert (configuration.username_claim, configuration.groups_claim) == ("preferred_username", "groups")
    assert (configuration.groups, configuration.staff_group, configuration.superuser_group) == (None, None, None)
    assert (configuration.creates_users, configuration.renewal) == (True, timedelta(minutes=15))


@pytest.mark.parametrize("missing", REQUIRED)
def test_half_a_configuration_stops_the_start(missing: str) -> None:
    given = dict.fromkeys({*REQUIRED} - {missing}, "https://id.example.org")
    with pytest.raises(ImproperlyConfigured, match=f"also needs {missing}"):
        read(**given)


@pytest.mark.parametrize("name", OPTIONAL)
def test_so_does_a_detail_without_a_provider(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"OIDC_CLIENT_SECRET, because {name} is set"):
        read(**{name: "1000"})


@pytest.mark.parametrize(
    "issuer",
    [
        "http://id.example.org",
        "id.example.org",
        "https://",
        "https://user:secret@id.example.org",
        "https://id.example.org?realm=1",
        "https://id.example.org#realm",
        "https://[",
        f"https://id.example.org/{'x' * 500}",
    ],
)
def test_an_issuer_has_an_address_that_is_encrypted(issuer: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="OIDC_ISSUER must be like https"):
        configured(issuer)


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8080", "http://localhost/realm", "http://[::1]"])
def test_on_this_machine_it_need_not_be(issuer: str) -> None:
    assert configured(issuer).issuer == issuer


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("OIDC_SCOPES", "profile email", "OIDC_SCOPES must include openid"),
        ("OIDC_GROUPS", "a=b", "OIDC_GROUPS must be JSON"),
        ("OIDC_GROUPS", '["a"]', "OIDC_GROUPS must be JSON"),
        ("OIDC_GROUPS", '{"a": 1}', "OIDC_GROUPS must be JSON"),
        ("OIDC_GROUPS", '{"a": ""}', "OIDC_GROUPS must be JSON"),
        ("OIDC_RENEWAL", "59", "OIDC_RENEWAL must be at least 60 seconds"),
        ("OIDC_RENEWAL", "soon", "OIDC_RENEWAL must be a number of seconds"),
        ("OIDC_RENEWAL", "9" * 30, "OIDC_RENEWAL must be a number of seconds"),
        ("OIDC_CREATE_USERS", "perhaps", "OIDC_CREATE_USERS must be true or false"),
    ],
)
def test_a_bad_value_stops_the_start(variable: str, value: str, message: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=message):
        configured("https://id.example.org", **{variable: value})
