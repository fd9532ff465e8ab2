"""Credentials as the database sees them."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from inventory.fields import UnreadableSecret
from inventory.models import Provider
from tests import cast as actors

SECRET = {"userid": "AKIDEXAMPLE", "password": 'päss "word"'}
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def acme(db: None, settings: Any) -> Provider:
    """A provider whose credentials were encrypted with the old key."""
    settings.CREDENTIALS_KEYS = [OLD]
    return actors.provider("acme", credentials=SECRET)


def column() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM inventory_provider")
        [[stored]] = cursor.fetchall()
    return stored


def test_what_was_saved_is_read(acme: Provider) -> None:
    assert Provider.objects.get().credentials == SECRET


def test_the_database_never_sees_it(acme: Provider) -> None:
    stored = column()
    for word in (*SECRET, *SECRET.values(), "word"):
        assert word not in stored
    Fernet(OLD).decrypt(stored)


def test_the_same_secret_is_never_stored_as_the_same_text(acme: Provider) -> None:
    before = column()
    acme.save()
    assert column() != before


@pytest.mark.parametrize("value", [{}, [], None, "text", {"nested": {"list": [1, None, True]}}])
def test_it_holds_any_json_value(value: Any, acme: Provider) -> None:
    acme.credentials = value
    acme.save()
    assert Provider.objects.get().credentials == value


def test_a_new_key_goes_before_the_old_one_and_both_are_read(acme: Provider, settings: Any) -> None:
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    Provider.objects.get().save()
    settings.CREDENTIALS_KEYS = [NEW]
    assert Provider.objects.get().credentials == SECRET


def test_without_its_key_a_secret_is_unreadable_and_the_error_says_what_to_do(
    acme: Provider, settings: Any
) -> None:
    settings.CREDENTIALS_KEYS = [NEW]
    with pytest.raises(UnreadableSecret, match=r"encrypted with another key\. Set CREDENTIALS_KEY\.") as raised:
        Provider.objects.get()
    assert "AKIDEXAMPLE" not in str(raised.value)


def test_what_was_tampered_with_is_unreadable(acme: Provider) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_provider SET credentials = %s", ['{"userid": "mallory"}'])
    with pytest.raises(UnreadableSecret):
        Provider.objects.get()


def test_a_reading_without_the_column_needs_no_key(acme: Provider, settings: Any) -> None:
    settings.CREDENTIALS_KEYS = [NEW]
    assert Provider.objects.defer("credentials").get().name == "acme"
