"""`python -m tests.bench.refresh`: a full refresh of a large account, its seconds and the memory that it takes.

10,000 instances, 2,000 groups and 20,000 rules; first into an empty inventory, then unchanged, then with one in a
hundred instances renamed. Fails where the process ever had more than 400 MB.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

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
    from django.utils import timezone

    from inventory.models import Provider
    from inventory.refresh import Refresh, _write
    from tests.bench.large import inventory
    from tests.clouds import MemoryCloud

    call_command("migrate", verbosity=0)
    provider = Provider.objects.create(name="large", type="memory")
    account = inventory(10_000, 2_000, 20_000)

    def refresh() -> None:
        _write(Refresh(provider, MemoryCloud, account, timezone.now()), lambda: None)

    for what in ("into an empty inventory", "unchanged"):
        with timed(what):
            refresh()
    renamed = (replace(one, name="renamed") if n % 100 == 0 else one for n, one in enumerate(account.instances))
    account = replace(account, instances=tuple(renamed))
    with timed("1 in 100 instances renamed"):
        refresh()
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > BOUND * 1024:
        sys.exit(f"More than {BOUND} MB.")


if __name__ == "__main__":
    main()
