"""No secret that was planted is found anywhere: in no answer, page, error page, log, task, export or dump."""

from __future__ import annotations

import base64
import html
import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from inventory.logs import SecretFreeFormatter
from inventory.models import AuthToken, Provider, Task
from inventory.runner import run_queue
from tests.cast import AMAZON_TYPE, OPENSTACK_TYPE
from tests.live.ec2 import Cast as Account
from tests.live.faults import running
from tests.live.openstack_fake import FakeOpenStack
from tests.test_scope import admin_site, api

pytestmark = [pytest.mark.walk, pytest.mark.live, pytest.mark.django_db]

JSON = "application/json"


def secret(name: str) -> str:
    """A text that looks different in every encoding."""
    return f"{name}-\"'<é/+&=%{name}%"


SECRETS = {
    name: secret(name)
    for name in ("ec2", "openstack", "application", "edited", "wrong", "admin", "user", "changed", "mistyped")
} | {
    "SECRET_KEY": "key-of-django-" * 4,
    "CREDENTIALS_KEY": Fernet.generate_key().decode(),
    "old CREDENTIALS_KEY": Fernet.generate_key().decode(),
    "database": "password-of-the-database",
    "broker": "password-of-the-broker",
}


def encodings(text: str) -> Iterator[str]:
    """The text as it may be written, also in HTML, and in Base64 with whatever is around it."""
    for written in {
        *(text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]),
        *(repr(text)[1:-1], repr(text.encode())[2:-1]),
        *(quote(text), quote(text, safe=""), quote_plus(text)),
    }:
        yield from (written, html.escape(written))
        for offset in range(3):
            encoded = base64.b64encode(b"x" * offset + written.encode()).decode().rstrip("=")
            yield encoded[4 if offset else 0 : -2]


class Seen:
    """What anybody could see, by where."""

    def __init__(self) -> None:
        self._texts: list[tuple[str, str]] = []

    def add(self, where: str, what: Any) -> None:
        """Note an answer or a text."""
        if isinstance(what, str):
            self._texts.append((where, what))
            return
        content = b"".join(what.streaming_content) if what.streaming else what.content
        self._texts.append((where, f"{what.status_code} {what.headers} {content.decode()}"))

    def found(self, **others: str) -> set[tuple[str, str]]:
        """Which secret was found where."""
        traces = {trace: name for name, text in (SECRETS | others).items() for trace in encodings(text)}
        assert all(len(trace) > 5 for trace in traces)
        return {(name, where) for where, text in self._texts for trace, name in traces.items() if trace in text}


