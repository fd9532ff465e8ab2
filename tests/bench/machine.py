"""What a bench ran on, and how even the machine was meanwhile."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psycopg


def description(database: psycopg.Connection[Any]) -> str:
    """One line: cores, processor, memory, versions and the day."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    version = database.info.parameter_status("server_version") or "?"
    parts = [
        f"{os.cpu_count()} cores ({model})",
        f"{memory:.0f} GiB",
        f"Python {platform.python_version()}",
        f"PostgreSQL {version.partition(' ')[0]}",
        f"{datetime.now(UTC):%Y-%m-%d}",
    ]
    return ", ".join(parts)


@dataclass
class Noise:
    """A fixed piece of work, timed now and then: what it takes longer is what others took."""

    seconds: list[float] = field(default_factory=list)

    def look(self) -> None:
        for _ in range(10):
            began = time.perf_counter()
            sum(range(1_000_000))
            self.seconds.append(time.perf_counter() - began)

    def __str__(self) -> str:
        best, p95 = min(self.seconds), quantiles(self.seconds, n=20, method="inclusive")[18]
        return f"{median(self.seconds) / best:.2f} times its best in the median, {p95 / best:.2f} at p95"
