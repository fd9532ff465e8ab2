"""`manage.py rotatekeys`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from io import StringIO
from threading import Barrier, Event
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from inventory.encryption import Ciphertext
from inventory.fields import EncryptedJSONField
from inventory.models import Provider
from inventory.services import edit_provider
from tests import cast as actors

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def connect() -> None:
    for name in ("a", "b", "c"):
        actors.provider(name, credentials={"userid": name})


@pytest.fixture
def rotating(settings: Any) -> Callable[[], None]:
    """Providers whose credentials have the old key. Calling it puts the new one before that."""
    settings.CREDENTIALS_KEYS = [OLD]
    connect()

    def begin() -> None:
        settings.CREDENTIALS_KEYS = [NEW, OLD]

    return begin


class Run:
    """One run of the command: what it said and how it ended."""

    def __init__(self) -> None:
        out, err = StringIO(), StringIO()
        self.failure = ""
        try:
            call_command("rotatekeys", stdout=out, stderr=err)
        except CommandError as error:
            self.failure = str(error)
        self.out, self.err = out.getvalue(), err.getvalue()


def read() -> list[str]:
    return [provider.credentials["userid"] for provider in Provider.objects.order_by("name")]


def stored(name: str) -> Ciphertext:
    ciphertext: Ciphertext = Provider.objects.values_list("credentials", flat=True).get(name=name)
    return ciphertext


@pytest.mark.django_db
class TestAlone:
    def test_afterwards_the_old_key_is_not_needed(self, rotating: Callable[[], None], settings: Any) -> None:
        rotating()
        run = Run()
        assert "Re-encrypted the credentials of 3 of 3 providers" in run.out
        assert "remove the other keys" in run.out
        settings.CREDENTIALS_KEYS = [NEW]
        assert read() == ["a", "b", "c"]

    def test_a_second_run_writes_nothing(self, rotating: Callable[[], None]) -> None:
        rotating()
        Run()
        before = [stored(name) for name in "abc"]
        assert "0 of 3" in Run().out
        assert [stored(name) for name in "abc"] == before

    def test_a_run_that_was_interrupted_is_continued(
        self, rotating: Callable[[], None], settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rotating()
        encrypted, written = EncryptedJSONField.encrypted, []

        def interrupted(self: Any, instance: Any) -> Ciphertext:
            if written:
                raise KeyboardInterrupt
            written.append(instance)
            return encrypted(self, instance)

        with monkeypatch.context() as patched:
            patched.setattr(EncryptedJSONField, "encrypted", interrupted)
            with pytest.raises(KeyboardInterrupt):
                Run()
        assert "2 of 3" in Run().out
        settings.CREDENTIALS_KEYS = [NEW]
        assert read() == ["a", "b", "c"]

    def test_what_can_not_be_read_is_named_and_stops_nothing_else(
        self, rotating: Callable[[], None], settings: Any
    ) -> None:
        Provider.objects.filter(name="b").update(credentials=stored("a"))  # moved
        settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
        actors.provider("lost", credentials={"userid": "lost"})
        rotating()
        run = Run()
        assert "2 of 4" in run.out
        assert run.failure == "Keep the other keys: the credentials of b, lost can't be read"
        assert "b: The stored credentials are damaged, or were moved here" in run.err
        assert "lost: The credentials were encrypted with another key" in run.err
        assert "remove" not in run.out
        assert stored("c").has_first_key

    def test_what_has_the_new_key_but_is_damaged_is_named_too(self, rotating: Callable[[], None]) -> None:
        rotating()
        Run()
        Provider.objects.filter(name="b").update(credentials=stored("a"))
        assert Run().failure == "Keep the other keys: the credentials of b can't be read"


def aside(call: Callable[[], Any]) -> Any:
    """The result of a call in another thread, with a connection of its own."""

    def run() -> Any:
        with closing(connection):
            return call()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


class TestMeanwhile:
    @pytest.fixture(autouse=True)
    def _rotating(self, shared_database: None, settings: Any) -> None:
        settings.CREDENTIALS_KEYS = [OLD]
        aside(connect)
        settings.CREDENTIALS_KEYS = [NEW, OLD]

    def test_an_edit_between_its_read_and_its_write_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        encrypted, edited = EncryptedJSONField.encrypted, Event()

        def edit() -> None:
            edit_provider(provider=Provider.objects.get(name="b"), user=None, credentials={"userid": "edited"})

        def interrupted(self: Any, instance: Any) -> Ciphertext:
            ciphertext = encrypted(self, instance)
            if instance.credentials == {"userid": "b"} and not edited.is_set():
                edited.set()
                aside(edit)
            return ciphertext

        monkeypatch.setattr(EncryptedJSONField, "encrypted", interrupted)
        assert "2 of 3" in aside(Run).out
        assert edited.is_set()
        assert aside(read) == ["a", "edited", "c"]

    def test_nothing_is_lost_while_others_edit_and_read(self, settings: Any) -> None:
        together = Barrier(3, timeout=30)

        def edit() -> str:
            together.wait()
            for number in range(20):
                provider = Provider.objects.get(name="a")
                edit_provider(provider=provider, user=None, credentials={"userid": f"a{number}"})
            return f"a{number}"

        def look() -> list[list[str]]:
            together.wait()
            return [read()[1:] for _ in range(20)]

        def rotate() -> None:
            together.wait()
            Run()

        with ThreadPoolExecutor(3) as pool:
            last, seen, _ = list(pool.map(aside, (edit, look, rotate)))
        assert seen == [["b", "c"]] * 20
        settings.CREDENTIALS_KEYS = [NEW]
        assert aside(read) == [last, "b", "c"]