@pytest.fixture(params=[False, True], ids=["without DEBUG", "with DEBUG"])
def log(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """The log at DEBUG, of every library, as our formatter writes it."""
    settings.DEBUG = request.param
    settings.SECRET_KEY = SECRETS["SECRET_KEY"]
    settings.CREDENTIALS_KEYS = [SECRETS["CREDENTIALS_KEY"], SECRETS["old CREDENTIALS_KEY"]]
    settings.CELERY_BROKER_URL = f"amqp://portcullis:{SECRETS['broker']}@mq.example.org//"
    monkeypatch.setitem(configured.DATABASES["default"], "PASSWORD", SECRETS["database"])
    log = StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(SecretFreeFormatter("{name}: {message}", style="{"))
    loggers = [logging.getLogger(name) for name in (None, "inventory", "secgroups")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield log
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def openstack() -> Iterator[FakeOpenStack]:
    with running(FakeOpenStack()) as cloud:
        yield cloud


@pytest.fixture
def boss(log: StringIO) -> User:
    return User.objects.create_superuser("boss", password=SECRETS["admin"])


@pytest.fixture
def client(boss: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(boss)
    return client


def basic(password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'boss:{password}'.encode()).decode()}"}


def connection(name: str, **credentials: str) -> dict[str, Any]:
    return {"name": name, "credentials": {"userid": "AKIDPLANTED", **credentials}}


def carry_out() -> None:
    for queue in Task.objects.unfinished().values_list("queue", flat=True).distinct():
        run_queue(queue)


def test_providers(
    client: Client, log: StringIO, boss: User, ec2_url: str, ec2_api: Any, openstack: FakeOpenStack
) -> None:
    """Connected, edited, tested, refreshed and refused, then looked at from everywhere."""
    Account(ec2_api)
    seen = Seen()
    aws = {"type": AMAZON_TYPE, "url": ec2_url, "provider_region": "eu-west-1"}
    stack = {"type": OPENSTACK_TYPE, "url": openstack.url, "provider_region": "RegionOne"}
    application = {"auth_type": "application_credential", "password": SECRETS["application"]}
    bodies: list[dict[str, Any]] = [
        connection("aws", password=SECRETS["ec2"]) | aws,
        connection("stack", password=SECRETS["openstack"]) | stack,
        connection("application", **application) | stack,
        # Refused.
        connection("aws", password=SECRETS["wrong"]) | aws,
        connection("x", password=SECRETS["wrong"], bogus=SECRETS["wrong"]) | aws,
        connection("x", password=SECRETS["wrong"]) | aws | {"url": 5},
        aws | {"name": "x", "credentials": SECRETS["wrong"]},
        aws | {"name": "x", "credentials": [{"password": SECRETS["wrong"]}]},
        aws | {"name": "x", "credentials": {"userid": ["x"], "password": [SECRETS["wrong"]]}},
        aws | {"name": "x", "authentications": {"default": {"userid": "x", "password": SECRETS["wrong"], "a": 1}}},
    ]
    for number, body in enumerate(bodies):
        seen.add(f"create {number}", client.post("/api/providers", body, JSON))
        tested = {"action": "verify_credentials", "resource": body}
        headers = {"Idempotency-Key": f"test {number}"}
        seen.add(f"verify {number}", client.post("/api/providers", tested, JSON, headers=headers))
    seen.add("no JSON", client.post("/api/providers", f'{{"password": "{SECRETS["wrong"]}', JSON))
    carry_out()
    assert Provider.objects.filter(last_refresh_date__isnull=False).count() == 3
    for provider in Provider.objects.all():
        edit = {"credentials": {"userid": "AKIDPLANTED", "password": SECRETS["edited"]}}
        seen.add("edit", client.patch(f"/api/providers/{provider.pk}", edit, JSON))
        page = reverse("admin:inventory_provider_change", args=[provider.pk])
        form = {"name": provider.name, "url": provider.url, "userid": "a", "password": SECRETS["mistyped"]}
        seen.add("form", client.post(page, form | {"port": "none"}))
        seen.add("test in the admin", client.post(f"{page.removesuffix('change/')}verify/", form))
    carry_out()
    look_everywhere(seen, client, boss)
    for name in ("aws", "stack"):
        out = StringIO()
        call_command("exportprovider", name, stdout=out)
        seen.add("export", out.getvalue())
    seen.add("log", log.getvalue())
    assert log.getvalue().count("botocore") > 10
    assert log.getvalue().count("keystoneauth") > 1
    assert seen.found() == set()


def test_users(client: Client, log: StringIO, boss: User) -> None:
    """Logins, wrong ones too, tokens, forms of users and passwords."""
    seen = Seen()
    token = Client().get("/api/auth", headers=basic(SECRETS["admin"])).json()["auth_token"]
    for password in (SECRETS["admin"], SECRETS["wrong"]):
        for url in ("/api", "/api/auth?requester_type=nonsense", "/api/nowhere"):
            seen.add(url, Client().get(url, headers=basic(password)))
        login = {"username": "nobody", "password": password}
        for url in ("/admin/login/", reverse("rest_framework:login")):
            seen.add(url, Client().post(url, login))
    for headers in ({"X-Auth-Token": token}, {"X-Auth-Token": f"{token}x"}, {"X-Auth-Token": f"\0{token}"}):
        for url in ("/api", "/api/users", "/api/nowhere"):
            seen.add(url, Client().get(url, headers=headers))
    form = {
        "username": "kim",
        "password1": SECRETS["user"],
        "password2": SECRETS["user"],
        "usable_password": "true",
    }
    seen.add("add", client.post("/admin/auth/user/add/", form | {"password2": SECRETS["mistyped"]}))
    seen.add("add", client.post("/admin/auth/user/add/", form))
    kim = User.objects.get(username="kim")
    changed = {"password1": SECRETS["changed"], "password2": SECRETS["changed"], "usable_password": "true"}
    seen.add("change", client.post(f"/admin/auth/user/{kim.pk}/password/", changed))
    for url in ("", f"{kim.pk}/change/", f"{kim.pk}/history/", f"{kim.pk}/password/"):
        seen.add(url, client.get(f"/admin/auth/user/{url}"))
    token_page = reverse("admin:inventory_authtoken_change", args=[AuthToken.objects.get().pk])
    for url in (token_page, reverse("admin:inventory_authtoken_changelist")):
        seen.add(url, client.get(url))
    for url in ("/api", f"/api/users/{kim.pk}", "/api/users?expand=resources&attributes=all"):
        seen.add(url, client.get(url))
    dump(seen)
    seen.add("log", log.getvalue())
    assert kim.check_password(SECRETS["user"])
    assert seen.found(token=token) == set()


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_error_pages(
    client: Client, log: StringIO, boss: User, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    """A fault of ours, with credentials in the variables and the forms of the request."""
    seen = Seen()

    def fail(**attributes: Any) -> None:
        local = f"{attributes}"
        raise RuntimeError(len(local))

    for module in ("inventory.api.providers", "inventory.admin.provider"):
        monkeypatch.setattr(f"{module}.connect_provider", fail)
    body = connection("x", password=SECRETS["ec2"]) | {"type": AMAZON_TYPE, "provider_region": "eu-west-1"}
    form = {
        "name": "x",
        "vendor": "amazon",
        "provider_region": "eu-west-1",
        "userid": "a",
        "password": SECRETS["ec2"],
    }
    for answer in (
        client.post("/api/providers", body, JSON, headers={"Accept": accept} | basic(SECRETS["admin"])),
        client.post("/admin/inventory/provider/add/", form, headers={"Accept": accept}),
    ):
        assert answer.status_code == 500
        seen.add(accept, answer)
    refused = client.get("/admin/inventory/provider/?credentials__startswith=x", headers={"Accept": accept})
    assert refused.status_code == 400
    seen.add("refused", refused)
    seen.add("log", log.getvalue())
    assert "RuntimeError" in log.getvalue()
    assert seen.found() == set()


def look_everywhere(seen: Seen, client: Client, user: User) -> None:
    for walk in (api, admin_site):
        for url, answer in walk(client, user):
            seen.add(url, answer)
    for url in ("/admin/", "/api/docs", "/api/schema", "/api/providers?provider_class=provider&metadata=type"):
        seen.add(url, client.get(url))
    dump(seen)


def dump(seen: Seen) -> None:
    out = StringIO()
    call_command("dumpdata", stdout=out)
    seen.add("dump", out.getvalue())
