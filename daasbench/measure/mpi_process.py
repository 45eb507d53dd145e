"""The MPI ranks of one case: the program that runs in each, and the handle by which the worker controls them.

A launcher starts the ranks; pipes do not reach them, nor do environment variables with every launcher. So each rank
opens two connections to the worker: one for commands, and one that is never written to and whose end kills the rank.
The worker sends each command to every rank. Rank 0 answers, and so does any rank that fails: otherwise the worker
would wait for a rank that waits in MPI for a dead rank.
"""

from __future__ import annotations

import os
import resource
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from daasbench.host.launchers import PlatformOptions, launch_command, require_launcher
from daasbench.host.machine import DEVICES, gpu_identities, visible_gpus
from daasbench.host.processes import allowed_cpus, die_with, kill_tree, pin, process_tree, thread_variables
from daasbench.host.shared_memory import remove_unused, segments
from daasbench.measure.failures import guarded
from daasbench.measure.groups import mpi_library, world
from daasbench.measure.messages import TASKS, Command, Failure, Prepared
from daasbench.measure.process import ResponseChannel, Steps, log_to_stderr
from daasbench.measure.rank_checks import THREADS, RankInfo, check_rank, check_ranks
from daasbench.model import Case, Noun, Outcome, Reason

T = TypeVar("T")

POLL_S = 0.5  # between checks whether the launcher is still alive
LAUNCHER_END_S = 3.0  # for the launcher to end after one of its ranks
RECEIVE_BYTES = 1 << 16


class RankRendezvous(Noun, frozen=True, kw_only=True):
    """The worker's address, and what a rank must know before it registers; readable by the owner only."""

    host: str
    port: int
    token: str
    threads: int
    cpus: list[int]  # of all ranks, in order; empty: those that the launcher gives them
    gpus: int = 0  # per rank


