"""The processes of an installation, on as many hosts as one likes to think: they share nothing but the servers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from inventory.standalone import programs
from inventory.standalone.supervisor import Program
from tests.e2e.service import clean_environment

WEB_SERVERS, WORKERS = 2, 3
#: How long a process that ended stays away, in seconds.
AWAY = 1.0


class Installation:
    """Two web servers, three workers and a scheduler, each started again when it ends."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._environment = clean_environment(**environment)
        self._log = (folder / "installation.log").open("ab")
        self._sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(WEB_SERVERS)]
        self.urls = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in self._sockets]
        self._programs: dict[str, Program] = {"scheduler": programs.scheduler(self._sockets[0].fileno())}
        for number, listening in enumerate(self._sockets, 1):
            self._programs[f"web {number}"] = programs.web(listening.fileno(), listening.fileno())
        for number in range(1, WORKERS + 1):
            self._programs[f"worker {number}"] = programs.worker(self._sockets[0].fileno())
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._over, self._lock = Event(), Lock()
        self._keeper = Thread(target=self._keep)

    @property
    def workers(self) -> list[str]:
        return [name for name in self._programs if name.startswith("worker")]

    @property
    def web_servers(self) -> list[str]:
        return [name for name in self._programs if name.startswith("web")]

    def start(self) -> None:
        for name in self._programs:
            self._start(name)
        self._keeper.start()

    def kill(self, *names: str) -> None:
        """Kill these, all at a time, with everything that they started; without names everything there is."""
        self._signal(signal.SIGKILL, names or tuple(self._programs))

    def stop(self, name: str) -> None:
        """Ask one to stop; it is started again once it did."""
        self._signal(signal.SIGTERM, (name,))

    def end(self) -> None:
        self._over.set()
        if self._keeper.ident:
            self._keeper.join()
        self.kill()
        for process in self._processes.values():
            process.wait()
        for listening in self._sockets:
            listening.close()
        self._log.close()

    def _keep(self) -> None:
        while not self._over.wait(AWAY):
            for name, process in list(self._processes.items()):
                if process.poll() is not None:
                    self._start(name)

    def _start(self, name: str) -> None:
        program = self._programs[name]
        with self._lock:
            self._processes[name] = subprocess.Popen(
                program.command,
                env={**self._environment, **program.environment},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=sorted(set(program.descriptors)),
                start_new_session=True,
            )

    def _signal(self, number: signal.Signals, names: tuple[str, ...]) -> None:
        send: Callable[[int, int], None] = os.killpg if number == signal.SIGKILL else os.kill
        with self._lock:
            for name in names:
                with suppress(ProcessLookupError):
                    send(self._processes[name].pid, number)
