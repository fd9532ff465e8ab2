"""NetBox from the package index, on the same PostgreSQL, with as many virtual machines as there are instances."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inventory.demo.openstack.plane import INSTALLER
from inventory.standalone.supervisor import Program
from tests.bench.filled import database
from tests.bench.peer import Peer, Unavailable
from tests.bench.server import served

PACKAGES = ("netbox==4.7.3", "gunicorn==26.2.0")
#: The first that it runs on.
PYTHON = "python3.12"
ENVIRONMENT = Path("var/peers/netbox").absolute()
INSIDE = Path(__file__).with_name("inside_netbox.py")
_LIST = "/api/virtualization/virtual-machines/"


@contextmanager
def netbox(server: str, folder: Path, instances: int) -> Iterator[Peer]:
    """Raises `Unavailable` where it can't be installed."""
    _install()
    with ExitStack() as stack:
        url = stack.enter_context(database(server))
        environment = {**os.environ, "NETBOX_ROOT": str(folder), "DJANGO_SETTINGS_MODULE": "netbox.settings"}
        _configure(folder, url, stack.enter_context(_redis(folder)))
        _run(environment, str(ENVIRONMENT / "bin" / "netbox"), "migrate", "--verbosity=0")
        told = json.loads(_run(environment, _python(), "-P", str(INSIDE), str(instances)).splitlines()[-1])
        address = stack.enter_context(served(_web, environment))
        yield Peer(
            "NetBox", address.port, {"Authorization": told["authorization"]}, _paths(told["ids"], instances)
        )


def _paths(ids: list[int], instances: int) -> dict[str, list[str]]:
    return {
        "list-1000": [f"{_LIST}?limit=1000"],
        "list-50": [f"{_LIST}?limit=50"],
        "one": [f"{_LIST}{pk}/" for pk in ids],
        "filtered-50": [f"{_LIST}?limit=50&name__isw=production-web-00{n:03}" for n in range(instances // 100)],
        "offset": [f"{_LIST}?limit=50&offset={instances * 9 // 10}"],
    }


def _web(socket: int) -> Program:
    """With as many processes and threads as Portcullis."""
    options = ["--workers=2", "--worker-class=gthread", "--threads=8", "--preload", "--no-control-socket"]
    command = [_python(), "-P", "-m", "gunicorn", "netbox.wsgi", f"--bind=fd://{socket}", *options]
    return Program("NetBox", command, {}, [socket])


def _python() -> str:
    return str(ENVIRONMENT / "bin" / "python")


def _install() -> None:
    wanted, installed = "\n".join(PACKAGES), ENVIRONMENT / "installed"
    if installed.exists() and installed.read_text() == wanted:
        return
    if not shutil.which(PYTHON):
        raise Unavailable(f"it needs {PYTHON}, which is not here")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    # Where pyenv has several, it gives out the one that it is told.
    _run({**os.environ, "PYENV_VERSION": PYTHON.removeprefix("python")}, PYTHON, "-m", "venv", str(ENVIRONMENT))
    _run(os.environ, _python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", INSTALLER)
    _run(
        os.environ, str(ENVIRONMENT / "bin" / "uv"), "pip", "install", "--quiet", "--python", _python(), *PACKAGES
    )
    installed.write_text(wanted)


def _configure(folder: Path, url: str, redis: str) -> None:
    parts = urlsplit(url)
    default: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "USER": parts.username,
        "PASSWORD": parts.password,
        "HOST": parts.hostname,
        "PORT": parts.port or 5432,
        "CONN_MAX_AGE": 300,
    }
    configured = {
        "ALLOWED_HOSTS": ["*"],
        "DATABASES": {"default": default},
        "REDIS": {"tasks": {"URL": f"{redis}?db=0"}, "caching": {"URL": f"{redis}?db=1"}},
        "SECRET_KEY": secrets.token_urlsafe(50),
        "API_TOKEN_PEPPERS": {1: secrets.token_urlsafe(50)},
    }
    (folder / "conf").mkdir()
    lines = [f"{name} = {value!r}\n" for name, value in configured.items()]
    (folder / "conf" / "configuration.py").write_text("".join(lines))


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """The address of one of its own, on a socket in this folder."""
    socket = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--loglevel", "warning"]
    try:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    except OSError as failure:
        raise Unavailable(f"it needs redis-server: {failure}") from failure
    try:
        while not socket.exists() and process.poll() is None:
            time.sleep(0.05)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait()


def _run(environment: Mapping[str, str], *command: str) -> str:
    try:
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as failure:
        said = getattr(failure, "stderr", "") or str(failure)
        raise Unavailable(f"{' '.join(command[:4])}: {said.strip()[-500:]}") from failure
