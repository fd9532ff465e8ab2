"""Processes beside the one that measures, so that what they take is not counted as its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def endpoint(module: str, *arguments: str) -> Iterator[str]:
    """The address that a module of this package prints when it listens; it ends with its standard input."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.communicate()


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """While the block runs, the process does nothing; what is meant for it waits."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def kib(pid: int, name: str) -> int:
    """What a process has in memory: `Rss` is all that it sees, `Pss` counts what others share in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
