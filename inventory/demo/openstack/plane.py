"""Starts and stops a control plane, which is kept in one folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess  # nosec B404  # each call below is looked at
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from inventory.demo.openstack import configuration
from inventory.demo.openstack.configuration import ADMIN, ADMIN_PASSWORD, HOST, PORTS, REGION, Layout

HERE = Path(__file__).parent
INSIDE = HERE / "inside"
REQUIREMENTS = HERE / "requirements.txt"
#: The installer of the packages, ten times as fast as pip.
INSTALLER = "uv==0.13.9"

#: How long a service may take to start or stop, in seconds. Usually it takes less than ten.
TIMEOUT = 120
#: How long installing the packages may take, in seconds. Usually it takes less than a minute.
INSTALLING = 900
#: The services of each process. Nova's parts communicate through memory, so they share a process.
PROCESSES = {
    "identity": ("keystone", "placement"),
    "network": ("neutron",),
    "image": ("glance",),
    "compute": ("nova",),
}
DATABASES = ("keystone", "placement", "neutron", "glance", "nova")


class NotUp(Exception):
    """The control plane can't be started. The message has the reason and the end of the log."""


class ControlPlane:
    """The control plane in a folder. `venv` has its packages, and `state` everything else.

    `ovn` is that of its `Layout`.
    """

    def __init__(
        self, folder: Path, say: Callable[[str], object] = lambda text: None, ovn: Path | None = None
    ) -> None:
        self.folder = folder.resolve()
        self._ovn = ovn
        self.state = self.folder / "state"
        self.venv = self.folder / "venv"
        self._say = say

    def up(self) -> dict[str, str]:
        """Install, set up and start what is missing. Returns how to reach the control plane."""
        for name in ("db", "etc", "images", "lock", "log", "nova/instances", "plugins", "run", "staging", "tasks"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        self._install()
        layout = Layout(self.state, self.venv / "etc", self._ports(), self._ovn)
        configuration.write(layout)
        self._plug_in()
        keystone = layout.url("keystone", "/v3")
        self._once_each([(f"database of {name}", ["databases.py", name, keystone]) for name in DATABASES])
        self._once_each([("cell that is down", ["databases.py", "cell", keystone])])
        self._start("identity", layout)
        self._once_each([("service users and catalog", ["seed.py", "catalog", json.dumps(_catalog(layout))])])
        for process in PROCESSES:
            self._start(process, layout)
        for process, services in PROCESSES.items():
            for service in services:
                self._wait_for(process, layout.url(service))
        self._once_each([("flavor and image", ["seed.py", "images", keystone])])
        access = {
            "url": layout.url("keystone"),
            "userid": ADMIN,
            "password": ADMIN_PASSWORD,
            "project": ADMIN,
            "region": REGION,
        }
        (self.folder / "plane.json").write_text(json.dumps(access))
        return access

    def down(self) -> None:
        """Stop all processes."""
        for pid in dict(self._running()).values():
            _signal(pid, signal.SIGTERM)
        _comes(lambda: not dict(self._running()))
        for pid in dict(self._running()).values():
            _signal(pid, signal.SIGKILL)
        for name in PROCESSES:
            self._pid_file(name).unlink(missing_ok=True)

    def wipe(self) -> None:
        """Stop, and delete everything but the packages."""
        self.down()
        shutil.rmtree(self.state, ignore_errors=True)
        (self.folder / "plane.json").unlink(missing_ok=True)

    # Packages and files

    def _install(self) -> None:
        requirements, installed = REQUIREMENTS.read_text(), self.venv / "installed"
        if installed.exists() and installed.read_text() == requirements:
            return
        self._say("installing the packages")
        shutil.rmtree(self.venv, ignore_errors=True)
        python = str(self.venv / "bin" / "python")
        self._run("venv", [sys.executable, "-m", "venv", str(self.venv)])
        self._run("pip", [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", INSTALLER])
        installer = [str(self.venv / "bin" / "uv"), "pip", "install", "--quiet", "--python", python]
        self._run("packages", [*installer, "--requirement", str(REQUIREMENTS)])
        installed.write_text(requirements)

    def _ports(self) -> dict[str, int]:
        """The usual ports, or the next free ones. They are kept, because the catalog has them."""
        file = self.state / "ports.json"
        if not file.exists():
            with ExitStack() as stack:  # hold each port, so that no two services get the same
                sockets = {name: stack.enter_context(_next_free(port)) for name, port in PORTS.items()}
                file.write_text(json.dumps({name: sock.getsockname()[1] for name, sock in sockets.items()}))
        ports: dict[str, int] = json.loads(file.read_text())
        return ports

    def _plug_in(self) -> None:
        """Register inside/binding.py with Neutron, as if it were an installed package."""
        folder = self.state / "plugins" / "portcullis_plane-1.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: portcullis-plane\nVersion: 1\n")
        (folder / "entry_points.txt").write_text("[neutron.ml2.mechanism_drivers]\nbound = binding:BoundAtOnce\n")

    # Processes

    def _once_each(self, steps: list[tuple[str, list[str]]]) -> None:
        """Run these programs in parallel, except those that have succeeded before."""
        waiting = []
        for name, arguments in steps:
            marker = self.state / "run" / f"{name}.done"
            if not marker.exists():
                self._say(name)
                waiting.append((name, marker, self._spawn(name, arguments)))
        try:
            for name, marker, process in waiting:
                if not _comes(lambda process=process: process.poll() is not None) or process.returncode:  # type: ignore[misc]
                    raise NotUp(f"The {name} could not be made.\n{self._end_of_log(name)}")
                marker.touch()
        finally:
            for _, _, process in waiting:  # those still running after another has failed
                process.kill()
                process.wait()

    def _start(self, name: str, layout: Layout) -> None:
        if name in dict(self._running()):
            return
        for service in PROCESSES[name]:
            if not (sock := _listen(layout.ports[service])):
                raise NotUp(f"{layout.url(service)} is where {service} belongs, and something else listens there.")
            sock.close()
        self._say(f"starting {' and '.join(PROCESSES[name])}")
        services = [f"{service}={layout.ports[service]}" for service in PROCESSES[name]]
        program = "compute.py" if name == "compute" else "serve.py"
        process = self._spawn(name, [program, *services])
        self._pid_file(name).write_text(f"{process.pid} {_born(process.pid)}")
        if name == "identity":
            self._wait_for(name, layout.url("keystone", "/v3"))

    def _wait_for(self, process: str, url: str) -> None:
        if not _comes(lambda: _answers(url) or process not in dict(self._running())):
            raise NotUp(f"{url} does not answer.\n{self._end_of_log(process)}")
        if process not in dict(self._running()):  # another process answers
            raise NotUp(f"What was to answer at {url} has ended.\n{self._end_of_log(process)}")

    def _running(self) -> Iterator[tuple[str, int]]:
        for name in PROCESSES:
            file = self._pid_file(name)
            pid, _, start_time = file.read_text().partition(" ") if file.exists() else ("", "", "")
            if start_time and _born(int(pid)) == start_time:
                yield name, int(pid)

    def _spawn(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        """Start a program of inside/ with the packages' Python, in its own session and with a log."""
        with self._log(name).open("ab") as log:
            return subprocess.Popen(  # nosec B603  # noqa: S603 - ours
                [str(self.venv / "bin" / "python"), str(INSIDE / arguments[0]), *arguments[1:]],
                cwd=self.state,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        etc = str(self.state / "etc")
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),  # of OVN's commands
            "HOME": str(self.state),
            "PYTHONPATH": os.pathsep.join([str(INSIDE), str(self.state / "plugins")]),
            "PYTHONWARNINGS": "ignore",
            "MALLOC_ARENA_MAX": "2",
            "PLANE_STATE": str(self.state),
            "no_proxy": HOST,
            **{f"OS_{service.upper()}_CONFIG_DIR": etc for service in PORTS},
            "OS_KEYSTONE_CONFIG_FILES": f"{etc}/keystone.conf",
            "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
        }

    def _run(self, name: str, command: list[str]) -> None:
        with self._log(name).open("wb") as log:
            streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            try:
                subprocess.run(command, check=True, timeout=INSTALLING, **streams)  # nosec B603  # noqa: S603 - ours
            except subprocess.SubprocessError as error:
                raise NotUp(f"{' '.join(command[:4])} failed.\n{self._end_of_log(name)}") from error

    def _log(self, name: str) -> Path:
        return self.state / "log" / f"{name}.log"

    def _end_of_log(self, name: str) -> str:
        return "\n".join(self._log(name).read_text(errors="replace").splitlines()[-20:])

    def _pid_file(self, name: str) -> Path:
        return self.state / "run" / f"{name}.pid"


def _catalog(layout: Layout) -> dict[str, Any]:
    endpoints = {
        "placement": ("placement", ""),
        "network": ("neutron", ""),
        "image": ("glance", ""),
        "compute": ("nova", "/v2.1"),
    }
    return {
        "keystone": layout.url("keystone", "/v3"),
        "endpoints": {kind: layout.url(service, path) for kind, (service, path) in endpoints.items()},
        "user": [configuration.SERVICE, configuration.SERVICE_PASSWORD],
    }


def _next_free(port: int) -> socket.socket:
    """A listener on the first free port, starting with this one.

    An ephemeral port won't do, because the system may use it for a connection before the service restarts.
    """
    for candidate in range(port, port + 1000):
        if sock := _listen(candidate):
            return sock
    raise NotUp(f"No port after {port} is free.")


def _listen(port: int) -> socket.socket | None:
    try:
        return socket.create_server((HOST, port))
    except OSError:
        return None


def _born(pid: int) -> str:
    """The start time of a process, to distinguish it from a later one with the same id; empty if it has ended.

    A zombie has ended too, but only after its last thread, because until then it holds its ports.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    state, threads, start_time = stat[0], stat[17], stat[19]
    return "" if state == "Z" and threads == "1" else start_time


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _answers(url: str) -> bool:
    try:
        urlopen(url, timeout=5).close()  # nosec B310  # noqa: S310 - http on loopback
    except HTTPError:
        return True
    except (URLError, OSError):
        return False
    return True


def _comes(condition: Callable[[], bool]) -> bool:
    """Whether the condition becomes true within `TIMEOUT`."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
