"""The migration that binds credentials to their rows."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import CommandError
from django.db import connection

from inventory.encryption import Ciphertext, UnreadableSecret
from inventory.models import Provider
from tests import cast as actors

KEY, LOST = Fernet.generate_key().decode(), Fernet.generate_key().decode()
migration = import_module("inventory.migrations.0018_bound_credentials")


@pytest.fixture(autouse=True)
def _key(db: None, settings: Any) -> None:
    settings.CREDENTIALS_KEYS = [KEY]


def old(name: str, key: str = KEY) -> Provider:
    """A provider as earlier versions stored it."""
    token = Fernet(key).encrypt(json.dumps({"userid": name}).encode()).decode()
    provider = actors.provider(name)
    Provider.objects.filter(pk=provider.pk).update(credentials=Ciphertext(token))
    return provider


def read(name: str) -> Any:
    return Provider.objects.get(name=name).credentials


def bind() -> None:
    with connection.schema_editor() as editor:
        migration.bind(apps, editor)


pytestmark = pytest.mark.django_db(transaction=True)


def test_what_an_earlier_version_stored_is_converted() -> None:
    old("a"), old("b")
    Provider.objects.filter(pk=actors.provider("none").pk).update(credentials=Ciphertext(""))
    bind()
    assert [read(name) for name in ("a", "b", "none")] == [{"userid": "a"}, {"userid": "b"}, {}]


def test_a_key_that_reads_nothing_is_a_wrong_one_and_changes_nothing(settings: Any) -> None:
    """Someone may have run `migrate` without the environment of the service."""
    old("a"), old("b")
    before = list(Provider.objects.values_list("credentials"))
    settings.CREDENTIALS_KEYS = [LOST]
    with pytest.raises(CommandError, match=r"CREDENTIALS_KEY is wrong: .* \(of a, b\)"):
        bind()
    assert list(Provider.objects.values_list("credentials")) == before


def test_what_can_not_be_read_is_named_and_stays_unreadable(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    old("a"), old("lost", LOST)
    bind()
    assert read("a") == {"userid": "a"}
    assert "The credentials of lost can't be read" in caplog.text
    settings.CREDENTIALS_KEYS = [KEY, LOST]
    with pytest.raises(UnreadableSecret, match="earlier version"):
        read("lost")


def test_it_can_be_taken_back() -> None:
    old("a")
    bind()
    with connection.schema_editor() as editor:
        migration.unbind(apps, editor)
    [token] = Provider.objects.values_list("credentials", flat=True)
    assert json.loads(Fernet(KEY).decrypt(token.text)) == {"userid": "a"}
