"""Child processes that are kept running and that never outlive the process that started them. For Linux."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from inventory.messages import program_ended

#: How long the children may take to end when they are asked to, in seconds.
GRACE = 20
#: How long to wait before a child that ended by itself is started again; doubled each time, up to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    command: Sequence[str]
    #: Variables beside those of this process.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: The descriptors that it inherits, beside the standard ones.
    descriptors: Sequence[int] = ()


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    #: On the monotonic clock: when it was started, or is to be.
    starts_on: float = 0.0
    pause: float = FIRST_PAUSE


class Supervisor:
    """Runs programs until it is asked to stop by SIGTERM, SIGINT or SIGHUP.

    All children share one process group, which is not the terminal's foreground one: a Ctrl-C reaches this process
    alone, which ends them in order, and whatever they have started themselves can be killed with them as a group.
    If this process is killed the kernel kills the children.

    Signals are waited for, not handled: nothing is ever interrupted, and none is lost between two looks.
    """

    def __init__(self, programs: Sequence[Program], report: Callable[[str], object]) -> None:
        self._children = [_Child(program) for program in programs]
        self._report = report
        self._asking = {signal.SIGTERM, signal.SIGINT}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # which is what `nohup` asks for
            self._asking.add(signal.SIGHUP)
        self._awaited = {*self._asking, signal.SIGCHLD}

    def run(self) -> None:
        """Keep the programs running; returns once a signal asked for it and all of them have ended.

        The signals stay blocked: what is left to do then is to end.
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
        """Wait for a child to end, or for so long; whether a signal asked to stop."""
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
            if os.getppid() != parent:  # it died before the kernel knew
                os._exit(1)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._awaited)

        return subprocess.Popen(  # noqa: S603 - the commands are this package's own
            program.command,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **program.environment},
            pass_fds=program.descriptors,
            process_group=self._group(),
            preexec_fn=before_exec,
        )

    def _group(self) -> int:
        """The process group of the children; 0, which makes one, as long as there is none."""
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
        """Ask the children to end, and kill what is left of their group after `GRACE`, or when asked again."""
        group = self._group()
        running = [child.process for child in self._children if child.process]
        for process in running:
            process.terminate()
        ends, asked = time.monotonic() + GRACE, False
        while any(process.poll() is None for process in running) and time.monotonic() < ends and not asked:
            asked = self._wait(ends - time.monotonic())
        if group:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for process in running:
            process.wait()
