"""What Portcullis is compared with by `tests.bench.peers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.client import request
from tests.bench.measuring import Probe
from tests.bench.server import Server

#: The process group of a server that was not started here: nothing is in it.
NOT_OURS = -1


class Unavailable(Exception):
    """A peer can't be installed or started here; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A service that answers already: where, with which headers, and its addresses for what the cases ask."""

    name: str
    port: int
    headers: Mapping[str, str]
    paths: Mapping[str, Sequence[str]]

    def probe(self, case: str, batch: int) -> Probe:
        requests = [request("GET", path, self.headers) for path in self.paths[case]]
        return Probe(Server(self.port, NOT_OURS), requests, batch)
