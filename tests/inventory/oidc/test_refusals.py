"""Answers that prove nothing, and providers that misbehave."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import OidcIdentity
from inventory.oidc import views
from inventory.oidc.client import ANSWER_SIZE
from inventory.oidc.client import client as client_of_oidc
from tests.live.oidc.provider import Provider, configured, log_in

pytestmark = [pytest.mark.walk, pytest.mark.live]
#: In seconds since 1970.
PAST, FUTURE = 1_000_000_000, 4_000_000_000
DESCRIPTION = "/.well-known/openid-configuration"


def refused(answer: Any, client: Client, status: int, reason: str) -> None:
    """Nobody was logged in, and nobody has an account."""
    assert answer.status_code == status
    assert reason in answer.content.decode()
    assert client.get("/api").status_code == 401
    assert not User.objects.exists()
    assert not OidcIdentity.objects.exists()


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"nonce": "another"}, "(nonce)"),
        ({"nonce": None}, "(nonce)"),
        ({"exp": PAST}, "expired_token"),
        ({"exp": None}, "(exp)"),
        ({"iat": FUTURE}, "(iat)"),
        ({"nbf": FUTURE}, "(nbf)"),
        ({"aud": "another-client"}, "(aud)"),
        ({"aud": None}, "(aud)"),
        ({"aud": ["portcullis", "another-client"]}, "(azp)"),
        ({"aud": ["portcullis", "another-client"], "azp": "another-client"}, "(azp)"),
        ({"iss": "https://evil.example"}, "(iss)"),
        ({"iss": None}, "(iss)"),
        ({"sub": None}, "(sub)"),
        ({"sub": "999"}, "about different users"),
        ({"sub": ""}, ""),
        ({"sub": 7}, ""),
        ({"sub": "\ud800"}, "names no user"),
        ({"sub": "nul\0"}, "names no user"),
        ({"sub": "1" * 256}, "names no user"),
        ({"at_hash": "another"}, "(at_hash)"),
    ],
    ids=str,
)
def test_an_id_token_with_such_a_claim_proves_nothing(
    oidc: Provider, client: Client, claims: dict[str, Any], reason: str
) -> None:
    oidc.user("ann")
    oidc.forge(**claims)
    refused(log_in(oidc, client, "ann"), client, 403, reason)


@pytest.mark.parametrize("signature", ["none", "other", "shared"])
def test_nor_does_one_without_the_providers_signature(oidc: Provider, client: Client, signature: str) -> None:
    oidc.user("ann")
    oidc.forge(signature)
    refused(log_in(oidc, client, "ann"), client, 403, "ID token is not valid")


def test_an_answer_counts_once(oidc: Provider, client: Client) -> None:
    oidc.user("ann")
    back = oidc.approve(client.get("/oidc/login/")["Location"], "ann").removeprefix("http://testserver")
    assert client.get(back).status_code == 302
    client.post("/logout/")
    answer = client.get(back)
    assert (answer.status_code, client.get("/api").status_code) == (403, 401)
    assert "Log in again" in answer.content.decode()


def test_an_answer_counts_in_the_browser_that_asked(oidc: Provider, client: Client) -> None:
    """Otherwise somebody could log others in as themselves."""
    oidc.user("ann")
    back = oidc.approve(client.get("/oidc/login/")["Location"], "ann").removeprefix("http://testserver")
    other = Client()
    other.get("/oidc/login/")
    refused(other.get(back), other, 403, "started elsewhere")
    stranger = Client()
    refused(stranger.get(back), stranger, 403, "started elsewhere")


def test_a_code_needs_its_verifier(oidc: Provider, client: Client) -> None:
    """A code that was caught is worth nothing in the login of somebody else."""
    oidc.user("ann")
    caught = parse_qs(urlsplit(oidc.approve(client.get("/oidc/login/")["Location"], "ann")).query)["code"][0]
    other = Client()
    state = parse_qs(urlsplit(other.get("/oidc/login/")["Location"]).query)["state"][0]
    refused(other.get("/oidc/callback/", {"code": caught, "state": state}), other, 403, "refused: invalid_grant")


def test_a_login_does_not_wait_for_ever(oidc: Provider, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "LOGIN_TIME", -1)
    oidc.user("ann")
    begun = client.get("/oidc/login/")
    client.cookies["oidc_login"] = begun.cookies["oidc_login"].value
    back = oidc.approve(begun["Location"], "ann").removeprefix("http://testserver")
    refused(client.get(back), client, 403, "too long ago")


def test_what_the_provider_refuses_is_told_without_its_words(oidc: Provider, client: Client) -> None:
    state = parse_qs(urlsplit(client.get("/oidc/login/")["Location"]).query)["state"][0]
    asked = {"error": "access_denied", "error_description": "Call 555-0100", "state": state}
    answer = client.get("/oidc/callback/", asked)
    refused(answer, client, 403, "The login provider refused: access_denied.")
    assert "555" not in answer.content.decode()


@pytest.mark.parametrize(
    "query",
    [{}, {"state": ""}, {"state": "x", "code": "y"}, {"state": "\xe4\0"}, {"error": "<script>"}, {"code": "\0"}],
)
def test_answers_out_of_nothing_are_refused(oidc: Provider, client: Client, query: dict[str, str]) -> None:
    client.get("/oidc/login/")
    refused(client.get("/oidc/callback/", query), client, 403, "Log in again")
    client.cookies["oidc_login"] = "forged:cookie"
    refused(client.get("/oidc/callback/", query), client, 403, "Log in again")


@pytest.mark.parametrize("code", ["", "wrong", "\0"])
def test_a_wrong_code_is_refused(oidc: Provider, client: Client, code: str) -> None:
    state = parse_qs(urlsplit(client.get("/oidc/login/")["Location"]).query)["state"][0]
    answer = client.get("/oidc/callback/", {"state": state, "code": code})
    assert answer.status_code in {403, 503}
    assert client.get("/api").status_code == 401


def test_an_answer_of_another_issuer_is_refused(oidc: Provider, client: Client) -> None:
    oidc.user("ann")
    back = oidc.approve(client.get("/oidc/login/")["Location"], "ann").removeprefix("http://testserver")
    refused(client.get(f"{back}&iss=https://evil.example"), client, 403, "another issuer")


def test_a_redirect_gets_no_secret(oidc: Provider, client: Client) -> None:
    oidc.user("ann")
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        location = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        oidc.answer("/token/", status=307, headers={"Location": location})
        refused(log_in(oidc, client, "ann"), client, 503, "Try again later")
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


@pytest.mark.parametrize("path", ["/token/", "/userinfo/", "/.well-known/jwks.json"])
@pytest.mark.parametrize(
    "answer",
    [
        {"body": "<html>"},
        {"body": "[]"},
        {"body": "{}"},
        {"body": "null"},
        {"body": '{"keys": [5], "sub": {}, "access_token": "a", "id_token": "b"}'},
        {"body": "", "status": 500},
    ],
    ids=["html", "list", "empty", "null", "shape", "error"],
)
def test_no_answer_of_the_provider_is_an_error_here(
    oidc: Provider, client: Client, path: str, answer: dict[str, Any]
) -> None:
    oidc.user("ann")
    oidc.answer(path, **answer)
    result = log_in(oidc, client, "ann")
    assert result.status_code in {403, 503}
    refused(result, client, result.status_code, "The login provider")


@pytest.mark.parametrize(("size", "status"), [(-1000, 302), (1, 503)])
def test_an_answer_has_a_largest_size(oidc: Provider, client: Client, size: int, status: int) -> None:
    user = json.dumps({"sub": oidc.user("ann"), "preferred_username": "ann"})
    oidc.answer("/userinfo/", user.ljust(ANSWER_SIZE * 1024 * 1024 + size))
    assert log_in(oidc, client, "ann").status_code == status


def test_a_provider_that_is_away_is_told_and_left_alone(
    oidc: Provider, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    oidc.answer(DESCRIPTION, status=500)
    refused(client.get("/oidc/login/"), client, 503, "The login provider refused: 500")
    oidc.relent()
    refused(client.get("/oidc/login/"), client, 503, "Try again in a few seconds")
    monkeypatch.setattr(client_of_oidc(), "_paused_until", 0.0)
    assert client.get("/oidc/login/").status_code == 302


def test_nobody_waits_long_for_another_that_asks(
    oidc: Provider, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inventory.oidc.client.PATIENCE", 0.01)
    with client_of_oidc()._lock:
        refused(client.get("/oidc/login/"), client, 503, "Try again in a few seconds")
    assert client.get("/oidc/login/").status_code == 302


def test_nobody_at_the_address_is_told(oidc: Provider, client: Client, settings: Any) -> None:
    settings.OIDC = configured("http://127.0.0.1:1")
    refused(client.get("/oidc/login/"), client, 503, "Try again later")


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"issuer": "https://evil.example"}, 403, "another issuer"),
        ({"token_endpoint": "http://evil.example/token"}, 403, "token_endpoint is no https address"),
        ({"userinfo_endpoint": "http://evil.example/"}, 403, "userinfo_endpoint is no https address"),
        ({"authorization_endpoint": "javascript:alert(1)"}, 403, "authorization_endpoint is no https address"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, 403, "shared keys only"),
        ({"jwks_uri": None}, 403, "jwks_uri is no https address"),
    ],
    ids=str,
)
def test_a_description_that_leads_elsewhere_is_refused(
    oidc: Provider, client: Client, change: dict[str, Any], status: int, reason: str
) -> None:
    description = requests.get(f"{oidc.url}{DESCRIPTION}", timeout=60).json()
    oidc.answer(DESCRIPTION, json.dumps(description | change))
    refused(client.get("/oidc/login/"), client, status, reason)
