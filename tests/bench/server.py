"""Web servers as production has them: that of the service, and the same before the floor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from inventory.standalone import programs
from inventory.standalone.supervisor import Program
from tests.bench.cases import HOST
from tests.bench.processes import kib
from tests.e2e.service import running

SERVICE, FLOOR = "settings.wsgi", "tests.bench.floor"


class Memory(NamedTuple):
    """Of a process, in MB: all that it sees, and its part of what is shared with others."""

    resident: float
    proportional: float


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    group: int

    def cpu(self) -> float:
        """Seconds of a processor that its processes have taken."""
        return sum(_seconds(process.pid) for process in running(self.group))

    def workers(self) -> list[int]:
        """The processes that answer: those without a child."""
        there = running(self.group)
        return [one.pid for one in there if one.pid not in {other.parent for other in there}]

    def memory(self) -> Memory:
        """Of the largest of them."""
        return max(Memory(*(kib(pid, name) * 1024 / 1e6 for name in ("Rss", "Pss"))) for pid in self.workers())


@contextmanager
def serving(application: str, environment: Mapping[str, str]) -> Iterator[Server]:
    """The web server of `manage.py standalone`, with this WSGI application in the place of the service."""
    with Path(os.devnull).open() as lock:

        def web(socket: int) -> Program:
            program = programs.web(socket, lock.fileno())
            words = [
                one.replace(SERVICE, application) if one.startswith(SERVICE) else one for one in program.command
            ]
            assert application in " ".join(words), program.command
            return replace(program, command=words)

        with served(web, environment) as server:
            yield server


@contextmanager
def served(program_on: Callable[[int], Program], environment: Mapping[str, str]) -> Iterator[Server]:
    """What serves a socket that listens already."""
    with socket.create_server((HOST, 0), backlog=2048) as listening:
        program = program_on(listening.fileno())
        process = subprocess.Popen(
            program.command,
            env={**environment, **program.environment},
            pass_fds=program.descriptors,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        try:
            yield Server(listening.getsockname()[1], process.pid)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=30)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _seconds(pid: int) -> float:
    """Of all its threads that live; a thread that ends takes its own along."""
    found = 0
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += int((thread / "schedstat").read_text().split()[0])
    return found / 1e9
