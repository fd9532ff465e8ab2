"""A demonstration: a company with an account at a cloud on loopback, EC2 or OpenStack.

It runs in a separate process, and connects the account as a provider with the service's own functions. Only
`standalone --demo` uses it.
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
    """The demonstration for the service at this address. If there is a password, it prints it."""
    account = {"DJANGO_SUPERUSER_USERNAME": name} | ({"DJANGO_SUPERUSER_PASSWORD": password} if password else {})
    return Program(
        "demonstration",
        [sys.executable, "-P", "-m", "inventory.demo", cloud, url],
        python_path() | account,
        [lock],
    )
