"""Keeps child processes running, and ends them with this process. For Linux."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess  # nosec B404  # each call below is looked at
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from inventory.messages import program_ended

#: How long children may take to stop, in seconds.
GRACE = 20
#: The pause before a child is restarted, doubled each time up to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    command: Sequence[str]
    #: Additional environment variables.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Additional inherited descriptors.
    descriptors: Sequence[int] = ()


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    #: When it was started, or will be, on the monotonic clock.
    starts_on: float = 0.0
    pause: float = FIRST_PAUSE


class Supervisor:
    """Runs programs until SIGTERM, SIGINT or SIGHUP.

    All children share one process group, which is not in the terminal's foreground. So a Ctrl-C only reaches this
    process, which stops them in order, and can kill their own children as a group. If this process is killed, the
    kernel kills the children.

    It waits for signals instead of handling them, so nothing is interrupted and no signal is lost.
    """

    def __init__(self, programs: Sequence[Program], report: Callable[[str], object]) -> None:
        self._children = [_Child(program) for program in programs]
        self._report = report
        self._asking = {signal.SIGTERM, signal.SIGINT}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as with `nohup`
            self._asking.add(signal.SIGHUP)
        self._awaited = {*self._asking, signal.SIGCHLD}

    def run(self) -> None:
        """Keep the programs running. Returns after a signal, once all of them have ended.

        The signals stay blocked, because the process ends next.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, self._awaited)
        try:
            self._start_due()
            while not self._wait(self._until_next_start()):
                self._look_after_ended()
                self._start_due()
        finally:
            self._stop()

    def _wait(self, seconds: float) -> bool:
        """Wait for a child to end, or for so long. Returns whether a signal asked to stop."""
        received = signal.sigtimedwait(self._awaited, max(seconds, 0))
        return received is not None and received.si_signo in self._asking

    def _until_next_start(self) -> float:
        now = time.monotonic()
        return min((child.starts_on - now for child in self._children if not child.process), default=LONGEST_PAUSE)

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.process and child.starts_on <= now:
                child.starts_on = now
                child.process = self._start(child.program)

    def _start(self, program: Program) -> subprocess.Popen[bytes]:
        parent = os.getpid()

        def before_exec() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died before prctl
                os._exit(1)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._awaited)

        return subprocess.Popen(  # nosec B603  # noqa: S603 - the commands are this package's own
            program.command,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **program.environment},
            pass_fds=program.descriptors,
            process_group=self._group(),
            preexec_fn=before_exec,
        )

    def _group(self) -> int:
        """The process group of the children; 0, which creates one, if there is none yet."""
        return next((os.getpgid(child.process.pid) for child in self._children if child.process), 0)

    def _look_after_ended(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.process or child.process.poll() is None:
                continue
            if now - child.starts_on > LONGEST_PAUSE:
                child.pause = FIRST_PAUSE
            self._report(program_ended(child.program.name, child.process.returncode, child.pause))
            child.process = None
            child.starts_on = now + child.pause
            child.pause = min(2 * child.pause, LONGEST_PAUSE)

    def _stop(self) -> None:
        """Stop the children. Kill the rest of their group after `GRACE`, or after a second signal."""
        group = self._group()
        running = [child.process for child in self._children if child.process]
        for process in running:
            process.terminate()
        deadline, forced = time.monotonic() + GRACE, False
        while any(process.poll() is None for process in running) and time.monotonic() < deadline and not forced:
            forced = self._wait(deadline - time.monotonic())
        if group:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for process in running:
            process.wait()
