"""A measuring process: the program that runs in it, and the handle by which the worker controls it.

Each process is new (own memory, own thread pools, the variables that set numbers of threads defined before any
library is loaded, pinned to the processors of its case), answers each command with one JSON line, and is killed when
the worker that started it ends.
"""

from __future__ import annotations

import io
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
from daasbench.host.shared_memory import remove_unused, segments
from daasbench.measure.failures import guarded
from daasbench.measure.groups import SingleProcess
from daasbench.measure.inputs import make_inputs
from daasbench.measure.limits import measure_limits
from daasbench.measure.messages import TASKS, Command, Failure, Spec, Step
from daasbench.measure.session import Session
from daasbench.model import Outcome, Reason

T = TypeVar("T")

POLL_S = 0.5  # between checks whether a process that does not answer is still alive


class MeasuringProcess:
    """The worker's handle of one measuring process."""

    def __init__(
        self, threads: int, cpus: Sequence[int], log: IO[bytes], environment: Mapping[str, str] | None = None
    ) -> None:
        theirs_read, self._write = os.pipe()
        self._read, theirs_write = os.pipe()
        theirs_life, self._life = os.pipe()  # never written to: it closes when this process ends
        theirs = (theirs_read, theirs_write, theirs_life)
        self._pending = b""
        self.started: float | None = time.perf_counter()
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
        self.active_s = 0.0  # time that it took for its commands

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    @property
    def computing(self) -> list[int]:
        """Return the processes that compute, with all their descendants."""
        return [self.pid]

    def ask(
        self, command: Command, answer: type[T], *, timeout_s: float, before_kill: Callable[[], object] = lambda: None
    ) -> T | Failure:
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
            before_kill()
            self.close()
            had = f"the {timeout_s:.3g} s that it had left"  # of the limit of its case
            message = f"time limit: the process did not {TASKS[command.step]} in {had} and was stopped"
            return Failure(outcome=Outcome.TIMEOUT, reason=Reason.KERNEL, message=message)
        if not line:
            return self._death()
        return msgspec.json.decode(line, type=answer | Failure)

    def _line(self, deadline: float) -> bytes | None:
        """Return the next line, b"" when the process has ended, or None at the deadline."""
        while b"\n" not in self._pending:
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                return None
            ended = self.process.poll() is not None  # its children may hold the other end of the pipe
            if not select.select([self._read], [], [], 0 if ended else min(remaining_s, POLL_S))[0]:
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
            message = f"the process ended with exit code {code}"
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=f"{message}; see its log")

    def close(self) -> None:
        """End the process and everything that it started, and remove the shared memory that they leave."""
        ending = process_tree(self.pid) if self.process.poll() is None else []
        shared = segments(ending)
        if ending:
            ending += kill_tree(self.pid)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what its children started; the process leads the group
        self.process.wait()
        remove_unused(shared, ending)
        for descriptor in (self._read, self._write, self._life):
            if descriptor >= 0:
                os.close(descriptor)
        self._read = self._write = self._life = -1


class Steps:
    """Executes the commands of a measuring process.

    Parameters
    ----------
    group
        Returns the group of processes that compute a case, once its implementation is known to run on this machine.
    """

    def __init__(self, group: Callable[[Spec, Implementation], SingleProcess]) -> None:
        self._group_of = group
        self._session: Session | None = None

    def answer(self, line: bytes) -> Any:
        """Return the answer to a command; a Failure if anything raises."""
        command = msgspec.json.decode(line, type=Command)
        steps: Mapping[Step, Callable[[Command], Any]] = {
            "make": lambda command: make_inputs(_spec(command)),
            "prepare": self._prepare,
            "round": self._round,
            "limits": lambda command: measure_limits(int(command.repeats), *command.names),
        }
        answer = guarded(lambda: steps[command.step](command))
        if isinstance(answer, Failure) and self._session:
            message = self._session.group.lost() or answer.message
            return msgspec.structs.replace(answer, message=message, phases=self._session.phases)
        return answer

    def _prepare(self, command: Command) -> Any:
        spec = _spec(command)
        self._session = Session(
            spec, group=lambda implementation: self._group_of(spec, implementation), origin=command.origin
        )
        return self._session.prepare()

    def _round(self, command: Command) -> Any:
        if self._session is None:
            raise RuntimeError("a round was requested of a process that is not prepared")
        origin = command.origin or 0.0
        return self._session.round(command.repeats, number=command.round, limit_s=command.limit_s, origin=origin)


def _spec(command: Command) -> Spec:
    if command.spec is None:
        raise RuntimeError(f"step {command.step!r} requires a case")
    return command.spec


class ResponseChannel:
    """The channel on which a process answers: one answer at a time, and none after it is closed.

    Parameters
    ----------
    send
        Sends all of the given bytes to the worker.
    """

    def __init__(self, send: Callable[[bytes], Any]) -> None:
        self._send_bytes, self._lock, self._closed = send, threading.Lock(), False

    def send(self, answer: Any) -> None:
        """Send an answer; a failure instead, if a plug-in put into it what JSON cannot hold."""
        try:
            line = msgspec.json.encode(answer)
        except (TypeError, ValueError) as error:
            message = f"the answer cannot be written: {error}"
            line = msgspec.json.encode(Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=message))
        with self._lock:
            if not self._closed:
                self._send_bytes(line + b"\n")

    def close(self, failure: Failure) -> None:
        """Send a failure as the last answer, from any thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._send_bytes(msgspec.json.encode(failure) + b"\n")


def serve(read: int, write: int) -> None:
    """Answer commands until the worker closes the connection."""
    log_to_stderr()
    channel = ResponseChannel(lambda line: os.write(write, line))

    def group(spec: Spec, implementation: Implementation) -> SingleProcess:
        if implementation.backend != "dask":
            return SingleProcess()
        from daasbench.measure.dask.client import gather_workers

        return gather_workers(spec, Path(spec.scratch).parent / "dask", channel.close)

    steps = Steps(group)
    with os.fdopen(read, "rb") as commands:
        for line in commands:
            channel.send(steps.answer(line))


def log_to_stderr() -> None:
    """Log to the standard error of this process, which is the job's log; what a kernel prints gets there line by line.

    Standard output would keep its lines until this process ends, and lose them if it is killed.
    """
    import logging

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s: %(message)s")


def main(arguments: Sequence[str]) -> None:
    """Serve as a measuring process; the arguments are the processors to use and three descriptors."""
    cpus, read, write, life = arguments
    die_with(int(life))
    pin([int(cpu) for cpu in filter(None, cpus.split(","))])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the controller's to handle
    for descriptor in (read, write, life):
        os.set_inheritable(int(descriptor), False)  # programs that a kernel starts must not inherit them
    serve(int(read), int(write))


if __name__ == "__main__":
    main(sys.argv[1:])
