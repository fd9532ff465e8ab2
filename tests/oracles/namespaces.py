"""Network namespaces of the Linux kernel that have no name: open files hold them, so none outlives its process."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

#: How long a command may take.
SECONDS = 20
#: Of a thread, not of its process.
_OWN = "/proc/thread-self/ns/net"
#: From <sched.h>.
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network of its own. A socket that is made `inside` stays there."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` is that of its commands."""
        self._environment = environment
        with _returning():
            _checked(_libc.unshare(_CLONE_NEWNET))
            self._file = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def path(self) -> str:
        """Where other processes find it."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be there with this thread and the processes that it starts."""
        with _returning():
            _checked(_libc.setns(self._file, _CLONE_NEWNET))
            yield

    def run(self, *command: str, reads: str) -> None:
        """Run a command that reads this text."""
        with self.inside():
            done = subprocess.run(
                command, input=reads, env=self._environment, capture_output=True, text=True, timeout=SECONDS
            )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr[-1000:]}")

    def ip(self, *commands: str) -> None:
        """Run commands of `ip`."""
        self.run("ip", "-batch", "-", reads="\n".join(commands))

    def set(self, settings: Mapping[str, int]) -> None:
        """Set what `/proc/sys/net` has."""
        with self.inside():
            for name, value in settings.items():
                Path("/proc/sys/net", name).write_text(str(value))

    def end(self) -> None:
        os.close(self._file)


@contextmanager
def _returning() -> Iterator[None]:
    """Come back to where this thread is now."""
    here = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _checked(_libc.setns(here, _CLONE_NEWNET))
        os.close(here)


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
