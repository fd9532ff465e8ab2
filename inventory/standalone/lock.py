"""A lock that allows only one service in a folder."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from inventory.messages import already_running

#: How long the processes of a killed service may take to end, in seconds.
TIMEOUT = 30


class AlreadyRunning(Exception):
    """Another service holds the lock."""


def acquire(path: Path) -> int:
    """Lock this file and write the process id into it. Returns the descriptor that holds the lock.

    A process that inherits the descriptor holds the lock too. Pass it to every process of the service. Then a
    killed service holds the lock until its last process has ended, and the next one waits for that.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + TIMEOUT
    while not _locked(lock):
        holder = int(os.pread(lock, 20, 0) or 0)
        if _is_alive(holder) or time.monotonic() > deadline:
            os.close(lock)
            raise AlreadyRunning(already_running(holder, path.parent))
        time.sleep(0.1)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it exists, but belongs to another user
    return pid != 0  # 0 means that no id is written yet
