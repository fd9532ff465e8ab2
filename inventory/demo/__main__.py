"""`python -m inventory.demo CLOUD URL` runs the company's cloud for the service at this address."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models need the set-up
from django.db import connections, transaction  # noqa: E402
from django.utils.module_loading import import_string  # noqa: E402

from inventory.demo.account import Account  # noqa: E402
from inventory.models import Instance, Provider, Task  # noqa: E402
from inventory.services import connect_provider, edit_provider, request_refresh  # noqa: E402

#: The name of the company's provider at each cloud, and the function that creates its account.
ACCOUNTS = {
    "ec2": ("bookshop", "inventory.demo.endpoint.account"),
    "openstack": ("bookshop-openstack", "inventory.demo.openstack.company.account"),
}
#: How long the first refresh may take, in seconds. Usually it takes one or two.
TIMEOUT = 60
#: The instance and the group in the printed commands.
INSTANCE, GROUP = "production-web-1", "ssh-from-office"

WORDS = """
The company's cloud is at {endpoint}, {told}.
List the security groups of {instance}:

  curl -u {account} '{api}/instances/{id}/security_groups?expand=resources'

Add one:

  curl -u {account} {api}/instances/{id}/security_groups -d '{addition}'

Watch the task that carries it out:

  curl -u {account} '{api}/tasks?expand=resources&offset={tasks}'
"""


def main(cloud: str, url: str) -> None:
    user = User.objects.get(username=os.environ["DJANGO_SUPERUSER_USERNAME"])
    name, path = ACCOUNTS[cloud]
    existing = Provider.objects.connected().filter(name=name).first()
    open_account: Callable[[str | None], AbstractContextManager[Account]] = import_string(path)
    with open_account(existing.url if existing else None) as account:
        task = _connect(name, account, existing, user)
        _wait_for(task)
        print(_words(url, name, account, user), flush=True)  # noqa: T201 - its purpose
        connections.close_all()
        signal.pause()


def _connect(name: str, account: Account, existing: Provider | None, user: User) -> Task:
    """Connect the account, or point the provider of an earlier start to it. Returns the task of the refresh."""
    attributes = {**account.attributes, "enabled": True}
    with transaction.atomic():
        provider = existing or connect_provider(user=user, name=name, **attributes)
        if existing:
            edit_provider(provider=existing, user=user, **attributes)
        # Forced, because this company may replace an earlier one completely.
        return request_refresh(provider=provider, user=user, force=True)


def _wait_for(task: Task) -> None:
    deadline = time.monotonic() + TIMEOUT
    while task.state != Task.State.FINISHED and time.monotonic() < deadline:
        time.sleep(0.1)
        task.refresh_from_db()
    if task.state != Task.State.FINISHED or task.status != Task.Status.OK:
        sys.exit(f"The demonstration could not be read: {task.message}")


def _words(url: str, provider: str, account: Account, user: User) -> str:
    password = os.environ.get("DJANGO_SUPERUSER_PASSWORD", "")
    name = user.get_username()
    return WORDS.format(
        endpoint=account.url,
        told=account.told,
        account=shlex.quote(f"{name}:{password}" if user.check_password(password) else name),
        api=f"{url}/api",
        instance=INSTANCE,
        id=Instance.objects.get(provider__name=provider, name=INSTANCE).pk,
        addition=json.dumps({"action": "add", "resource": {"name": GROUP}}),
        tasks=Task.objects.count(),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
