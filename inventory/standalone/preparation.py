"""Checks and preparations before the service starts. A failure is a `CommandError` with one line."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error, connection
from django.utils.crypto import get_random_string

from inventory import messages, private_files
from inventory.drivers.endpoints import is_loopback_host
from inventory.services import unreadable_credentials
from inventory.standalone import lock
from inventory.standalone.programs import metrics_folder


def sole_service() -> int:
    """Lock `settings.VAR` for this service, and return the descriptor of the lock."""
    try:
        return lock.acquire(settings.VAR / "standalone.pid")
    except lock.AlreadyRunning as error:
        raise CommandError(str(error)) from error


def listen(host: str, port: int) -> socket.socket:
    """The socket of the web server, bound here so that a taken port is noticed at once."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CommandError(messages.cannot_listen(host, port, reason.partition(" (")[0])) from error


def check_debug(host: str) -> None:
    """Nobody elsewhere may see pages for debugging."""
    if settings.DEBUG and not is_loopback_host(host):
        raise CommandError(messages.DEBUG_IS_ON)


def forget_metrics() -> None:
    """Remove what the processes of an earlier service counted."""
    shutil.rmtree(metrics_folder(), ignore_errors=True)


def migrate() -> None:
    """Apply migrations."""
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except Error as error:
        reason = " ".join(str(error).split())  # drivers wrap their lines
        name = connection.settings_dict["NAME"]
        raise CommandError(messages.cannot_use_database(name, reason)) from error


def keep_private(report: Callable[[str], object]) -> None:
    """Hide the files of the installation from other users. Reports those that belong to somebody else."""
    for path in private_files.make_private():
        report(messages.exposed(path))


def check_credentials(report: Callable[[str], object]) -> None:
    """Check now, rather than during a refresh, that the key is right. Reports which credentials can't be read."""
    unreadable, stored = unreadable_credentials()
    if unreadable and len(unreadable) == stored:
        raise CommandError(messages.wrong_credentials_key(name for name, _ in unreadable))
    for name, reason in unreadable:
        report(f"{name}: {reason}")


def admin_account() -> tuple[str, str | None]:
    """The name of a superuser, created if there is none, and the password if it was just generated."""
    superuser = User.objects.filter(is_superuser=True).order_by("pk").first()
    if superuser:
        return superuser.get_username(), None
    name = os.environ.get("DJANGO_SUPERUSER_USERNAME", "admin")
    if User.objects.filter(username=name).exists():
        raise CommandError(messages.no_superuser(name))
    password = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
    generated = None if password else get_random_string(16)
    User.objects.create_superuser(name, password=password or generated)
    return name, generated
