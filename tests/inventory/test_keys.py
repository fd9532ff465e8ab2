"""Keys that an installation makes for itself."""

from __future__ import annotations

import multiprocessing
import secrets
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from settings.keys import fernet_keys, kept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "key"


def never() -> str:
    raise AssertionError("There is a key already.")


def test_a_key_is_made_once(path: Path) -> None:
    key = kept(path, secrets.token_hex)
    assert len(key) == 64
    assert kept(path, never) == key
    assert path.read_text() == key


def test_only_its_owner_can_read_it(path: Path) -> None:
    kept(path, secrets.token_hex)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_is_never_readable_by_others_not_even_while_it_is_made(path: Path) -> None:
    seen = []

    def make() -> str:
        seen.extend(stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir())
        return "key"

    kept(path, make)
    assert seen == [0o600]


def test_nothing_but_the_key_is_left(path: Path) -> None:
    kept(path, secrets.token_hex)
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_was_given_by_hand_is_kept_without_its_line_end(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("by hand\n")
    assert kept(path, never) == "by hand"


def test_who_is_second_takes_the_key_of_the_first(path: Path) -> None:
    def make_while_another_is_faster() -> str:
        path.write_text("first")
        return "second"

    assert kept(path, make_while_another_is_faster) == "first"
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_start_together_agree_on_one_key(path: Path) -> None:
    makers = 4
    with ProcessPoolExecutor(makers, mp_context=multiprocessing.get_context("spawn")) as pool:
        keys = list(pool.map(kept, [path] * makers, [secrets.token_hex] * makers))
    assert set(keys) == {path.read_text()}


def test_keys_for_credentials_are_a_list() -> None:
    first, second = (Fernet.generate_key().decode() for _ in range(2))
    assert fernet_keys(f"{first}, {second},") == [first, second]


@pytest.mark.parametrize("invalid", ["short", "ü" * 44, ",", "CHANGE-ME", "A" * 45, "=" * 44])
def test_a_key_that_is_none_stops_the_start_and_is_not_shown(invalid: str) -> None:
    good = Fernet.generate_key().decode()
    for text in (invalid, f"{good},{invalid}" if invalid != "," else invalid):
        with pytest.raises(ImproperlyConfigured, match="CREDENTIALS_KEY is invalid") as raised:
            fernet_keys(text)
        assert invalid == "," or invalid not in str(raised.value)
        assert good not in str(raised.value)
