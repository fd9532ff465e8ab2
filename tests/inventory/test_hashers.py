"""Hashes of passwords give way to requests."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from inventory.hashers import NICENESS, PasswordHasher, _in_background


def test_a_password_is_hashed_and_verified() -> None:
    hasher = PasswordHasher()
    encoded = hasher.encode("a good one", hasher.salt())
    assert hasher.verify("a good one", encoded)
    assert not hasher.verify("another", encoded)


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
def test_hashes_give_way_to_requests() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own = priority()
    assert _in_background(priority) == max(own, NICENESS)
    assert priority() == own


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_hashes() -> None:
    _in_background(os.getpid)  # the parent's thread is running
    pid = os.fork()
    if not pid:
        signal.alarm(30)  # ends it if it waits for that thread
        os._exit(0 if _in_background(os.getpid) == os.getpid() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
