"""A service to be fuzzed, on a database of its own; nobody carries its tasks out."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from django.core.management import call_command

PASSWORD = "fuzz"
THREADS = 4


def fill() -> None:
    """Bring the cast in, and again once its providers were deleted: an empty inventory shows little."""
    from django.contrib.auth.models import Group, User

    from inventory.models import Provider, Vm
    from tests import cast

    admin = User.objects.filter(username="admin").first() or User.objects.create_superuser(
        "admin", password=PASSWORD
    )
    if not Vm.objects.filter(ems_ref="i-production-double").exists():
        Provider.objects.filter(name__in=["acme", "other"]).delete()
        Group.objects.all().delete()
        User.objects.exclude(pk=admin.pk).delete()
        cast.company(admin)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Start a service that keeps everything in this folder, and end it; gives its address."""
    os.environ |= {"PORTCULLIS_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "settings.test", "API_WAITING": "0"}
    os.environ.pop("DATABASE_URL", None)
    django.setup()
    call_command("migrate", verbosity=0)
    fill()
    with socket.create_server(("127.0.0.1", 0)) as listening, (folder / "server.log").open("wb") as log:
        host, port = listening.getsockname()
        gunicorn = ["gunicorn", "tests.fuzz.wsgi", f"--bind=fd://{listening.fileno()}", f"--threads={THREADS}"]
        gunicorn.append("--worker-class=inventory.webserver.BufferingWorker")
        server = subprocess.Popen([sys.executable, "-m", *gunicorn], pass_fds=[listening.fileno()], stderr=log)
        try:
            yield f"http://{host}:{port}"
        finally:
            server.terminate()
            server.wait()
