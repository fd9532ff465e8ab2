"""Taking turns, and what the times then say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from statistics import median, quantiles

from tests.bench.client import Client
from tests.bench.server import Server


@dataclass
class Series:
    """The seconds of each request, in rounds, and the seconds of a processor that the server took for all."""

    rounds: list[list[float]] = field(default_factory=list)
    cpu: float = 0

    @property
    def times(self) -> list[float]:
        return [seconds for times in self.rounds for seconds in times]

    @property
    def median(self) -> float:
        return median(self.times)

    @property
    def p95(self) -> float:
        return quantiles(self.times, n=20, method="inclusive")[18]

    @property
    def cpu_each(self) -> float:
        return self.cpu / len(self.times)

    @property
    def spread(self) -> float:
        """How far the medians of the rounds lie apart, the outer tenths left out, as a part of the median."""
        deciles = quantiles(map(median, self.rounds), n=10, method="inclusive")
        return (deciles[8] - deciles[0]) / self.median


def ratio(one: Series, other: Series) -> float:
    """The median of the ratios of rounds that were next to each other."""
    return median(median(a) / median(b) for a, b in zip(one.rounds, other.rounds, strict=True))


@dataclass(frozen=True)
class Measured:
    """The service and the floor's two ways, which took turns; `size` is that of an answer in bytes."""

    service: Series
    json: Series
    rows: Series
    size: int

    @property
    def floor(self) -> Series:
        return min(self.json, self.rows, key=lambda series: series.median)

    @property
    def ratio(self) -> float:
        return ratio(self.service, self.floor)


@dataclass
class Probe:
    """A server that is asked for the same kind of thing over and over, in rounds of `batch` requests."""

    server: Server
    requests: Sequence[bytes]
    batch: int
    series: Series = field(default_factory=Series)
    size: int = 0

    def __post_init__(self) -> None:
        self._turning = cycle(self.requests)

    def turn(self) -> None:
        """One round, on one connection, whose first answer is not measured."""
        with Client(self.server.port) as client:
            self.size = len(client.ask(next(self._turning)))
            before = self.server.cpu()
            self.series.rounds.append(client.timed(islice(self._turning, self.batch)))
            self.series.cpu += self.server.cpu() - before


def take_turns(probes: Iterable[Probe], rounds: int, between: Callable[[], object] = lambda: None) -> None:
    """One round of each after the other, so that whatever else the machine does meets all."""
    order = list(probes)
    for _ in range(rounds):
        for probe in order:
            probe.turn()
        order.reverse()
        between()


def measured(service: Probe, json: Probe, rows: Probe) -> Measured:
    """What three probes have found."""
    return Measured(service.series, json.series, rows.series, service.size)
