"""The servers that an installation needs, each with its files in a folder of its own and on a free port.

They listen on loopback, or on the address of a network that a test made.
"""

from __future__ import annotations

import configparser
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

DEPLOY = Path(__file__).parents[1] / "deploy"
LOOPBACK = "127.0.0.1"
#: How long a server may take to come up, in seconds.
TIMEOUT = 180


def free_port(host: str = LOOPBACK) -> int:
    with socket.create_server((host, 0)) as trial:
        port: int = trial.getsockname()[1]
        return port


class Server(ABC):
    """A server that can be lost and be there again."""

    #: What a run calls its loss.
    loss: str

    def __init__(self, folder: Path, host: str = LOOPBACK) -> None:
        self.folder = folder / type(self).__name__.lower()
        self.folder.mkdir()
        self.host, self.port = host, free_port(host)
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

    def _await(self, port: int, host: str | None = None) -> None:
        ends = time.monotonic() + TIMEOUT
        while time.monotonic() < ends:
            with suppress(OSError), socket.create_connection((host or self.host, port), timeout=1):
                return
            if any(process.poll() is not None for process in self._processes):
                break
            time.sleep(0.05)
        raise SystemExit(f"{type(self).__name__} does not come up:\n{(self.folder / 'log').read_text()[-2000:]}")


class PostgreSQL(Server):
    """Lost, it recovers from its log as after a crash."""

    loss = "restart of PostgreSQL"

    def __init__(self, folder: Path, host: str = LOOPBACK) -> None:
        super().__init__(folder, host)
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        self._as = _unprivileged(self.folder)
        initdb = [*self._as, self._bin / "initdb", "-U", "portcullis", "-A", "trust", "--no-sync", "data"]
        subprocess.run(initdb, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)
        with (self.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")

    @property
    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": f"postgres://portcullis@{self.host}:{self.port}/postgres"}

    def start(self) -> None:
        settings = (
            f"listen_addresses={self.host}",
            "max_connections=200",
            f"unix_socket_directories={self.folder}",
        )
        options = [part for setting in settings for part in ("-c", setting)]
        self._run(*self._as, self._bin / "postgres", "-D", "data", "-p", str(self.port), *options)
        self._await(self.port)

    def end(self) -> None:
        with suppress(FileNotFoundError, ProcessLookupError):
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGQUIT)  # at once, as in a crash; killed, it would leave its memory behind
            for process in self._processes:
                process.wait(timeout=TIMEOUT)
        super().end()


class PgBouncer(Server):
    """Before a PostgreSQL that listens already, with the configuration of `deploy/`."""

    loss = "restart of PgBouncer"

    def __init__(self, folder: Path, postgresql: PostgreSQL) -> None:
        super().__init__(folder, postgresql.host)
        self._as = _unprivileged(self.folder)
        ours = {
            "listen_addr": self.host,
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": self.folder / "users",
            "logfile": "",
            "pidfile": "",
        }
        example = configparser.ConfigParser(comment_prefixes=(";",))
        example.read(DEPLOY / "pgbouncer.ini")
        example["databases"] = {"portcullis": f"host={self.host} port={postgresql.port} dbname=postgres"}
        example["pgbouncer"].update({name: str(value) for name, value in ours.items()})
        with (self.folder / "pgbouncer.ini").open("w") as file:
            example.write(file)
        (self.folder / "users").write_text('"portcullis" ""\n')
        for name in ("pgbouncer.ini", "users"):  # the settings of Portcullis hide what a process writes
            (self.folder / name).chmod(0o644)

    @property
    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": f"postgres://portcullis@{self.host}:{self.port}/portcullis"}

    def start(self) -> None:
        self._run(*self._as, "pgbouncer", "pgbouncer.ini")
        self._await(self.port)


class RabbitMQ(Server):
    """Lost, it comes back without a queue or a message."""

    loss = "loss of RabbitMQ's content"

    def __init__(self, folder: Path, host: str = LOOPBACK) -> None:
        super().__init__(folder, host)
        self._epmd, self._distribution = free_port(), free_port()
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {self.host}:{self.port}\nloopback_users = none\n"
        )

    @property
    def environment(self) -> dict[str, str]:
        return {"CELERY_BROKER_URL": f"amqp://guest:guest@{self.host}:{self.port}//"}

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
        self._await(self._epmd, LOOPBACK)
        self._run("/usr/lib/rabbitmq/bin/rabbitmq-server", environment=environment)
        self._await(self.port)


class Nginx(Server):
    """Before a web server, with the site of `deploy/`, which ends TLS."""

    loss = "restart of nginx"

    def __init__(
        self, folder: Path, web: str, enter: Sequence[str] = (), host: str = LOOPBACK, prefix: str = ""
    ) -> None:
        """Serves below `prefix` what the web server at `web` has. `enter` begins a command on the host of this."""
        super().__init__(folder)
        self.host, self.enter = host, enter
        self.certificate = self.folder / "tls.crt"
        site = (DEPLOY / "nginx" / "portcullis.conf").read_text()
        for theirs, ours in {
            "server 127.0.0.1:8000;": f"server {web};",
            "listen 80;": f"listen {host}:{free_port()};",
            "listen 443 ssl;": f"listen {host}:{self.port} ssl;",
            "location / {": f"location {prefix}/ {{",
            "listen [::]:80;": "",
            "listen [::]:443 ssl;": "",
            "/etc/portcullis/": f"{self.folder}/",
        }.items():
            assert theirs in site
            site = site.replace(theirs, ours)
        (self.folder / "site.conf").write_text(site)
        (self.folder / "nginx.conf").write_text(
            f"daemon off; error_log stderr; pid {self.folder}/pid; user root;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log off; include {self.folder}/site.conf; }}\n"
        )
        make = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=portcullis",
        ]
        make += ["-addext", f"subjectAltName=IP:{host}", "-keyout", "tls.key", "-out", "tls.crt"]
        subprocess.run(make, cwd=self.folder, check=True, capture_output=True)

    @property
    def environment(self) -> dict[str, str]:
        return {}

    def start(self) -> None:
        self._run(*self.enter, "/usr/sbin/nginx", "-c", self.folder / "nginx.conf", "-p", self.folder)
        self._await(self.port)


class Redis(Server):
    loss = "loss of Redis' content"

    @property
    def environment(self) -> dict[str, str]:
        return {"CELERY_BROKER_URL": f"redis://{self.host}:{self.port}/0"}

    def start(self) -> None:
        self._run("redis-server", "--port", str(self.port), "--bind", self.host, "--save", "")
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


def _unprivileged(folder: Path) -> Sequence[str]:
    """What a command begins with that refuses to run as root, and has its files there."""
    if os.geteuid() != 0:
        return ()
    shutil.chown(folder, "postgres")
    return ("runuser", "-u", "postgres", "--")


SERVERS: Mapping[str, Sequence[type[Server]]] = {
    "rabbitmq": (PostgreSQL, RabbitMQ),
    "redis": (PostgreSQL, Redis),
    "embedded": (Embedded,),
}
