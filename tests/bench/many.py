"""`python -m tests.bench.many`: one change of ten thousand instances, beside single changes of some of them.

On PostgreSQL and the broker of the environment, with an EC2 endpoint in memory: how fast it is accepted, previewed
and carried out, what a poller of its task pays, and the processor time of an instance in the service's processes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.clock import TICKS
from tests.bench.processes import endpoint
from tests.e2e.installation import installation
from tests.e2e.service import Service, until

INSTANCES, SINGLES, ROUNDS = 10_000, 1_000, 3
#: Bounds: seconds until it is accepted, and the processor time of an instance beside that of a single change.
ACCEPTED, RATIO = 1.0, 1.2


def main() -> None:
    if not {"DATABASE_URL", "CELERY_BROKER_URL"} <= os.environ.keys():
        sys.exit("DATABASE_URL and CELERY_BROKER_URL say where to measure: env $(.ci/services env) ...")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portcullis-bench-")))
        service = stack.enter_context(installation(folder, REFRESH_INTERVAL="0"))
        service.start()
        _Bench(service, stack.enter_context(endpoint("ec2", "0", str(INSTANCES)))).run()


class _Bench:
    def __init__(self, service: Service, url: str) -> None:
        self._service = service
        attributes = {"name": "many", "type": "amazon", "provider_region": "us-east-1", "url": url}
        credentials = {"userid": "bench", "password": "bench"}
        [provider] = service.post("/api/providers", attributes | {"credentials": credentials})["results"]
        path = f"/api/providers/{provider['id']}"
        service.task(service.post(path, {"action": "refresh"})["task_id"])
        groups = service.get(f"{path}/security_groups?expand=resources&limit=1000")["resources"]
        ids = [each["id"] for each in groups if each["name"] != "default"]
        self._groups = [f"/api/security_groups/{pk}/instances" for pk in ids]
        self._instances = [*self._every(f"{path}/instances")]

    def _every(self, path: str) -> Iterator[str]:
        for offset in range(0, INSTANCES, 1000):
            for each in self._service.get(f"{path}?offset={offset}&limit=1000")["resources"]:
                yield each["href"].rpartition("/")[2]

    def run(self) -> None:
        resources = [{"id": pk} for pk in self._instances]
        named = self._timed(lambda: self._post(self._groups[0], action="add", resources=resources, dry_run=True))
        say(f"preview of {INSTANCES:,} instances: {named[0]:.2f} s")
        accepted, shares, walls, polls = [], [], [], []
        for turn in range(ROUNDS):
            alone = self._singles(self._groups[2 * turn])
            seconds, together, wall, poll = self._together(self._groups[2 * turn + 1], resources)
            accepted.append(seconds)
            shares.append(together / alone)
            walls.append(INSTANCES / wall)
            polls.append(poll)
        say(f"accepted: {median(accepted):.2f} s (at most {ACCEPTED}), of {_listed(accepted)}")
        share = f"{median(shares):.2f} (at most {RATIO}), of {_listed(shares)}"
        say(f"processor time an instance / a single change: {share}")
        say(f"instances a second: {median(walls):.0f}; a poll of the task: {1000 * median(polls):.1f} ms")

    def _singles(self, group: str) -> float:
        """Processor time of a single change, of as many instances, one request each."""
        name = self._service.get(group.removesuffix("/instances"))["name"]
        before, tasks = self._processors(), []
        for pk in self._instances[:SINGLES]:
            path = f"/api/instances/{pk}/security_groups"
            [result] = self._service.post(path, {"action": "add", "resource": {"name": name}})["results"]
            tasks.append(result["task_id"])
        self._finished(tasks[-1])
        until(lambda: self._unfinished() == 0, seconds=300)
        return (self._processors() - before) / SINGLES

    def _together(self, group: str, resources: list[dict[str, str]]) -> tuple[float, float, float, float]:
        before, began = self._processors(), time.perf_counter()
        accepted, [result] = self._timed(lambda: self._post(group, action="add", resources=resources))
        polls = []
        while True:
            poll, task = self._timed(lambda: self._service.get(f"/api/tasks/{result['task_id']}"))
            polls.append(poll)
            if task["state"] == "Finished":
                break
            time.sleep(1)
        assert (task["status"], task["context_data"]["ok"]) == ("Ok", INSTANCES), task
        return accepted, (self._processors() - before) / INSTANCES, time.perf_counter() - began, median(polls)

    def _finished(self, task: str) -> None:
        until(lambda: self._service.get(f"/api/tasks/{task}")["state"] == "Finished", seconds=300)

    def _unfinished(self) -> int:
        tasks = self._service.get("/api/tasks?filter[]=state!=Finished&limit=1")
        return int(tasks["subquery_count"])

    def _post(self, path: str, **body: Any) -> Any:
        return self._service.post(path, body)["results"]

    @staticmethod
    def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
        began = time.perf_counter()
        answer = act()
        return time.perf_counter() - began, answer

    def _processors(self) -> float:
        """Seconds of processor time of the web server and the worker, with what they forked and that has ended."""
        return sum(_taken(process.pid) for process in self._service.children())


def _taken(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def _listed(figures: list[float]) -> str:
    return ", ".join(f"{figure:.2f}" for figure in figures)


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
