"""One inventory with the service and the floor before it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.cases import BY_NAME, CASES, FOLLOWED, Case
from tests.bench.client import Client, request
from tests.bench.filled import Filled
from tests.bench.floor import ENVELOPES
from tests.bench.inside import BASIC
from tests.bench.server import FLOOR, SERVICE, Server, serving

#: The ways to ask: the service, and the floor's two.
HOW = ("service", "json", "rows")
FLOORS = HOW[1:]
#: How many clients ask at a time before anything is measured: each of their threads connects to the database.
WARM = 4
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


@dataclass(frozen=True, slots=True)
class Side:
    filled: Filled
    service: Server
    floor: Server

    def server(self, how: str) -> Server:
        return self.service if how == "service" else self.floor

    def requests(self, case: Case, how: str, *, basic: bool = False) -> list[bytes]:
        """What is asked in turn: the same read with different values."""
        if how != "service":
            return [request("GET", case.floor_url(how, values), {}) for values in self.filled.values]
        login = {"Authorization": f"Basic {BASIC}"} if basic else {"X-Auth-Token": self.filled.token}
        return [request("GET", case.url(values), login) for values in self.filled.values]

    def get(self, case: Case, how: str, variant: int = 0) -> bytes:
        with Client(self.server(how).port) as client:
            return client.ask(self.requests(case, how)[variant])


@contextmanager
def side(filled: Filled) -> Iterator[Side]:
    """Both servers, warm, after a look at whether they answer the same."""
    with serving(SERVICE, filled.environment) as service, serving(FLOOR, filled.environment) as floor:
        found = Side(filled, service, floor)
        _follow(found)
        envelopes = {case.name: _envelope(case, json.loads(found.get(case, "service"))) for case in CASES}
        Path(filled.environment[ENVELOPES]).write_text(json.dumps(envelopes))
        for case in CASES:
            for how in FLOORS:
                _compare(found, case, how)
        _warm(found)
        yield found


def _follow(found: Side) -> None:
    """Where the page leads that one case asks for, so that another can go on from there."""
    answer = json.loads(found.get(BY_NAME[FOLLOWED], "service"))
    there = urlsplit(answer["links"]["next"])._replace(scheme="", netloc="")
    for values in found.filled.values:
        values |= {"next": there.geturl(), "after": answer["resources"][-1]["id"]}


def _envelope(case: Case, answer: dict[str, Any]) -> dict[str, Any]:
    """What an answer has beside the rows of the database."""
    if case.one:
        return {name: value for name, value in answer.items() if name == "actions"}
    return {name: value for name, value in answer.items() if name != "resources"}


def _compare(found: Side, case: Case, how: str) -> None:
    """The floor has to read what the service reads, and to send as much; times are compared as such."""
    for variant in range(0, len(found.filled.values), 10):
        ours, theirs = (found.get(case, one, variant) for one in ("service", how))
        ours_read, theirs_read = (_read(case, json.loads(text)) for text in (ours, theirs))
        assert ours_read, f"{case.name} finds nothing"
        assert ours_read == theirs_read, (
            f"{case.name}: the floor ({how}) does not read the same: {ours!r}\n{theirs!r}"
        )
        # Times are a little longer there, and links are those of the first variant.
        assert abs(len(ours) - len(theirs)) < 0.03 * len(ours) + 100, (
            f"{case.name}: {len(ours)} bytes, the floor {len(theirs)}"
        )


def _read(case: Case, answer: dict[str, Any]) -> Any:
    return comparable({**answer, "actions": None} if case.one else answer["resources"])


def comparable(value: Any) -> Any:
    """With times in the place of their text, which the database writes with `+00:00` and the service with `Z`."""
    if isinstance(value, dict):
        return {name: comparable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [comparable(one) for one in value]
    return datetime.fromisoformat(value) if isinstance(value, str) and _TIME.fullmatch(value) else value


def _warm(found: Side) -> None:
    """Have some threads of each process answer everything once: what is loaded or connected late is there then."""

    def ask(how: str) -> None:
        with Client(found.server(how).port) as client:
            for case in CASES:
                client.ask(found.requests(case, how)[0])

    with ThreadPoolExecutor(WARM) as clients:
        list(clients.map(ask, [how for how in HOW for _ in range(2 * WARM)]))
