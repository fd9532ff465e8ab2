"""A company with an account at a cloud on loopback, EC2 or OpenStack, to try Portcullis on.

It is a process of its own beside the service, which it meets as an account elsewhere would be met: connected as a
provider, by the service's own functions. Nothing but `standalone --demo` knows of it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

from django.core.management.base import CommandError

from inventory.messages import MOTO_MISSING
from inventory.standalone.programs import python_path
from inventory.standalone.supervisor import Program


def ensure_installed(cloud: str) -> None:
    if cloud == "ec2" and not find_spec("moto"):
        raise CommandError(MOTO_MISSING)


def program(cloud: str, url: str, name: str, password: str | None, lock: int) -> Program:
    """The demonstration for the service at this address; a password that is known goes into what it prints."""
    account = {"DJANGO_SUPERUSER_USERNAME": name} | ({"DJANGO_SUPERUSER_PASSWORD": password} if password else {})
    return Program(
        "demonstration",
        [sys.executable, "-P", "-m", "inventory.demo", cloud, url],
        python_path() | account,
        [lock],
    )
