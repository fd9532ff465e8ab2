"""How passwords are hashed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

from django.contrib.auth import hashers

T = TypeVar("T")

#: Linux gives such a thread a tenth of the time of another one that wants the same core (sched(7)).
NICENESS = 10


class PasswordHasher(hashers.Argon2PasswordHasher):
    """Argon2id with the first parameters that OWASP recommends (Password Storage Cheat Sheet).

    Django's own take twice the memory and eight threads for one hash, which other requests need. Those come before
    a hash: it takes a core for longer than any of them.
    """

    time_cost = 1
    memory_cost = 47_104  # KiB
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return _in_background(lambda: super(PasswordHasher, self).encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        return _in_background(lambda: super(PasswordHasher, self).verify(password, encoded))


def _in_background(hashed: Callable[[], T]) -> T:
    return _thread(os.getpid()).submit(hashed).result()


@lru_cache(maxsize=1)
def _thread(process: int) -> ThreadPoolExecutor:
    """A process's own thread for hashes: a forked one does not have that of its parent."""
    return ThreadPoolExecutor(1, "hashing", _give_way)


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere, priorities are those of processes
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(os.getpriority(os.PRIO_PROCESS, thread), NICENESS))
