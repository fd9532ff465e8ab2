"""Changes of security groups as a client asks for them, and what the rows of their tasks say."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from math import nan
from threading import Lock, local
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.bench.processes import paused
from tests.e2e.service import Service, until

#: How many requests are under way at a time.
CLIENTS = 4
#: A path and a body.
Request = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Rates:
    """Changes a second from the first request on: until the last was answered, and until the last was finished.

    `worked_off` is without a worker until all were accepted: from then on until the last was finished.
    """

    accepted: float
    finished: float = nan
    worked_off: float = nan


class Portcullis:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = psycopg.connect(service.environment["DATABASE_URL"], autocommit=True)
        self._token = service.get("/api/auth")["auth_token"]
        self._of_thread = local()

    def connect(self, name: str, url: str) -> list[str]:
        """Connect an endpoint and read its inventory; the paths of its instances' groups."""
        attributes = {"name": name, "type": "amazon", "provider_region": "us-east-1", "url": url}
        credentials = {"userid": "bench", "password": "bench"}
        [provider] = self._service.post("/api/providers", attributes | {"credentials": credentials})["results"]
        path = f"/api/providers/{provider['id']}"
        self._service.task(self._service.post(path, {"action": "refresh"})["task_id"])
        instances = self._service.get(f"{path}/instances")["resources"]
        return [f"/api/instances/{one['href'].rpartition('/')[2]}/security_groups" for one in instances]

    def rates(self, requests: Iterable[Request]) -> Rates:
        """Ask for all of this with `CLIENTS` connections, and wait until it is done."""
        last, began = self._last(), time.time()
        accepted = self._ask_all(requests)
        answered = time.time()
        ended = self._ended(last, accepted)
        return Rates(accepted / (answered - began), accepted / (ended - began))

    def backlog(self, requests: Iterable[Request]) -> Rates:
        """The same where the worker begins when all of it is accepted."""
        worker = self._service.worker()
        assert worker
        last, began = self._last(), time.time()
        with paused(worker.pid):
            accepted = self._ask_all(requests)
            answered = time.time()
        ended = self._ended(last, accepted)
        return Rates(accepted / (answered - began), worked_off=accepted / (ended - answered))

    def latencies(self, requests: Iterable[Request]) -> list[float]:
        """Seconds from accepted to finished, as the rows have them, of changes asked for one after the other."""
        found = []
        for request in requests:
            last = self._last()
            [(accepted, finished)] = self._finished(last, self._ask([request]))
            found.append(finished - accepted)
        return found

    def _ask_all(self, requests: Iterable[Request]) -> int:
        shared = _Shared(iter(requests))
        with ThreadPoolExecutor(CLIENTS) as clients:
            return sum(clients.map(self._ask, [shared] * CLIENTS))

    def _ask(self, requests: Iterable[Request]) -> int:
        """How many changes were accepted."""
        return sum(len(self._post(path, body)["results"]) for path, body in requests)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = HTTPConnection(urlsplit(self._service.url).netloc)
        connection = self._of_thread.connection
        connection.request("POST", path, json.dumps(body), {"X-Auth-Token": self._token})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return json.loads(text)

    def _last(self) -> int:
        return self._select("SELECT coalesce(max(id), 0) FROM inventory_task")[0][0]

    def _ended(self, last: int, count: int) -> float:
        """When the last of the tasks after this one was finished."""
        return max(end for _, end in self._finished(last, count))

    def _finished(self, last: int, count: int) -> Sequence[tuple[float, float]]:
        """When the tasks after this one were accepted and finished, once all are; none may have failed."""
        done = "SELECT count(*) FROM inventory_task WHERE id > %s AND state = 'Finished'"
        until(lambda: self._select(done, last) == [(count,)], seconds=120)
        assert not self._select(
            "SELECT message FROM inventory_task WHERE id > %s AND status <> 'Ok' LIMIT 1", last
        )
        return self._select(
            "SELECT extract(epoch FROM created_on)::float, extract(epoch FROM updated_on)::float"
            " FROM inventory_task WHERE id > %s",
            last,
        )

    def _select(self, query: str, *values: object) -> list[Any]:
        return self._database.execute(query, values).fetchall()


class _Shared:
    """An iterator that several threads draw from."""

    def __init__(self, requests: Iterator[Request]) -> None:
        self._requests = requests
        self._one_at_a_time = Lock()

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        with self._one_at_a_time:
            return next(self._requests)
