"""What goes on after a change of `SECRET_KEY`."""

from __future__ import annotations

from typing import Any

from django.core.cache import caches
from django.http import HttpResponse
from django.test import Client

from inventory.models import IdempotencyKey, Task
from tests.cast import Cast


def change_key(settings: Any, *, keep: bool = True) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY] if keep else []
    settings.SECRET_KEY = "another-" * 8


def test_sessions_go_on_and_outlive_the_fallback(admin_client: Client, settings: Any) -> None:
    change_key(settings)
    assert admin_client.get("/admin/inventory/task/").status_code == 200
    assert admin_client.get("/api/tasks").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert admin_client.get("/admin/inventory/task/").status_code == 200


def test_without_the_fallback_everybody_logs_in_again(admin_client: Client, settings: Any) -> None:
    change_key(settings, keep=False)
    assert admin_client.get("/admin/inventory/task/").status_code == 302


def test_tokens_and_passwords_do_not_depend_on_it(admin_user: Any, client: Client, settings: Any) -> None:
    token = client.get("/api/auth", headers={"Authorization": "Basic YWRtaW46cGFzc3dvcmQ="}).json()["auth_token"]
    change_key(settings, keep=False)
    for headers in ({"X-Auth-Token": token}, {"Authorization": "Basic YWRtaW46cGFzc3dvcmQ="}):
        assert client.get("/api", headers=headers).status_code == 200
    caches["passwords"].clear()


def test_a_request_with_a_key_is_still_known(admin_client: Client, cast: Cast, settings: Any) -> None:
    def ask(name: str = "web") -> HttpResponse:
        url = f"/api/vms/{cast.production.single.pk}/security_groups"
        body = {"action": "add", "resource": {"name": name}}
        return admin_client.post(url, body, content_type="application/json", headers={"Idempotency-Key": "once"})

    first = ask()
    change_key(settings)
    again = ask()
    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    assert Task.objects.count() == 1
    assert ask("db").status_code == 400


def test_a_stored_request_is_no_digest_that_a_password_can_be_guessed_from(
    admin_client: Client, settings: Any
) -> None:
    """Whoever has the database alone does not know the key of the digest."""
    digests = set()
    for key in ("first-" * 9, "second-" * 9):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, [settings.SECRET_KEY]
        body = {"action": "verify_credentials", "resource": {"password": "guessable"}}
        admin_client.post("/api/providers", body, "application/json", headers={"Idempotency-Key": key})
        digests.add(IdempotencyKey.objects.get(key=key).fingerprint)
    assert len(digests) == 2
