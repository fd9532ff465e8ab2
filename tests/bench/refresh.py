"""`python -m tests.bench.refresh`: a full refresh of a large account, its seconds and the memory that it takes.

10,000 instances, 2,000 groups and 20,000 rules, read by the OpenStack driver over HTTP: first into an empty
inventory, then unchanged, then where all instances were renamed here. Fails where the process ever had more than
400 MB.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.processes import endpoint

BOUND = 400


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{what:<28} {time.perf_counter() - began:6.1f} s   peak {peak} MB")  # noqa: T201


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.test")
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{tempfile.mkdtemp(prefix='portcullis-bench-')}/db.sqlite3")

    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with endpoint("endpoint") as url:
        measure(url)
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > BOUND * 1024:
        sys.exit(f"More than {BOUND} MB.")


def measure(url: str) -> None:
    from inventory.models import Provider, Vm
    from inventory.refresh import refresh
    from tests.clouds import Grip

    provider = Provider.objects.create(
        name="large",
        vendor="openstack",
        url=url,
        credentials={"userid": "admin", "password": "admin"},
    )
    with timed("the reading alone"):
        provider.driver().inventory()
    for what in ("into an empty inventory", "unchanged"):
        with timed(what):
            refresh(provider, Grip())
    Vm.objects.update(name="renamed here")
    with timed("every instance renamed"):
        refresh(provider, Grip())


if __name__ == "__main__":
    main()
