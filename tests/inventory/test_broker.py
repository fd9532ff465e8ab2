"""Messages of the embedded broker are there whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection
from kombu.simple import SimpleQueue
from kombu.transport.virtual import BrokerState

from inventory import broker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "broker"


@pytest.fixture
def connect(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes connections to the broker in this folder; the state that a process keeps begins anew."""
    monkeypatch.setattr(broker.Transport, "global_state", BrokerState())
    options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(folder / "control"),
    }
    opened: list[Connection] = []

    def open_one() -> Connection:
        opened.append(Connection(transport="inventory.broker:Transport", transport_options=options))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.release()


def get(queue: SimpleQueue) -> Any:
    message = queue.get(block=False)
    message.ack()
    return message.payload


def test_a_message_that_was_written_is_read_once(connect: Any) -> None:
    writer, reader = (connect().SimpleQueue("celery") for _ in range(2))
    writer.put({"queue": "vms/1", "text": "gr\u00fc\u00df" * 10_000})
    assert get(reader) == {"queue": "vms/1", "text": "gr\u00fc\u00df" * 10_000}
    with pytest.raises(Empty):
        reader.get(block=False)


def test_messages_of_one_queue_are_not_those_of_another(connect: Any) -> None:
    connection = connect()
    connection.SimpleQueue("celery").put("work")
    other = connection.SimpleQueue("other")
    with pytest.raises(Empty):
        other.get(block=False)
    assert get(connection.SimpleQueue("celery")) == "work"


def test_no_reader_ever_sees_a_draft(connect: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = (connect().SimpleQueue("celery") for _ in range(2))
    looked = []

    def look_before(source: Path, target: Path) -> None:
        assert os.path.getsize(source) > 0
        with pytest.raises(Empty):
            reader.get(block=False)
        looked.append(source)
        rename(source, target)

    rename = os.replace
    monkeypatch.setattr(broker.os, "replace", look_before)
    writer.put("work")
    assert looked
    assert get(reader) == "work"


def test_a_draft_whose_writer_died_is_never_read(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, reader = (connect().SimpleQueue("celery") for _ in range(2))

    def die(source: Path, target: Path) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(broker.os, "replace", die)
        with pytest.raises(OSError, match="No space left"):
            writer.put("lost")
    writer.put("work")
    assert get(reader) == "work"
    with pytest.raises(Empty):
        reader.get(block=False)


def test_its_folder_is_for_its_owner_only(connect: Any, folder: Path) -> None:
    connect().SimpleQueue("celery").put("work")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
