"""A provider whose credentials can't be read: every door says why and what to do, and the rest goes on."""

from __future__ import annotations

import json
from http import HTTPStatus
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from inventory.encryption import Ciphertext
from inventory.models import Provider, Task
from inventory.runner import run_queue
from inventory.services import request_refresh
from inventory.standalone import preparation
from secgroups.services import group_creation
from tests import cast as actors
from tests.cast import Cast
from tests.secgroups.carrying import queue
from tests.secgroups.editing import queue as queue_edits

JSON = "application/json"
LOGIN = {"userid": "AKID", "password": "secret"}
#: What was done to the credentials, and what is said then.
SAID = {
    "dropped": "Set CREDENTIALS_KEY to include that key",
    "moved": "moved here from another provider. Enter them again",
    "damaged": "are damaged",
    "unbound": "by an earlier version",
}


def set_ciphertext(provider: Provider, text: str) -> None:
    Provider.objects.filter(pk=provider.pk).update(credentials=Ciphertext(text))


def ciphertext(provider: Provider) -> str:
    text: str = Provider.objects.values_list("credentials", flat=True).get(pk=provider.pk).text
    return text


@pytest.fixture(params=SAID)
def said(request: pytest.FixtureRequest, cast: Cast, settings: Any) -> str:
    """What is said of acme, beside which there is a provider whose credentials can be read."""
    actors.give_credentials(cast.acme, **LOGIN)
    if request.param == "dropped":
        settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
    other = actors.provider("other", credentials=LOGIN)
    if request.param == "moved":
        set_ciphertext(cast.acme, ciphertext(other))
    if request.param == "damaged":
        set_ciphertext(cast.acme, ciphertext(cast.acme)[:-9])
    if request.param == "unbound":
        token = Fernet(configured.CREDENTIALS_KEYS[0]).encrypt(json.dumps(LOGIN).encode())
        set_ciphertext(cast.acme, token.decode())
    return SAID[request.param]


@pytest.fixture
def acme(cast: Cast, said: str) -> Provider:
    return Provider.objects.get(pk=cast.acme.pk)


def ended(task: Task) -> tuple[str, str, str]:
    run_queue(task.queue)
    task.refresh_from_db()
    return task.state, task.status, task.message


def test_the_api(admin_client: Client, acme: Provider, said: str) -> None:
    url = f"/api/providers/{acme.pk}"
    for path in ("/api/providers?expand=resources&attributes=all", url, f"{url}?attributes=all", f"{url}/vms"):
        assert admin_client.get(path).status_code == HTTPStatus.OK
    assert admin_client.options(url).status_code == HTTPStatus.OK
    assert admin_client.patch(url, {"name": "renamed"}, JSON).json()["name"] == "renamed"
    refused = admin_client.patch(url, {"url": "http://elsewhere.example"}, JSON)
    assert "Enter them again" in refused.json()["error"]["message"]
    queued = admin_client.post(url, {"action": "refresh"}, JSON).json()
    state, status, message = ended(Task.objects.get(pk=queued["task_id"]))
    assert (state, status) == ("Finished", "Error")
    assert said in message
    assert said in admin_client.get(url).json()["last_refresh_error"]
    assert admin_client.patch(url, {"credentials": LOGIN}, JSON).status_code == HTTPStatus.OK
    assert Provider.objects.get(pk=acme.pk).credentials == LOGIN


def test_it_can_be_deleted(admin_client: Client, acme: Provider) -> None:
    queued = admin_client.delete(f"/api/providers/{acme.pk}")
    assert queued.status_code < HTTPStatus.BAD_REQUEST
    for task in Task.objects.unfinished():
        ended(task)
    assert not Provider.objects.filter(pk=acme.pk).exists()


def test_the_admin(admin_client: Client, acme: Provider, said: str) -> None:
    changelist = reverse("admin:inventory_provider_changelist")
    page = reverse("admin:inventory_provider_change", args=[acme.pk])
    assert admin_client.get(changelist).status_code == HTTPStatus.OK
    assert said in admin_client.get(page).content.decode()
    form = {"name": "renamed", "verify_ssl": "on", "interface": "public"}
    assert said in admin_client.post(f"{page.removesuffix('change/')}verify/", form).content.decode()
    assert admin_client.post(page, form).status_code == HTTPStatus.FOUND
    elsewhere = admin_client.post(page, form | {"url": "http://elsewhere.example"})
    assert "Enter them again" in elsewhere.content.decode()
    for action in ("refresh", "refresh_by_force", "delete_selected"):
        chosen = {"action": action, "_selected_action": [acme.pk], "post": "yes"}
        assert admin_client.post(changelist, chosen).status_code == HTTPStatus.FOUND


def test_changes_end_at_once_and_say_why(cast: Cast, acme: Provider, said: str) -> None:
    queue(cast.production.double, "add", "web", "db")
    queue_edits(group_creation(acme, name="new", cloud_network=cast.production.network))
    tasks = list(Task.objects.unfinished())
    assert len(tasks) == 3
    for task in tasks:
        state, status, message = ended(task)
        assert (state, status) == ("Finished", "Error")
        assert said in message


def test_previews_at_the_cloud_say_the_same(admin_client: Client, cast: Cast, acme: Provider, said: str) -> None:
    changes = {
        f"/api/instances/{cast.production.single.pk}/security_groups": {"action": "add", "name": "web"},
        f"/api/providers/{acme.pk}/security_groups": {"action": "create", "name": "new"},
    }
    for url, body in changes.items():
        [foreseen] = admin_client.post(url, body | {"dry_run": "cloud"}, JSON).json()["results"]
        [queued] = admin_client.post(url, body, JSON).json()["results"]
        _, status, message = ended(Task.objects.get(pk=queued["task_id"]))
        assert (foreseen["preview"]["status"], foreseen["preview"]["message"]) == (status, message)
        assert said in message


def test_commands(acme: Provider, said: str, tmp_path: Any) -> None:
    complaints = StringIO()
    with pytest.raises(CommandError, match="Not refreshed: acme"):
        call_command("refresh", "acme", stderr=complaints)
    assert said in complaints.getvalue()
    call_command("exportprovider", "acme", output=tmp_path / "acme.json")
    call_command("dumpdata", "inventory.provider", output=str(tmp_path / "dump.json"), verbosity=0)
    assert ciphertext(acme) in (tmp_path / "dump.json").read_text()
    complaints = StringIO()
    with pytest.raises(CommandError, match="the credentials of acme can't be read"):
        call_command("rotatekeys", stdout=StringIO(), stderr=complaints)
    assert said in complaints.getvalue()


def test_the_service_starts_and_names_it(acme: Provider, said: str) -> None:
    told: list[str] = []
    preparation.check_credentials(told.append)
    [line] = told
    assert line.startswith("acme: ")
    assert said in line


def test_the_service_does_not_start_if_no_credentials_can_be_read(cast: Cast, settings: Any) -> None:
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match=r"CREDENTIALS_KEY is wrong: .* \(of acme\)"):
        preparation.check_credentials(pytest.fail)
    set_ciphertext(cast.acme, "")
    preparation.check_credentials(pytest.fail)


def test_the_others_go_on(acme: Provider, cast: Cast) -> None:
    other = Provider.objects.get(name="other")
    assert other.credentials == LOGIN
    assert request_refresh(provider=other, user=None).pk
