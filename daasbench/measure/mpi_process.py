"""The MPI ranks of one case, seen from both sides: what runs in each, and the handle by which the referee holds them.

A launcher starts the ranks, and what it inherits does not reach them: neither pipes nor, everywhere, variables.
So each rank opens two connections to the referee: one to talk, one on which nothing is ever said and whose end
kills it. The referee tells every rank each command; rank 0 answers, and any rank that fails, so that one who
waits for a dead one in MPI is not waited for.
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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from daasbench.host.launchers import PlatformOptions, launch_command, require_launcher
from daasbench.host.machine import DEVICES, gpu_identities, visible_gpus
from daasbench.host.processes import allowed_cpus, die_with, kill_tree, pin, process_tree, thread_variables
from daasbench.host.shared_memory import remove_left, segments
from daasbench.measure.failures import guarded
from daasbench.measure.groups import mpi_library, world
from daasbench.measure.messages import Command, Failure, Prepared
from daasbench.measure.process import ResponseChannel, Steps, log_here
from daasbench.measure.rank_checks import THREADS, RankInfo, check_rank, check_ranks
from daasbench.model import Case, Noun, Outcome, Reason

T = TypeVar("T")

LOOK_S = 0.5  # between looks whether the launcher is still there
LAST_WORDS_S = 3.0  # for the launcher to end after one of its ranks did
LINE = 1 << 16


class RankRendezvous(Noun, frozen=True, kw_only=True):
    """Where the referee listens, and what a rank must know before it says who it is; for the owner's eyes only."""

    host: str
    port: int
    token: str
    threads: int
    cpus: list[int]  # of all ranks, in order; empty: what the launcher leaves to them
    gpus: int = 0  # of each rank


class _Line:
    """A connection from a rank, before and after it said who it is."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.info: RankInfo | None = None
        self.pending = b""

    def read(self) -> list[bytes] | None:
        """Return the whole lines that came; None when the other end is gone."""
        try:
            chunk = self.connection.recv(LINE)
        except OSError:
            chunk = b""
        *lines, self.pending = (self.pending + chunk).split(b"\n")
        return lines if chunk or lines else None


class MpiMeasuringProcess:
    """The referee's handle of the ranks of one case; how long they take to start is one phase of its own.

    Parameters
    ----------
    options
        The platform's: how its ranks are started.
    cpus
        The processors of all ranks, in order.
    folder
        Where the ranks are told what they need; one that all their nodes see.

    Raises
    ------
    Lacking
        The launcher is not here.
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
        alone = case.nodes == 1
        _allow_files(2 * case.ranks)
        self._listener = socket.create_server(("127.0.0.1" if alone else "", 0), backlog=2 * case.ranks)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._lines: list[_Line] = []
        self._ranks: dict[int, _Line] = {}
        self._door = RankRendezvous(
            host="127.0.0.1" if alone else socket.gethostname(),
            port=self._listener.getsockname()[1],
            token=secrets.token_hex(16),
            threads=case.threads,
            cpus=list(cpus) if alone else [],
            gpus=case.gpus,
        )
        self._file = folder.resolve() / f"ranks-{self._door.port}.json"
        self._file.touch(mode=0o600)
        self._file.write_bytes(msgspec.json.encode(self._door))
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
        """Return the launcher's process id; the ranks are its descendants, as far as they run here."""
        return self.process.pid

    @property
    def computing(self) -> list[int]:
        """Return the ranks' processes on this node."""
        here = socket.gethostname()
        infos = [line.info for line in self._lines if line.info]
        return sorted({info.pid for info in infos if info.host == here})

    def ask(self, command: Command, answer: type[T], *, timeout_s: float) -> T | Failure:
        """Return rank 0's answer to `command`; a Failure if a rank fails or dies, or if it takes too long."""
        started = time.monotonic()
        try:
            return self._ask(command, answer, started + timeout_s)
        except TimeoutError:
            self.close()
            message = f"no answer to {command.step!r} within {timeout_s:.3g} s; the {self.case.ranks} ranks were ended"
            return Failure(outcome=Outcome.TIMEOUT, reason=Reason.KERNEL, message=message)
        finally:
            self.active_s += time.monotonic() - started

    def close(self) -> None:
        """End the launcher, the ranks, and everything that they started; give back what those here shared."""
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
        for line in self._lines:  # ranks on other nodes end when their line does
            line.connection.close()
        self._lines.clear()
        self._selector.close()
        self._listener.close()
        self.process.wait()
        remove_left(self._shared, ending)
        self._file.unlink(missing_ok=True)

    # --- inside

    def _ask(self, command: Command, answer: type[T], deadline: float) -> T | Failure:
        while self._start_s is None:
            failure = self._assemble(deadline)
            if failure is not None:
                return failure
        line = msgspec.json.encode(command) + b"\n"
        for rank, one in self._ranks.items():
            try:
                one.connection.sendall(line)
            except OSError:
                return self._death(rank)
        found = self._answer(answer, deadline)
        if isinstance(found, Prepared):
            return msgspec.structs.replace(found, phases={"start": self._start_s, **found.phases})
        return found

    def _assemble(self, deadline: float) -> Failure | None:
        """Hear what comes next until every rank has said who it is, or return why that cannot be."""
        for line in self._ready(deadline):
            for text in self._read(line) or []:
                failure = self._greeted(line, text)
                if failure is not None:
                    return failure
        if len(self._ranks) == self.case.ranks:
            self._start_s = time.monotonic() - self._began
            self._shared = segments(self.computing)  # a rank that dies later cannot be asked
            return check_ranks([line.info for line in self._ranks.values() if line.info], self.case)
        if self.process.poll() is not None and not self._selector.select(0):
            message = f"the launcher {' '.join(self.command)!r} ended with exit code {self.process.returncode}"
            return _failed(f"{message} before its ranks had reported; the job's log says more")
        return None

    def _greeted(self, line: _Line, text: bytes) -> Failure | None:
        """Take a line of a rank that is not known yet; return why the case cannot be measured, if so."""
        if line.info is None:
            info = msgspec.json.decode(text, type=RankInfo)
            if secrets.compare_digest(info.token, self._door.token):  # else: somebody else's connection
                line.info = info
            return None
        said = msgspec.json.decode(text, type=RankInfo | Failure)
        if isinstance(said, Failure):
            return said
        line.info = self._ranks.setdefault(said.rank, line).info = said
        return check_rank(said, self.case, self.command[0])

    def _read(self, line: _Line) -> list[bytes] | None:
        """Return the whole lines that came; None, once, when the other end is gone."""
        lines = line.read()
        if lines is None:
            self._selector.unregister(line.connection)
        return lines

    def _ready(self, deadline: float) -> list[_Line]:
        """Return the connections that have something to say; wait for one, not beyond the next look."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        ready = []
        for key, _ in self._selector.select(min(left, LOOK_S)):
            if key.data is None:
                line = _Line(self._listener.accept()[0])
                self._lines.append(line)
                self._selector.register(line.connection, selectors.EVENT_READ, line)
            else:
                ready.append(key.data)
        return ready

    def _answer(self, answer: type[T], deadline: float) -> T | Failure:
        while True:
            for line in self._ready(deadline):
                lines = self._read(line)
                if line not in self._ranks.values() or line.info is None:
                    continue  # the rank's other connection ends too, and names it
                if lines is None:
                    return self._death(line.info.rank)
                for text in lines:
                    found: T | Failure = msgspec.json.decode(text, type=answer | Failure)
                    if isinstance(found, Failure) and self.case.ranks > 1:
                        message = f"rank {line.info.rank} of {self.case.ranks}: {found.message}"
                        return msgspec.structs.replace(found, message=message)
                    return found

    def _death(self, rank: int) -> Failure:
        """Return that a rank is gone, with what the launcher says of it; the others are ended."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(LAST_WORDS_S)
        code = self.process.returncode
        self.close()
        said = "" if code is None else f" (the launcher ended with exit code {code}{_signal(code)})"
        others = "; the others were ended" if self.case.ranks > 1 else ""
        return _failed(
            f"rank {rank} of {self.case.ranks} ended in the middle of its work{said}{others}; its log says more"
        )


