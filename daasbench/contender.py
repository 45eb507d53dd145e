"""A measuring process, seen from both sides: what runs in it, and the handle by which the referee holds it.

The process is started afresh (own memory, own thread pools, the variables that steer threads set before any
library is loaded, pinned to the processors of its case), answers one JSON line a command, and dies with the
worker that started it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, TypeVar

import msgspec

from daasbench.measure import Failure, Spec, Step
from daasbench.model import Noun, Outcome, Reason

T = TypeVar("T")

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Command(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """What the referee tells a process to do."""

    step: Step
    spec: Spec | None = None
    repeats: int = 0
    turn: int = 0
    limit_s: float = 0.0
    names: list[str] = []  # of a limits step: its id, the machine's id, the time


class Contender:
    """The referee's handle of one measuring process."""

    def __init__(self, threads: int, cpus: Sequence[int], log: IO[bytes]) -> None:
        ours_read, theirs_write = os.pipe()
        theirs_read, ours_write = os.pipe()
        self._read, self._write = ours_read, ours_write
        self._pending = b""
        environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
        pinned = ",".join(map(str, cpus))
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "daasbench.contender",
                str(theirs_read),
                str(theirs_write),
                pinned,
                str(os.getpid()),
            ],
            env=environment,
            pass_fds=(theirs_read, theirs_write),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        os.close(theirs_read)
        os.close(theirs_write)
        self.active_s = 0.0  # time in which it had the word

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    def ask(self, command: Command, answer: type[T], *, timeout_s: float) -> T | Failure:
        """Return the answer to `command`; a Failure if the process fails, dies, or takes too long (it is killed)."""
        started = time.monotonic()
        try:
            os.write(self._write, msgspec.json.encode(command) + b"\n")
            line = self._line(started + timeout_s)
        except BrokenPipeError:
            line = b""
        finally:
            self.active_s += time.monotonic() - started
        if line is None:
            self.close()
            took = f"{timeout_s:.3g} s"
            said = f"no answer to {command.step!r} within {took}; the process was ended"
            return Failure(outcome=Outcome.TIMEOUT, reason=Reason.KERNEL, message=said)
        if not line:
            return self._death()
        return msgspec.json.decode(line, type=answer | Failure)

    def _line(self, deadline: float) -> bytes | None:
        """Return the next line, b"" at the end of the stream, or None at the deadline."""
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                return None
            chunk = os.read(self._read, 1 << 16)
            if not chunk:
                return b""
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _death(self) -> Failure:
        code = self.process.wait()
        if code < 0:
            name = signal.Signals(-code).name
            hint = " (out of memory?)" if code == -signal.SIGKILL else ""
            told = f"the process was ended by {name}{hint}"
        else:
            told = f"the process ended by itself with exit code {code}"
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=f"{told}; its log says more")

    def close(self) -> None:
        """End the process and everything that it started."""
        from daasbench.machine import kill_tree

        if self.process.poll() is None:
            kill_tree(self.pid)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what its children left behind; the group is its own
        self.process.wait()
        for descriptor in (self._read, self._write):
            with suppress(OSError):
                os.close(descriptor)
        self._read = self._write = -1


def serve(read: int, write: int) -> None:
    """Answer commands until the referee hangs up."""
    import logging

    from daasbench import measure

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s: %(message)s")
    session: measure.Session | None = None
    origin = time.perf_counter()

    def prepare(command: Command) -> Any:
        nonlocal session
        session = measure.Session(_spec(command))
        return session.prepare()

    def turn(command: Command) -> Any:
        if session is None:
            raise RuntimeError("a turn was asked of a contender that is not prepared")
        return session.turn(command.repeats, number=command.turn, limit_s=command.limit_s, origin=origin)

    steps: Mapping[str, Callable[[Command], Any]] = {
        "make": lambda command: measure.make_inputs(_spec(command)),
        "prepare": prepare,
        "turn": turn,
        "limits": lambda command: measure.measure_limits(int(command.repeats), *command.names),
    }
    with os.fdopen(read, "rb") as commands:
        for line in commands:
            command = msgspec.json.decode(line, type=Command)
            answer = measure.guarded(lambda command=command: steps[command.step](command))  # type: ignore[misc]
            os.write(write, msgspec.json.encode(answer) + b"\n")


def _spec(command: Command) -> Spec:
    if command.spec is None:
        raise RuntimeError(f"step {command.step!r} needs a case")
    return command.spec


def die_with(parent: int) -> None:
    """Arrange that this process is killed when `parent` ends; end at once if it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    die_with(int(sys.argv[4]))
    if sys.argv[3] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(cpu) for cpu in sys.argv[3].split(",")})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the controller's to handle
    serve(int(sys.argv[1]), int(sys.argv[2]))
