"""The servers that an installation needs, each with its files in a folder of its own and on a free port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

#: How long a server may take to come up, in seconds.
PATIENCE = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as trial:
        port: int = trial.getsockname()[1]
        return port


class Server(ABC):
    """A server that can be lost and be there again."""

    #: What a run calls its loss.
    loss: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder / type(self).__name__.lower()
        self.folder.mkdir()
        self.port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """What the installation has to know of it."""

    @abstractmethod
    def start(self) -> None:
        """Start it, and wait until it listens."""

    def lose(self) -> None:
        """Kill it, with what it keeps in memory, and start it again."""
        self.end()
        self.start()

    def end(self) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def _run(self, *command: str | Path, environment: Mapping[str, str] | None = None) -> None:
        """In a process group of its own, so that it ends with what it starts."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                env={**os.environ, **(environment or {})},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)

    def _await(self, port: int) -> None:
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            if any(process.poll() is not None for process in self._processes):
                break
            time.sleep(0.05)
        raise SystemExit(f"{type(self).__name__} does not come up:\n{(self.folder / 'log').read_text()[-2000:]}")


class PostgreSQL(Server):
    """Lost, it recovers from its log as after a crash."""

    loss = "restart of PostgreSQL"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        # It refuses to run as root.
        self._as: Sequence[str] = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(self.folder, "postgres")
        initdb = [*self._as, self._bin / "initdb", "-U", "portcullis", "-A", "trust", "--no-sync", "data"]
        subprocess.run(initdb, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

    @property
    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": f"postgres://portcullis@127.0.0.1:{self.port}/postgres"}

    def start(self) -> None:
        settings = ("listen_addresses=127.0.0.1", "max_connections=200", f"unix_socket_directories={self.folder}")
        options = [part for setting in settings for part in ("-c", setting)]
        self._run(*self._as, self._bin / "postgres", "-D", "data", "-p", str(self.port), *options)
        self._await(self.port)

    def end(self) -> None:
        with suppress(FileNotFoundError, ProcessLookupError):
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGQUIT)  # at once, as in a crash; killed, it would leave its memory behind
            for process in self._processes:
                process.wait(timeout=PATIENCE)
        super().end()


class RabbitMQ(Server):
    """Lost, it comes back without a queue or a message."""

    loss = "loss of RabbitMQ's content"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._epmd, self._distribution = free_port(), free_port()
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")

    @property
    def environment(self) -> dict[str, str]:
        return {"CELERY_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{self.port}//"}

    def start(self) -> None:
        kept = self.folder / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        environment = {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"chaos{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(kept),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
        }
        # Not the one that it would start itself, which would stay.
        self._run("epmd", "-port", str(self._epmd), "-address", "127.0.0.1")
        self._await(self._epmd)
        self._run("/usr/lib/rabbitmq/bin/rabbitmq-server", environment=environment)
        self._await(self.port)


class Redis(Server):
    loss = "loss of Redis' content"

    @property
    def environment(self) -> dict[str, str]:
        return {"CELERY_BROKER_URL": f"redis://127.0.0.1:{self.port}/0"}

    def start(self) -> None:
        self._run("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "")
        self._await(self.port)


class Embedded(Server):
    """The broker that is a folder of the installation."""

    loss = "loss of the embedded broker's content"

    @property
    def environment(self) -> dict[str, str]:
        return {}

    def start(self) -> None:
        """It needs no process."""

    def lose(self) -> None:
        for message in (self.folder.parent / "var" / "broker").glob("*.msg"):
            message.unlink(missing_ok=True)


SERVERS: Mapping[str, Sequence[type[Server]]] = {
    "rabbitmq": (PostgreSQL, RabbitMQ),
    "redis": (PostgreSQL, Redis),
    "embedded": (Embedded,),
}
