"""The processes of the service, which a larger installation runs on several hosts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from django.conf import settings

from inventory.configuration import CHECKED
from inventory.standalone.supervisor import GRACE, Program

# `-P` keeps the working directory out of the module path.
_PYTHON = (sys.executable, "-P")
# Celery warns about pickled messages as root. There are none, and root is usual in containers.
_CALM = ("-W", "ignore:You're running the worker with superuser privileges")


def python_path() -> dict[str, str]:
    """Lets a child import this project from any working directory."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(settings.BASE_DIR), os.environ.get("PYTHONPATH")]))}


def web(socket: int, lock: int) -> Program:
    """The web server, on a socket that already listens."""
    options = {
        "config": "python:settings.gunicorn",
        "bind": f"fd://{socket}",
        "worker-class": "inventory.webserver.BufferingWorker",
        "workers": "2",
        "threads": "8",
        "graceful-timeout": str(GRACE - 5),
        "log-level": "warning",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    # Preloading imports the project once for all workers. The control socket would lie in the home directory.
    command = [*_PYTHON, "-m", "gunicorn", "settings.wsgi", "--preload", "--no-control-socket", *arguments]
    return Program("web server", command, _environment() | _shared_metrics(), [socket, lock])


def worker(lock: int) -> Program:
    # Workers coordinate through the database, so they need no gossip.
    arguments = ("worker", "--pool=threads", "--without-gossip", "--without-mingle")
    return _celery("worker", lock, *arguments, environment=_shared_metrics())


def scheduler(lock: int) -> Program:
    return _celery("scheduler", lock, "beat")


def _celery(
    name: str, lock: int, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
) -> Program:
    command = [*_PYTHON, *_CALM, "-m", "celery", "--quiet", "--app=settings", *arguments]
    return Program(name, command, {**_environment(), **environment}, [lock])


def metrics_folder() -> Path:
    """Where the processes of the service keep what they count."""
    folder: Path = settings.VAR / "metrics"
    return folder


def _shared_metrics() -> dict[str, str]:
    """Lets the web server also show what the worker counts."""
    return {"PROMETHEUS_MULTIPROC_DIR": str(metrics_folder())}


def _environment() -> dict[str, str]:
    return python_path() | {CHECKED: "yes"}