def _allow_files(more: int) -> None:
    """Let this process open so many files more, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 256 + more
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def _signal(code: int) -> str:
    """Return what an exit code of a launcher says of a signal that ended a rank."""
    number = -code if code < 0 else code - 128 if code > 128 else code
    if number == signal.SIGKILL:
        return ", as after SIGKILL: out of memory?"
    with suppress(ValueError):
        if number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTERM):
            return f", as after {signal.Signals(number).name}"
    return ""


def _failed(message: str) -> Failure:
    return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=message)


# --- a rank ---------------------------------------------------------------------------------------------------


def main(file: str) -> None:
    """Serve as one rank of a case: the file says where the referee is."""
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the controller's to handle
    log_here()
    rendezvous = msgspec.json.decode(Path(file).read_bytes(), type=RankRendezvous)
    life, talk = (socket.create_connection((rendezvous.host, rendezvous.port)) for _ in range(2))
    info = RankInfo(
        token=rendezvous.token, pid=os.getpid(), host=socket.gethostname(), node=os.environ.get("SLURMD_NODENAME", "")
    )
    for one in (life, talk):
        one.sendall(msgspec.json.encode(info) + b"\n")
    die_with(life.fileno())
    talk.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    voice = ResponseChannel(talk.sendall)
    group = guarded(world)
    if isinstance(group, Failure):
        voice.end(group)
        signal.pause()  # until the referee ends all
    pin(group.places(rendezvous.threads, rendezvous.cpus))
    gpus = group.devices(rendezvous.gpus, visible_gpus()) if rendezvous.gpus else []
    if rendezvous.gpus:  # before anything of CUDA is loaded
        os.environ[DEVICES] = ",".join(gpus)
    voice.say(
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
    with talk.makefile("rb") as commands:
        for line in commands:
            answer = steps.answer(line)
            if group.rank == 0 or isinstance(answer, Failure):
                voice.say(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
