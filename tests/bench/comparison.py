"""A worker with the tasks of `bare`, and what it is asked to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from tests.bench.portcullis import Rates
from tests.bench.processes import paused

#: As the processes of `standalone` have it.
OPTIONS = ("--pool=threads", "--concurrency=8", "--without-gossip", "--without-mingle", "--loglevel=warning")

#: The name of a task of `bare`, and its arguments after the time.
Message = tuple[str, tuple[Any, ...]]


class Comparison:
    def __init__(self, folder: Path) -> None:
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = str(folder / "told")
        self._told.bind(path)
        self._told.settimeout(60)
        # For this process as well, which sends the messages.
        os.environ |= {"CELERY_QUEUE": f"portcullis_bench_{uuid4().hex}", "BENCH_SOCKET": path}

    def __enter__(self) -> Self:
        from tests.bench.bare import app

        command = [sys.executable, "-m", "celery", "--quiet", "--app=tests.bench.bare", "worker", *OPTIONS]
        self._app, self._worker = app, subprocess.Popen(command, env=os.environ)
        self.latencies([("nothing", ())])  # which waits until it has started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.terminate()
        self._worker.wait()
        with self._app.connection() as connection:
            connection.default_channel.queue_delete(self._app.conf.task_default_queue)

    def rates(self, messages: Iterable[Message]) -> Rates:
        """Send all of these, and wait until they are done."""
        began = time.time()
        sent = self._send_all(messages)
        answered = time.time()
        self._await(sent)
        return Rates(sent / (answered - began), sent / (time.time() - began))

    def backlog(self, messages: Iterable[Message]) -> Rates:
        """The same where the worker begins when all of them are sent."""
        began = time.time()
        with paused(self._worker.pid):
            sent = self._send_all(messages)
            answered = time.time()
        self._await(sent)
        return Rates(sent / (answered - began), worked_off=sent / (time.time() - answered))

    def latencies(self, messages: Iterable[Message]) -> list[float]:
        """Seconds from sent to done of messages that are sent one after the other."""
        found = []
        for message in messages:
            self._send(*message)
            found.append(float(self._told.recv(64)))
        return found

    def _send_all(self, messages: Iterable[Message]) -> int:
        return sum(self._send(*message) for message in messages)

    def _await(self, count: int) -> None:
        for _ in range(count):
            self._told.recv(64)

    def _send(self, name: str, arguments: tuple[Any, ...]) -> int:
        self._app.send_task(f"tests.bench.bare.{name}", (time.time(), *arguments))
        return 1
