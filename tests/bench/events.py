"""`python -m tests.bench.events`: refreshes of an account with events, beside those without their triggers.

In the database of `DATABASE_URL`, or in a new SQLite: into an empty inventory, unchanged, and where a hundredth of
the memberships and rules is missing here and a hundredth of the groups has another name. Both kinds take turns.
Fails where a refresh that finds a hundredth takes more than 1.10 times the time of processors with events.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from statistics import median
from typing import Any

from tests.bench import at_once
from tests.bench.clock import Clock, Taken

ROUNDS, BOUND = 4, 1.10
WHAT = ("first", "unchanged", "a hundredth changed")
#: How often each is tried in a round. The quickest counts, because whatever else the machine does only slows it.
TIMES = (1, 4, 6)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.test")
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{tempfile.mkdtemp(prefix='portcullis-bench-')}/db.sqlite3")

    import django
    from django.conf import settings
    from django.core.management import call_command

    settings.DRIVERS[at_once.VENDOR] = "tests.bench.at_once.MemoryDriver"
    at_once.INSTANCES, at_once.GROUPS, at_once.RULES = 20_000, 2_000, 20_000
    django.setup()
    call_command("migrate", verbosity=0)
    rounds = [measured(bool(number % 2), not number % 2) for number in range(ROUNDS)]
    worst = 0.0
    for what in WHAT:
        for by in ("wall", "cpu"):
            ratios = [getattr(one[what, True], by) / getattr(one[what, False], by) for one in rounds]
            taken = [f"{median(getattr(one[what, kind], by) for one in rounds):.2f} s" for kind in (True, False)]
            print(f"{what:20} {by:5} with {taken[0]:>8} without {taken[1]:>8}  x {median(ratios):.2f}")  # noqa: T201
            worst = median(ratios) if (what, by) == (WHAT[-1], "cpu") else worst
    if worst > BOUND:
        sys.exit(f"More than {BOUND} times as much.")


def measured(*kinds: bool) -> dict[tuple[str, bool], Taken]:
    """What each refresh took, by what it finds and whether events are written."""
    from inventory.models import Provider
    from inventory.refresh import refresh
    from tests.clouds import Grip

    found = {}
    provider, _ = Provider.objects.get_or_create(name="very large", vendor=at_once.VENDOR)
    provider.driver().inventory()
    for with_events in kinds:
        switch(with_events)
        empty(provider)
        for what, times in zip(WHAT, TIMES, strict=True):
            taken = []
            for _ in range(times):
                if what == WHAT[-1]:
                    change()
                clock = Clock(backend())
                refresh(provider, Grip())
                taken.append(clock.taken())
            found[what, with_events] = Taken(min(one.wall for one in taken), min(one.cpu for one in taken))
    switch(True)
    return found


def backend() -> int:
    from django.db import connection

    return connection.connection.info.backend_pid if connection.vendor == "postgresql" else 0


def switch(with_events: bool) -> None:
    """Create the triggers that write events, or drop them."""
    from django.apps import apps
    from django.db import connection

    with connection.cursor() as cursor:
        for app, operation in operations():
            table = apps.get_model(app, operation.model)._meta.db_table
            for sql in (operation.create if with_events else operation.drop)(connection.vendor, table):
                cursor.execute(sql)


def operations() -> Iterator[tuple[str, Any]]:
    from inventory.db.events import RecordEvents

    for app, name in (("inventory", "0027_events"), ("secgroups", "0012_events")):
        for operation in import_module(f"{app}.migrations.{name}").Migration.operations:
            if isinstance(operation, RecordEvents):
                yield app, operation


def empty(provider: Any) -> None:
    """Make the next refresh the first."""
    from django.db import transaction

    from inventory.db.bulk import analyze
    from inventory.db.events import UNRECORDED, because
    from inventory.deletion import steps
    from inventory.models import NetworkPort, Provider, Vm
    from secgroups.models import Membership, SecurityGroup

    with transaction.atomic(), because(UNRECORDED):
        for step in steps():
            step.execute(list(step.rows(provider.pk).order_by().values_list("pk", flat=True)))
    Provider.objects.filter(pk=provider.pk).update(known_since=None)
    analyze(NetworkPort, Vm, Membership, SecurityGroup)


def change() -> None:
    """Change a hundredth of what is here, so that a refresh finds it changed at the cloud."""
    from django.db import transaction

    from inventory.db.bulk import among
    from inventory.db.events import UNRECORDED, because
    from secgroups.models import FirewallRule, Membership, SecurityGroup

    def hundredth(model: Any) -> Any:
        pks = model._base_manager.order_by("pk").values_list("pk", flat=True)
        return model._base_manager.filter(pk__in=among(list(pks)[::100]))

    with transaction.atomic(), because(UNRECORDED):
        hundredth(Membership).delete()
        hundredth(FirewallRule).delete()
        hundredth(SecurityGroup).update(name="renamed here")


if __name__ == "__main__":
    main()
