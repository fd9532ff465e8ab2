"""What something took: by the clock, and of processors in this process and in the server of its database."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Taken:
    """In seconds; `cpu` leaves out what the server took where it runs on another machine."""

    wall: float
    cpu: float


class Clock:
    """Runs from when it is made; `backend` is the server's process for the connection that is used."""

    def __init__(self, backend: int) -> None:
        self._stat = Path(f"/proc/{backend}/stat")
        self._wall, self._cpu = time.perf_counter(), self._processors()

    def taken(self) -> Taken:
        return Taken(time.perf_counter() - self._wall, self._processors() - self._cpu)

    def _processors(self) -> float:
        own = time.process_time()
        try:
            fields = self._stat.read_text().rpartition(")")[2].split()
        except OSError:
            return own
        return own + (int(fields[11]) + int(fields[12])) / TICKS
