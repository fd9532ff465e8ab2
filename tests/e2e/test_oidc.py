"""A login through an OpenID Connect provider, with everything as the environment says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from tests.e2e.installation import installation
from tests.live.oidc.clients import CLIENT_ID, CLIENT_SECRET, PASSWORD
from tests.live.oidc.provider import provider

pytestmark = pytest.mark.e2e
TIMEOUT = 60


def test_a_browser_logs_in_by_the_button_of_the_admin(tmp_path: Path) -> None:
    with provider("http://unknown/") as oidc:
        variables = {
            "OIDC_ISSUER": oidc.url,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_NAME": "Example",
            "OIDC_STAFF_GROUP": "staff",
            "OIDC_SUPERUSER_GROUP": "admins",
            "LOG_LEVEL": "DEBUG",
        }
        oidc.user("ann", "admins")
        with installation(tmp_path, **variables) as service, requests.Session() as browser:
            browser.trust_env = False
            service.start()
            oidc.control(redirect_uri=f"{service.url}/oidc/callback/")
            page = browser.get(f"{service.url}/admin/inventory/oidcidentity/", timeout=TIMEOUT)
            button = re.search(r'href="(/oidc/login/[^"]*)">Log in with Example<', page.text)
            assert button
            at_provider = browser.get(service.url + button[1].replace("&amp;", "&"), timeout=TIMEOUT)
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', at_provider.text)
            assert token
            form = {"username": "ann", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
            page = browser.post(at_provider.url, form, timeout=TIMEOUT)
            assert page.url == f"{service.url}/admin/inventory/oidcidentity/"
            assert f"{oidc.url}</td>" in page.text
            identity = browser.get(f"{service.url}/api", timeout=TIMEOUT).json()
            assert identity["identity"]["role"] == "super_administrator"
            assert identity["product_info"]["authentication"]["oidc_enabled"] is True
            cookies = set(browser.cookies.get_dict().values())
            assert not [secret for secret in {CLIENT_SECRET, PASSWORD, *cookies} if secret in service.complaints()]
            assert "code_verifier" not in service.complaints()


def test_half_a_configuration_stops_the_start_with_one_line(tmp_path: Path) -> None:
    with installation(tmp_path) as service:
        line = service.refusal(OIDC_ISSUER="https://id.example.org")
        assert "OpenID Connect also needs OIDC_CLIENT_ID, OIDC_CLIENT_SECRET" in line
