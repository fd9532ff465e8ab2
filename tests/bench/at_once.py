"""`python -m tests.bench.at_once`: refreshes of a very large account from a driver that costs nothing.

In the database of `DATABASE_URL`, which is migrated and knows nothing of the account: into an empty inventory,
then unchanged, then where all instances were renamed here. Prints as JSON what each took, in seconds, and in MB
what the process had at most, before the first (most of that is the account) and in all. It is a process of its
own, so that nothing else is counted as a refresh's.
"""

from __future__ import annotations

import json
import os
import resource
from dataclasses import asdict
from functools import cache
from typing import Any, ClassVar

from inventory.drivers.readonly import ReadOnlyDriver
from inventory.drivers.values import Inventory
from tests.bench.clock import Clock
from tests.bench.large import inventory

VENDOR = "memory"
INSTANCES, GROUPS, RULES, EACH = 100_000, 10_000, 100_000, 2

account = cache(inventory)


class MemoryDriver(ReadOnlyDriver):
    """An account that is in memory already."""

    vendor: ClassVar[str] = VENDOR
    needs_credentials: ClassVar[bool] = False

    def inventory(self) -> Inventory:
        return account(INSTANCES, GROUPS, RULES, EACH)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.test")

    import django
    from django.conf import settings

    settings.DRIVERS[VENDOR] = "tests.bench.at_once.MemoryDriver"
    django.setup()
    print(json.dumps(measured()))  # noqa: T201


def measured() -> dict[str, Any]:
    from django.db import connection

    from inventory.models import Provider, Vm
    from inventory.refresh import refresh
    from tests.clouds import Grip

    provider, _ = Provider.objects.get_or_create(name="very large", vendor=VENDOR)
    Provider.objects.filter(pk=provider.pk).update(known_since=None)
    provider.driver().inventory()
    found: dict[str, Any] = {"before": peak()}
    for what in ("first", "unchanged", "renamed"):
        if what == "renamed":
            Vm.objects.update(name="renamed here")
        clock = Clock(connection.connection.info.backend_pid)
        refresh(provider, Grip())
        found[what] = asdict(clock.taken())
    return found | {"peak": peak()}


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