class _Connection:
    """A connection from a rank, before and after the rank has registered."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.info: RankInfo | None = None
        self.pending = b""

    def read(self) -> list[bytes] | None:
        """Return the complete lines that were received; None when the other end has closed."""
        try:
            chunk = self.socket.recv(RECEIVE_BYTES)
        except OSError:
            chunk = b""
        *lines, self.pending = (self.pending + chunk).split(b"\n")
        return lines if chunk or lines else None


class MpiMeasuringProcess:
    """The worker's handle of the ranks of one case; the time that they take to start is a phase of its own.

    Parameters
    ----------
    options
        Those of the platform: how its ranks are started.
    cpus
        The processors of all ranks, in order.
    folder
        Receives the file that tells the ranks where the worker is; all their nodes must see it.

    Raises
    ------
    MissingRequirement
        This machine does not have the launcher.
    """

    def __init__(
        self,
        case: Case,
        options: PlatformOptions,
        cpus: Sequence[int],
        log: IO[bytes],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        require_launcher(options)
        self.case, self.active_s, self.started = case, 0.0, None
        self._began = time.monotonic()
        self._start_s: float | None = None
        self._closed = False
        self._shared: set[str] = set()
        one_node = case.nodes == 1
        _allow_files(2 * case.ranks)
        self._listener = socket.create_server(("127.0.0.1" if one_node else "", 0), backlog=2 * case.ranks)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._connections: list[_Connection] = []
        self._ranks: dict[int, _Connection] = {}
        self._rendezvous = RankRendezvous(
            host="127.0.0.1" if one_node else socket.gethostname(),
            port=self._listener.getsockname()[1],
            token=secrets.token_hex(16),
            threads=case.threads,
            cpus=list(cpus) if one_node else [],
            gpus=case.gpus,
        )
        self._file = folder.resolve() / f"ranks-{self._rendezvous.port}.json"
        self._file.touch(mode=0o600)
        self._file.write_bytes(msgspec.json.encode(self._rendezvous))
        self.command = launch_command(options, case)
        self.process = subprocess.Popen(
            [*self.command, sys.executable, "-m", "daasbench.measure.mpi_process", str(self._file)],
            env={**os.environ, **thread_variables(case.threads), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Return the launcher's process id; the ranks on this node are its descendants."""
        return self.process.pid

    @property
    def computing(self) -> list[int]:
        """Return the ranks' processes on this node."""
        host = socket.gethostname()
        infos = [connection.info for connection in self._connections if connection.info]
        return sorted({info.pid for info in infos if info.host == host})

    def ask(
        self, command: Command, answer: type[T], *, timeout_s: float, before_kill: Callable[[], object] = lambda: None
    ) -> T | Failure:
        """Return rank 0's answer to `command`; a Failure if a rank fails or dies, or if it takes too long."""
        started = time.monotonic()
        try:
            return self._ask(command, answer, started + timeout_s)
        except TimeoutError:
            before_kill()
            self.close()
            task = TASKS[command.step].replace("its", "their")
            message = f"time limit: the {self.case.ranks} ranks did not {task} in {timeout_s:.3g} s and were stopped"
            return Failure(outcome=Outcome.TIMEOUT, reason=Reason.KERNEL, message=message)
        finally:
            self.active_s += time.monotonic() - started

    def close(self) -> None:
        """End the launcher, the ranks, and everything that they started; remove the shared memory that they leave."""
        if self._closed:
            return
        self._closed = True
        ranks = self.computing
        ending = [*process_tree(self.pid), *ranks]
        self._shared |= segments(ending)
        if self.process.poll() is None:
            kill_tree(self.pid)
        for group in (self.pid, *ranks):  # each rank leads a group of its own
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        for connection in self._connections:  # ranks on other nodes end when their connection closes
            connection.socket.close()
        self._connections.clear()
        self._selector.close()
        self._listener.close()
        self.process.wait()
        remove_unused(self._shared, ending)
        self._file.unlink(missing_ok=True)

    def _ask(self, command: Command, answer: type[T], deadline: float) -> T | Failure:
        while self._start_s is None:
            failure = self._assemble(deadline)
            if failure is not None:
                return failure
        line = msgspec.json.encode(command) + b"\n"
        for rank, connection in self._ranks.items():
            try:
                connection.socket.sendall(line)
            except OSError:
                return self._death(rank)
        answered = self._answer(answer, deadline)
        if isinstance(answered, Prepared):
            return msgspec.structs.replace(answered, phases={"start": self._start_s, **answered.phases})
        return answered

    def _assemble(self, deadline: float) -> Failure | None:
        """Receive registrations; return why the case cannot be measured, if so."""
        for connection in self._ready(deadline):
            for text in self._read(connection) or []:
                failure = self._register(connection, text)
                if failure is not None:
                    return failure
        if len(self._ranks) == self.case.ranks:
            self._start_s = time.monotonic() - self._began
            self._shared = segments(self.computing)  # those of a rank that dies later are no longer visible
            return check_ranks([connection.info for connection in self._ranks.values() if connection.info], self.case)
        if self.process.poll() is not None and not self._selector.select(0):
            message = f"the launcher {' '.join(self.command)!r} ended with exit code {self.process.returncode}"
            return _failed(f"{message} before its ranks had registered; see the job's log")
        return None

    def _register(self, connection: _Connection, text: bytes) -> Failure | None:
        """Register a rank by a line that it sent; return why the case cannot be measured, if so."""
        if connection.info is None:
            info = msgspec.json.decode(text, type=RankInfo)
            if secrets.compare_digest(info.token, self._rendezvous.token):  # else: it is not one of our ranks
                connection.info = info
            return None
        message = msgspec.json.decode(text, type=RankInfo | Failure)
        if isinstance(message, Failure):
            return message
        connection.info = self._ranks.setdefault(message.rank, connection).info = message
        return check_rank(message, self.case, self.command[0])

    def _read(self, connection: _Connection) -> list[bytes] | None:
        """Return the complete lines that were received; None, once, when the other end has closed."""
        lines = connection.read()
        if lines is None:
            self._selector.unregister(connection.socket)
        return lines

    def _ready(self, deadline: float) -> list[_Connection]:
        """Return the connections that can be read; wait for the first, at most until the next check."""
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        ready = []
        for key, _ in self._selector.select(min(remaining_s, POLL_S)):
            if key.data is None:
                connection = _Connection(self._listener.accept()[0])
                self._connections.append(connection)
                self._selector.register(connection.socket, selectors.EVENT_READ, connection)
            else:
                ready.append(key.data)
        return ready

    def _answer(self, answer: type[T], deadline: float) -> T | Failure:
        while True:
            for connection in self._ready(deadline):
                lines = self._read(connection)
                if connection not in self._ranks.values() or connection.info is None:
                    continue  # the rank's other connection closes too, and is known by its rank
                if lines is None:
                    return self._death(connection.info.rank)
                for text in lines:
                    answered: T | Failure = msgspec.json.decode(text, type=answer | Failure)
                    if isinstance(answered, Failure) and self.case.ranks > 1:
                        message = f"rank {connection.info.rank} of {self.case.ranks}: {answered.message}"
                        return msgspec.structs.replace(answered, message=message)
                    return answered

    def _death(self, rank: int) -> Failure:
        """Return the failure that a rank has ended, with the launcher's exit code; the other ranks are ended."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(LAUNCHER_END_S)
        code = self.process.returncode
        self.close()
        launcher = "" if code is None else f" (the launcher ended with exit code {code}{_signal(code)})"
        others = "; the others were ended" if self.case.ranks > 1 else ""
        return _failed(
            f"rank {rank} of {self.case.ranks} ended in the middle of its work{launcher}{others}; see its log"
        )


def _allow_files(more: int) -> None:
    """Let this process open so many more files, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 256 + more
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def _signal(code: int) -> str:
    """Return the signal that ended a rank, by the exit code of its launcher; "" if there was none."""
    number = -code if code < 0 else code - 128 if code > 128 else code
    if number == signal.SIGKILL:
        return ", as after SIGKILL: out of memory?"
    with suppress(ValueError):
        if number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTERM):
            return f", as after {signal.Signals(number).name}"
    return ""


