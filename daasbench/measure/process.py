"""A measuring process, seen from both sides: what runs in it, and the handle by which the referee holds it.

The process is started afresh (own memory, own thread pools, the variables that steer threads set before any
library is loaded, pinned to the processors of its case), answers one JSON line a command, and dies with the
worker that started it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from daasbench.contracts import Implementation
from daasbench.host.processes import die_with, kill_tree, pin, process_tree, thread_variables
from daasbench.host.shared_memory import remove_left, segments
from daasbench.measure.failures import guarded
from daasbench.measure.groups import SingleProcess
from daasbench.measure.inputs import make_inputs
from daasbench.measure.limits import measure_limits
from daasbench.measure.messages import Command, Failure, Spec, Step
from daasbench.measure.session import Session
from daasbench.model import Outcome, Reason

T = TypeVar("T")

LOOK_S = 0.5  # between looks whether a process that says nothing is still there


class MeasuringProcess:
    """The referee's handle of one measuring process."""

    def __init__(
        self, threads: int, cpus: Sequence[int], log: IO[bytes], environment: Mapping[str, str] | None = None
    ) -> None:
        theirs_read, self._write = os.pipe()
        self._read, theirs_write = os.pipe()
        theirs_life, self._life = os.pipe()  # nothing is ever written: it ends with this process
        theirs = (theirs_read, theirs_write, theirs_life)
        self._pending = b""
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "daasbench.measure.process", ",".join(map(str, cpus)), *map(str, theirs)],
            env={**os.environ, **thread_variables(threads), **(environment or {})},
            pass_fds=theirs,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        for descriptor in theirs:
            os.close(descriptor)
        self.active_s = 0.0  # time in which it had the word

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    @property
    def computing(self) -> list[int]:
        """Return the processes that compute, with all their descendants."""
        return [self.pid]

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
        """Return the next line, b"" when the process has ended, or None at the deadline."""
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            ended = self.process.poll() is not None  # its children may hold the other end of the pipe
            if not select.select([self._read], [], [], 0 if ended else min(left, LOOK_S))[0]:
                if ended:
                    return b""
                continue
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
            message = f"the process was ended by {name}{hint}"
        else:
            message = f"the process ended by itself with exit code {code}"
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=f"{message}; its log says more")

    def close(self) -> None:
        """End the process and everything that it started, and give back what they shared."""
        ending = process_tree(self.pid) if self.process.poll() is None else []
        shared = segments(ending)
        if ending:
            ending += kill_tree(self.pid)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what its children left behind; the group is its own
        self.process.wait()
        remove_left(shared, ending)
        for descriptor in (self._read, self._write, self._life):
            if descriptor >= 0:
                os.close(descriptor)
        self._read = self._write = self._life = -1


class Steps:
    """What a measuring process does at each command.

    Parameters
    ----------
    team
        Gives those who compute a case together, when its implementation is known to run here.
    """

    def __init__(self, group: Callable[[Spec, Implementation], SingleProcess]) -> None:
        self._team = group
        self._session: Session | None = None

    def answer(self, line: bytes) -> Any:
        """Return the answer to a command; a Failure whatever goes wrong."""
        command = msgspec.json.decode(line, type=Command)
        steps: Mapping[Step, Callable[[Command], Any]] = {
            "make": lambda message: make_inputs(_spec(message)),
            "prepare": self._prepare,
            "round": self._turn,
            "limits": lambda message: measure_limits(int(message.repeats), *message.names),
        }
        answer = guarded(lambda: steps[command.step](command))
        if isinstance(answer, Failure) and self._session:
            message = self._session.group.lost() or answer.message
            return msgspec.structs.replace(answer, message=message, phases=self._session.phases)
        return answer

    def _prepare(self, command: Command) -> Any:
        spec = _spec(command)
        self._session = Session(
            spec, group=lambda implementation: self._team(spec, implementation), origin=command.origin
        )
        return self._session.prepare()

    def _turn(self, command: Command) -> Any:
        if self._session is None:
            raise RuntimeError("a turn was asked of a contender that is not prepared")
        origin = command.origin or 0.0
        return self._session.round(command.repeats, number=command.round, limit_s=command.limit_s, origin=origin)


def _spec(command: Command) -> Spec:
    if command.spec is None:
        raise RuntimeError(f"step {command.step!r} needs a case")
    return command.spec


class ResponseChannel:
    """The one place from which a process answers; after its last word it says no more.

    Parameters
    ----------
    send
        Hands bytes over to the referee, all of them.
    """

    def __init__(self, send: Callable[[bytes], Any]) -> None:
        self._send, self._turn, self._spent = send, threading.Lock(), False

    def say(self, answer: Any) -> None:
        """Answer; with a failure, if what a plug-in made of the answer cannot be written."""
        try:
            line = msgspec.json.encode(answer)
        except (TypeError, ValueError) as error:
            message = f"the answer cannot be written: {error}"
            line = msgspec.json.encode(Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=message))
        with self._turn:
            if not self._spent:
                self._send(line + b"\n")

    def end(self, failure: Failure) -> None:
        """Answer for the last time, on whatever thread, whatever the others are at."""
        with self._turn:
            if not self._spent:
                self._spent = True
                self._send(msgspec.json.encode(failure) + b"\n")


def serve(read: int, write: int) -> None:
    """Answer commands until the referee hangs up."""
    log_here()
    voice = ResponseChannel(lambda line: os.write(write, line))

    def group(spec: Spec, implementation: Implementation) -> SingleProcess:
        if implementation.backend != "dask":
            return SingleProcess()
        from daasbench.measure.dask.client import gather_workers

        return gather_workers(spec, Path(spec.scratch).parent / "dask", voice.end)

    steps = Steps(group)
    with os.fdopen(read, "rb") as commands:
        for line in commands:
            voice.say(steps.answer(line))


def log_here() -> None:
    """Let what is logged go to this process's standard error: the job's log."""
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s: %(message)s")


def main(arguments: Sequence[str]) -> None:
    """Serve as a measuring process: the processors to use, and three descriptors."""
    cpus, read, write, life = arguments
    die_with(int(life))
    pin([int(cpu) for cpu in filter(None, cpus.split(","))])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the controller's to handle
    for descriptor in (read, write, life):
        os.set_inheritable(int(descriptor), False)  # what a kernel starts has no part in this
    serve(int(read), int(write))


if __name__ == "__main__":
    main(sys.argv[1:])
