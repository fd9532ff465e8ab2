"""What many clients get at a time, what a process weighs after that, and how soon it is there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from statistics import median

from tests.bench.cases import BY_NAME, LIST, ONE, Case
from tests.bench.client import Client
from tests.bench.report import Aim, Section
from tests.bench.server import SERVICE, Memory, Server, serving
from tests.bench.side import FLOORS, HOW, Side

CLIENTS = 16
#: For how long requests are sent to see how many are answered, and how often the servers take turns.
SECONDS, TURNS = 3, 5
STARTS = 5
#: What part of the floor's requests a second there have to be at least.
PARTS = {ONE.name: 0.35, LIST.name: 0.65}
#: In MB, what a process may have, and what part of it may have come since a tenth of the requests.
MEMORY, GROWTH = 150, 0.02
#: In seconds.
START = 2
#: What is asked before a process is weighed: of a hundred requests so many of each case.
MIX = {"one": 50, "groups-of-one": 19, "list-50": 15, "filtered-50": 15, "list-1000": 1}


def rates(side: Side, case: Case, turns: int) -> dict[str, float]:
    """Requests a second by who is asked, the median of some turns."""
    found: dict[str, list[float]] = {how: [] for how in HOW}
    for _ in range(turns):
        for how in HOW:
            found[how].append(_rate(side.server(how), side.requests(case, how)))
    return {how: median(several) for how, several in found.items()}


def _rate(server: Server, requests: Sequence[bytes]) -> float:
    began = time.monotonic()

    def ask(first: int) -> int:
        answers = 0
        with Client(server.port) as client:
            for one in cycle([*requests[first:], *requests[:first]]):
                client.ask(one)
                answers += 1
                if time.monotonic() > began + SECONDS:
                    return answers
        return answers

    with ThreadPoolExecutor(CLIENTS) as clients:
        answered = sum(clients.map(ask, range(CLIENTS)))
    return answered / (time.monotonic() - began)


def weigh(side: Side, requests: int) -> tuple[Memory, Memory]:
    """The largest process after a tenth of so many requests, and after all."""
    each = [request for name, times in MIX.items() for request in side.requests(BY_NAME[name], "service") * times]
    mixed = [each[n * 7919 % len(each)] for n in range(len(each))]  # a prime: all of them, well shuffled
    _ask_all(side.service, mixed, requests // 10)
    early = side.service.memory()
    _ask_all(side.service, mixed, requests - requests // 10)
    return early, side.service.memory()


def _ask_all(server: Server, requests: Sequence[bytes], count: int) -> None:
    def ask(client: int) -> None:
        with Client(server.port) as connection:
            for n in range(client, count, CLIENTS):
                connection.ask(requests[n % len(requests)])

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(ask, range(CLIENTS)))


def starts(side: Side) -> list[float]:
    """Seconds from starting the web server to its first answer, one resource."""
    found = []
    for _ in range(STARTS):
        began = time.monotonic()
        with serving(SERVICE, side.filled.environment) as server, Client(server.port) as client:
            client.ask(side.requests(ONE, "service")[0])
            found.append(time.monotonic() - began)
    return found


def capacity(found: dict[str, dict[str, float]]) -> Section:
    """`found` by the name of the case."""
    headers = ("requests a second", "Portcullis", "floor: JSON", "floor: rows", "part of the floor")
    rows = [
        (
            BY_NAME[name].title,
            *(f"{rate[how]:,.0f}" for how in HOW),
            Aim(rate["service"] / max(rate[how] for how in FLOORS), PARTS[name], at_least=True),
        )
        for name, rate in found.items()
    ]
    return Section(f"{CLIENTS} clients, 2 web processes", headers, rows)


def process(early: Memory, late: Memory, requests: int, seconds: Sequence[float]) -> Section:
    come = (late.resident - early.resident) / late.resident
    rows = [
        (f"MB resident after {requests:,} requests", Aim(late.resident, MEMORY, form="{:.0f}")),
        ("of that come after the first tenth of them", Aim(come, GROWTH, form="{:.1%}")),
        ("MB where what is shared counts in part", f"{late.proportional:.0f}"),
        ("seconds from start to first answer, median", Aim(median(seconds), START)),
        ("the slowest", f"{max(seconds):.2f}"),
    ]
    return Section("A web process", ("", "reached"), rows)
