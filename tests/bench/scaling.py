"""`python -m tests.bench.scaling`: what more threads and more workers do, and what each process takes.

The processes of `standalone` on the PostgreSQL and the broker of the environment, with an EC2 endpoint in memory
that takes `CLOUD` milliseconds for an answer, and workers beside them as on further hosts.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

import psycopg

from tests.bench.changes import EACH, bulks, say
from tests.bench.ec2 import INSTANCES
from tests.bench.portcullis import Portcullis
from tests.bench.processes import endpoint, kib
from tests.e2e import units
from tests.e2e.installation import installation
from tests.e2e.service import Service, running

#: In milliseconds.
CLOUD = 100
ROUNDS = 3
#: Threads of each worker, and how many workers.
SIZES = ((8, 1), (32, 1), (64, 1), (32, 2))
#: By what their commands have in them.
PROCESSES = {"web": "gunicorn", "worker": "--pool", "scheduler": "beat"}


def main() -> None:
    if not {"DATABASE_URL", "CELERY_BROKER_URL"} <= os.environ.keys():
        sys.exit("DATABASE_URL and CELERY_BROKER_URL say where to measure: env $(.ci/services env) ...")
    say(f"finished a second, {EACH} changes of each of {INSTANCES} instances, a cloud that answers in {CLOUD} ms:")
    for threads, workers in SIZES:
        with ExitStack() as stack:
            measure(stack, threads, workers)


def measure(stack: ExitStack, threads: int, workers: int) -> None:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portcullis-bench-")))
    service = stack.enter_context(installation(folder, REFRESH_INTERVAL="0", WORKER_CONCURRENCY=str(threads)))
    service.start()
    for _ in range(workers - 1):
        command = units.command("portcullis-worker@.service", service.environment, "further")
        further = Popen(command, env=service.environment, process_group=service.group)
        stack.callback(further.wait)
        stack.callback(further.terminate)
    portcullis = Portcullis(service)
    paths = portcullis.connect("slow", stack.enter_context(endpoint("ec2", str(CLOUD))))
    rates = [portcullis.rates(bulks(paths, EACH, [turn])).finished for turn in range(ROUNDS)]
    say(f"  {workers} x {threads} threads" + "".join(f"{rate:8.0f}" for rate in rates))
    say(f"    connections of the database: {connections(service)}; memory: {', '.join(memory(service))}")


def connections(service: Service) -> int:
    """All but the two of this process."""
    with psycopg.connect(service.environment["DATABASE_URL"]) as database:
        there = database.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return len(there.fetchall()) - 2


def memory(service: Service) -> list[str]:
    """What the processes of each kind have of their own and of what they share, in all."""
    found = []
    for name, mark in PROCESSES.items():
        theirs = [process.pid for process in running(service.group) if mark in process.command]
        found.append(f"{len(theirs)} {name} {sum(kib(pid, 'Pss') for pid in theirs) / 1024:.0f} MiB")
    return found


if __name__ == "__main__":
    main()
