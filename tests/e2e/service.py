"""The service as a user meets it: the processes of `manage.py standalone`, and what it says over HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
USER, PASSWORD = "admin", "correct horse"
LOGIN = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"

Found = TypeVar("Found")


class Process(NamedTuple):
    pid: int
    parent: int
    group: int
    command: str


def until(look: Callable[[], Found | None], *, seconds: float = 30) -> Found:
    """What `look` finds, as soon as it finds something; it must within so many seconds."""
    ends = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < ends, f"nothing after {seconds} s: {look}"
        time.sleep(0.05)
    return found


def running(group: int) -> list[Process]:
    return [process for process in processes() if process.group == group]


def processes() -> Iterator[Process]:
    """Everything that runs; who has ended and is not yet waited for does not."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, group, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between two looks
        if state != "Z":
            yield Process(int(folder.name), int(parent), int(group), command)


@dataclass
class Service:
    """One installation, which can be started and ended any number of times."""

    folder: Path
    environment: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    group: int = 0
    url: str = ""
    #: That of a proxy with TLS, which is trusted.
    certificate: Path | None = None
    _started: int = field(default=0, repr=False)

    def start(self, *, port: int = 0) -> None:
        """Start it and wait until it answers."""
        self._started += 1
        with self._log("out").open("wb") as out, self._log("err").open("wb") as err:
            self.process = subprocess.Popen(
                self._command("standalone", f"--port={port}", *self.arguments),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self.url = until(self._address, seconds=60)
        assert self.get("/api/ping", raw=True) == "pong"
        [self.group] = {child.group for child in self.children()}

    def refusal(self, *arguments: str, **environment: str) -> str:
        """The line with which a start is refused."""
        ended = self.manage("standalone", "--port=0", *arguments, check=False, **environment)
        assert ended.returncode != 0
        assert ended.stdout == ""
        assert ended.stderr.count("\n") == 1, ended.stderr
        return ended.stderr

    def manage(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            self._command(*arguments),
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not check or ended.returncode == 0, ended.stderr
        return ended

    def signal(self, number: signal.Signals) -> int:
        """Send it to the command alone; returns its exit status once everything that it started has ended."""
        assert self.process
        self.process.send_signal(number)
        status = self.process.wait(timeout=30)
        until(lambda: not running(self.group))
        return status

    def kill(self) -> None:
        """Kill the command alone, without a look at what it started."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Leave nothing behind, however the test went."""
        if self.process:
            self.kill()
            until(lambda: not running(self.group))

    def children(self) -> list[Process]:
        assert self.process
        return [process for process in processes() if process.parent == self.process.pid]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def worker(self) -> Process | None:
        return next(
            (child for child in self.children() if "celery" in child.command and "--pool" in child.command), None
        )

    def output(self) -> str:
        return self._log("out").read_text()

    def complaints(self) -> str:
        return self._log("err").read_text()

    def get(self, path: str, *, raw: bool = False) -> Any:
        return self._request(Request(self.url + path), raw=raw)  # noqa: S310 - http on loopback

    def status(self, path: str, *, token: str = "", user: str = "", password: str = "") -> int:
        """The status of a GET with a token, or by HTTP Basic."""
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"X-Auth-Token": token} if token else {"Authorization": f"Basic {login}"}
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        with closing(connection):
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status

    def post(self, path: str, body: object) -> Any:
        return self._request(Request(self.url + path, json.dumps(body).encode()))  # noqa: S310

    def post_chunks(self, path: str, content_type: str, *chunks: bytes) -> tuple[int, Any]:
        """The status and the answer to a body in these chunks."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        headers = {"Authorization": LOGIN, "Content-Type": content_type, "Transfer-Encoding": "chunked"}
        with closing(connection):
            connection.request("POST", path, iter(chunks), headers, encode_chunked=True)
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def task(self, task_id: str) -> dict[str, Any]:
        """The task, once it is finished."""

        def finished() -> dict[str, Any] | None:
            task: dict[str, Any] = self.get(f"/api/tasks/{task_id}")
            return task if task["state"] == "Finished" else None

        return until(finished, seconds=60)

    def _address(self) -> str | None:
        assert self.process
        assert self.process.poll() is None, self.complaints()
        found = re.search(r"Portcullis is at (http://[^ ,]+)", self.output())
        return found[1] if found else None

    def _request(self, request: Request, *, raw: bool = False) -> Any:
        request.add_header("Authorization", LOGIN)
        context = ssl.create_default_context(cafile=self.certificate) if self.certificate else None
        with urlopen(request, timeout=30, context=context) as answer:  # noqa: S310
            text = answer.read().decode()
        return text if raw else json.loads(text)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(MANAGE), *arguments]

    def _log(self, kind: str) -> Path:
        return self.folder / f"{self._started}.{kind}"


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without what the test settings put there."""
    own = {"DJANGO_SETTINGS_MODULE", "PORTCULLIS_VAR", "DATABASE_URL", "COLUMNS"}
    return {name: value for name, value in os.environ.items() if name not in own} | variables