def _failed(message: str) -> Failure:
    return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=message)


# --- the program of a rank ------------------------------------------------------------------------------------


def main(file: str) -> None:
    """Serve as one rank of a case; the file says where the worker is."""
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the controller's to handle
    log_to_stderr()
    rendezvous = msgspec.json.decode(Path(file).read_bytes(), type=RankRendezvous)
    life, commands = (socket.create_connection((rendezvous.host, rendezvous.port)) for _ in range(2))
    info = RankInfo(
        token=rendezvous.token, pid=os.getpid(), host=socket.gethostname(), node=os.environ.get("SLURMD_NODENAME", "")
    )
    for connection in (life, commands):
        connection.sendall(msgspec.json.encode(info) + b"\n")
    die_with(life.fileno())
    commands.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    channel = ResponseChannel(commands.sendall)
    group = guarded(world)
    if isinstance(group, Failure):
        channel.close(group)
        signal.pause()  # until the worker ends all ranks
    pin(group.processors(rendezvous.threads, rendezvous.cpus))
    gpus = group.devices(rendezvous.gpus, visible_gpus()) if rendezvous.gpus else []
    if rendezvous.gpus:  # before anything of CUDA is loaded
        os.environ[DEVICES] = ",".join(gpus)
    channel.send(
        msgspec.structs.replace(
            info,
            rank=group.rank,
            size=group.size,
            cpus=allowed_cpus(os.getpid()),
            threads=os.environ.get(THREADS),
            gpus=gpu_identities(gpus),
            library=mpi_library(),
        )
    )
    steps = Steps(lambda *_: group)
    with commands.makefile("rb") as lines:
        for line in lines:
            answer = steps.answer(line)
            if group.rank == 0 or isinstance(answer, Failure):
                channel.send(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
