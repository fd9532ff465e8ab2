"""Credentials as the database sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import FieldError
from django.db import IntegrityError, connection, models, transaction

from inventory.encryption import Ciphertext, UnreadableSecret, encrypt
from inventory.fields import EncryptedJSONField
from inventory.models import Provider
from tests import cast as actors

SECRET = {"userid": "AKIDEXAMPLE", "password": 'päss "word"'}
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def acme(db: None, settings: Any) -> Provider:
    """A provider whose credentials were encrypted with the old key."""
    settings.CREDENTIALS_KEYS = [OLD]
    return actors.provider("acme", credentials=SECRET)


def column(name: str = "acme") -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM inventory_provider WHERE name = %s", [name])
        [[stored]] = cursor.fetchall()
    return str(stored)


def overwrite(text: str, name: str = "acme") -> None:
    """As whoever can write to the database."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_provider SET credentials = %s WHERE name = %s", [text, name])


def read(name: str = "acme") -> Any:
    return Provider.objects.get(name=name).credentials


def test_what_was_saved_is_read(acme: Provider) -> None:
    assert read() == SECRET


def test_the_database_never_sees_it(acme: Provider) -> None:
    stored = column()
    for word in (*SECRET, *SECRET.values(), "word"):
        assert word not in stored


def test_the_same_secret_is_never_stored_as_the_same_text(acme: Provider) -> None:
    before = column()
    acme.save()
    assert column() != before


@pytest.mark.parametrize("value", [{}, [], None, "text", {"nested": {"list": [1, None, True]}}])
def test_it_holds_any_json_value(value: Any, acme: Provider) -> None:
    acme.credentials = value
    acme.save()
    assert read() == value


def test_many_are_saved_at_once(db: None) -> None:
    Provider.objects.bulk_create(
        Provider(name=name, vendor="other", credentials={"userid": name}) for name in "ab"
    )
    assert [read(name) for name in "ab"] == [{"userid": "a"}, {"userid": "b"}]


def test_a_new_key_goes_before_the_old_one_and_both_are_read(acme: Provider, settings: Any) -> None:
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    actors.give_credentials(Provider.objects.get(), **read())
    settings.CREDENTIALS_KEYS = [NEW]
    assert read() == SECRET


def test_without_its_key_a_secret_is_unreadable_and_the_error_says_what_to_do(
    acme: Provider, settings: Any
) -> None:
    settings.CREDENTIALS_KEYS = [NEW]
    with pytest.raises(UnreadableSecret, match=r"encrypted with another key\. Set CREDENTIALS_KEY") as raised:
        read()
    assert "AKIDEXAMPLE" not in str(raised.value)


def test_a_row_is_read_and_saved_without_the_key(acme: Provider, settings: Any) -> None:
    settings.CREDENTIALS_KEYS = [NEW]
    before = column()
    provider = Provider.objects.get()
    provider.name = "renamed"
    provider.save()
    assert column("renamed") == before
    assert Provider.objects.defer("credentials").get().name == "renamed"


def test_a_deferred_column_is_read_by_one_query(acme: Provider, django_assert_num_queries: Any) -> None:
    provider = Provider.objects.defer("credentials").get()
    with django_assert_num_queries(1):
        assert provider.credentials == provider.credentials == SECRET


# Its place


def test_a_ciphertext_that_is_moved_to_another_row_is_not_decrypted(acme: Provider) -> None:
    actors.provider("mallory", url="http://mallory.example")
    overwrite(column(), "mallory")
    with pytest.raises(UnreadableSecret, match=r"damaged, or were moved here from another provider"):
        read("mallory")
    assert read() == SECRET


def test_no_other_row_can_be_at_the_same_place(acme: Provider) -> None:
    """A whole row can't be copied: what a ciphertext is bound to is unique."""
    acme.pk, acme.name = None, "copy"
    with pytest.raises(IntegrityError), transaction.atomic():
        acme.save()
    place = Provider._meta.get_field(Provider._meta.get_field("credentials").bound_to)
    assert (place.unique, place.editable) == (True, False)


def test_a_ciphertext_of_another_table_or_column_is_not_decrypted(acme: Provider) -> None:
    for place in (
        f"inventory_provider.password:{acme.guid}",
        f"other.credentials:{acme.guid}",
        f"inventory_provider.credentials:{acme.pk}",
    ):
        overwrite(encrypt(json.dumps(SECRET).encode(), place).text)
        with pytest.raises(UnreadableSecret, match="moved"):
            read()


@pytest.mark.parametrize(
    "tampered",
    [
        lambda text: '{"userid": "mallory"}',
        lambda text: text[:-4] + ("AAAA" if text[-4:] != "AAAA" else "BBBB"),
        lambda text: text[:40],
        lambda text: text + "\n",
        lambda text: text.replace("v1:", "v2:"),
        lambda text: "v1:" + text.split(":")[1] + ":",
        lambda text: "v1:" + text.split(":")[1] + ":ü",
        lambda text: "v1",
    ],
)
def test_what_was_tampered_with_is_unreadable(acme: Provider, tampered: Any) -> None:
    overwrite(tampered(column()))
    with pytest.raises(UnreadableSecret, match="damaged"):
        read()


def test_a_token_of_an_earlier_version_is_no_longer_accepted(acme: Provider) -> None:
    """It could be moved, so reading it here would undo that credentials are bound to their row."""
    overwrite(Fernet(OLD).encrypt(json.dumps(SECRET).encode()).decode())
    with pytest.raises(UnreadableSecret, match="earlier version"):
        read()


def test_an_empty_column_means_no_credentials(acme: Provider) -> None:
    overwrite("")
    assert read() == {}


def test_nothing_is_encrypted_for_a_row_without_its_place() -> None:
    class Safe(models.Model):
        secret = EncryptedJSONField()

        class Meta:
            app_label = "safes"

        def __str__(self) -> str:
            return "safe"

    with pytest.raises(LookupError, match="before the row has its id"):
        Safe._meta.get_field("secret").pre_save(Safe(secret=1), add=True)


# Queries


def test_an_update_without_the_row_is_refused(acme: Provider) -> None:
    with pytest.raises(TypeError, match="encrypted for its row"):
        Provider.objects.update(credentials=SECRET)


@pytest.mark.parametrize(
    "lookup", ["startswith", "contains", "regex", "iregex", "iexact", "gt", "in", "length__gt", "among"]
)
def test_no_lookup_asks_for_a_part_of_a_ciphertext(acme: Provider, lookup: str) -> None:
    with pytest.raises(FieldError):
        Provider.objects.filter(**{f"credentials__{lookup}": "v1"}).exists()


def test_queries_return_ciphertexts(acme: Provider) -> None:
    [stored] = Provider.objects.values_list("credentials", flat=True)
    assert stored == Ciphertext(column())
    assert Provider.objects.filter(credentials=stored).exists()


def test_a_dump_has_the_ciphertext_and_is_loaded_without_the_key(acme: Provider, settings: Any) -> None:
    settings.CREDENTIALS_KEYS = [NEW]
    dump = serializers.serialize("json", Provider.objects.all())
    assert column() in dump
    Provider.objects.all().delete()
    for loaded in serializers.deserialize("json", dump):
        loaded.save()
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    assert read() == SECRET
