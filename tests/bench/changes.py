"""`python -m tests.bench.changes`: how fast changes of security groups are accepted and carried out.

The processes of `standalone` on the PostgreSQL and the broker of the environment, with EC2 endpoints in memory,
beside Celery alone and beside Celery with one message for each change, on the same machine, broker and endpoint.
What is compared takes turns, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count, islice, repeat, takewhile
from pathlib import Path
from statistics import median, quantiles
from typing import TypeVar

from tests.bench.comparison import Comparison, Message
from tests.bench.ec2 import GROUPS, INSTANCES
from tests.bench.portcullis import Portcullis, Request
from tests.bench.processes import endpoint
from tests.e2e.installation import installation

Thing = TypeVar("Thing")

#: For how long requests are sent to see how many are accepted.
SECONDS = 5
#: How often what is compared takes turns.
ROUNDS = 3
#: How many changes hit each instance there.
EACH = 20
#: How many changes are timed one by one, so long after each other.
SAMPLES, PAUSE = 100, 0.05
#: In milliseconds: how long the cloud takes for an answer while they are.
CLOUD = 10


def adding(path: str, groups: Iterable[int], action: str = "add") -> Request:
    return path, {"action": action, "resources": [{"name": f"group-{number}"} for number in groups]}


def singles(paths: list[str]) -> Iterator[Request]:
    """One change after the other, of one instance after the other; each is something to do."""
    for number in count():
        turn = number // INSTANCES
        yield adding(paths[number % INSTANCES], [turn % GROUPS], action_of(turn // GROUPS))


def bulks(paths: list[str], size: int, turns: Iterable[int]) -> Iterator[Request]:
    """In each turn so many changes of each instance: groups are added, in the next one removed."""
    for turn in turns:
        for path in paths:
            yield adding(path, range(size), action_of(turn))


def messages(url: str, turn: int) -> Iterator[Message]:
    """The same as one turn of `bulks`."""
    for instance in range(INSTANCES):
        for number in range(EACH):
            yield "change", (url, action_of(turn), f"i-{instance}", f"sg-{number}")


def action_of(turn: int) -> str:
    return "remove" if turn % 2 else "add"


def for_a_while(requests: Iterable[Request]) -> Iterator[Request]:
    ends = time.monotonic() + SECONDS
    return takewhile(lambda request: time.monotonic() < ends, requests)


def paced(asked: Iterable[Thing]) -> Iterator[Thing]:
    for one in islice(asked, SAMPLES):
        time.sleep(PAUSE)
        yield one


def main() -> None:
    if not {"DATABASE_URL", "CELERY_BROKER_URL"} <= os.environ.keys():
        sys.exit("DATABASE_URL and CELERY_BROKER_URL say where to measure: env $(.ci/services env) ...")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portcullis-bench-")))
        service = stack.enter_context(installation(folder, REFRESH_INTERVAL="0"))
        service.start()
        portcullis, comparison = Portcullis(service), stack.enter_context(Comparison(folder))
        at_once, another, slow = (stack.enter_context(endpoint("ec2", str(ms))) for ms in (0, 0, CLOUD))
        paths = portcullis.connect("at once", at_once)
        many_each(portcullis, comparison, paths, another)
        acceptance(portcullis, paths)
        low_load(portcullis, comparison, portcullis.connect("slow", slow), slow)


def many_each(portcullis: Portcullis, comparison: Comparison, paths: list[str], another: str) -> None:
    """Asked for while the worker works, and worked off once all are there."""
    ours, alone, each, backlog, theirs = [], [], [], [], []
    for turn in range(0, 2 * ROUNDS, 2):
        ours.append(portcullis.rates(bulks(paths, EACH, [turn])))
        each.append(comparison.rates(messages(another, turn)))
        alone.append(comparison.rates(("nothing", ()) for _ in range(EACH * INSTANCES)))
        backlog.append(portcullis.backlog(bulks(paths, EACH, [turn + 1])))
        theirs.append(comparison.backlog(messages(another, turn + 1)))
    say(f"finished a second, {EACH} changes of each of {INSTANCES} instances, {ROUNDS} rounds:")
    table([one.finished for one in ours], [one.finished for one in each])
    row("Celery alone", [one.finished for one in alone])
    say("worked off a second, where all of these are accepted before the worker begins:")
    table([one.worked_off for one in backlog], [one.worked_off for one in theirs])
    say(f"accepted a second: Celery alone, messages {median(one.accepted for one in alone):.0f}")


def table(ours: Sequence[float], theirs: Sequence[float]) -> None:
    row("Portcullis", ours)
    row("one message a change", theirs)
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    say(f"  {'ratio':<22}" + "".join(f"{ratio:8.1f}" for ratio in ratios) + f"   median {median(ratios):.1f}")


def row(name: str, rates: Sequence[float]) -> None:
    say(f"  {name:<22}" + "".join(f"{rate:8.0f}" for rate in rates))


def acceptance(portcullis: Portcullis, paths: list[str]) -> None:
    asked = {"one by one": singles(paths), "100 at a time": bulks(paths, GROUPS, count())}
    for name, requests in asked.items():
        rates = portcullis.rates(for_a_while(requests))
        say(f"accepted a second: {name:<14} {rates.accepted:6.0f}, finished {rates.finished:6.0f}")


def low_load(portcullis: Portcullis, comparison: Comparison, paths: list[str], slow: str) -> None:
    say(f"from accepted to finished, one at a time, with a cloud that answers in {CLOUD} ms:")
    for name, seconds in (
        ("Portcullis", portcullis.latencies(paced(singles(paths)))),
        ("one message a change", comparison.latencies(paced(messages(slow, 0)))),
        ("Celery alone", comparison.latencies(paced(repeat(("nothing", ()))))),
    ):
        percentiles = quantiles(seconds, n=100)
        say(f"  {name:<22} p50 {1000 * percentiles[49]:6.1f} ms   p99 {1000 * percentiles[98]:6.1f} ms")


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
