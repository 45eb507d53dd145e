"""Dask workers as MPI ranks, by dask-mpi: one more rank than workers, for the scheduler.

A launcher does not pass pipes on, nor, with every launcher, environment variables. So a rank reads its settings from a
file, and opens a connection to this process. It reports problems on it, and is killed when it closes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from daasbench.errors import MissingRequirement, NoRoom, SubmitError, Unreachable
from daasbench.host.installation import command_here
from daasbench.host.launchers import PlatformOptions, launch_command, require_launcher
from daasbench.host.processes import thread_variables
from daasbench.measure.dask import settings
from daasbench.measure.dask.found import CONNECT_S, ConnectedWorkers, address_in, identity
from daasbench.measure.dask.options import ClusterOptions
from daasbench.model import Case, Noun, Reason

POLL_S = 0.05


class WorkerRendezvous(Noun, frozen=True, kw_only=True):
    """The settings of a rank; readable by the owner only."""

    host: str
    port: int
    token: str
    ranks: int  # the rank of the scheduler included
    threads: int
    settings: str  # of Dask
    arguments: list[str]  # of dask-mpi


class RankProblem(Noun, frozen=True, kw_only=True):
    """A problem of a rank, and its fix."""

    message: str
    fix: str


class Lifelines:
    """The connections of the ranks; they close when this process ends, and the ranks end with them."""

    def __init__(self, alone: bool, ranks: int) -> None:
        self._listener = socket.create_server(("127.0.0.1" if alone else "", 0), backlog=ranks)
        self.host = "127.0.0.1" if alone else socket.gethostname()
        self.port = self._listener.getsockname()[1]
        self.token = secrets.token_hex(16)
        self.problems: list[RankProblem] = []
        self.held: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True, name="lifelines").start()

    def _accept(self) -> None:
        while True:
            connection = self._listener.accept()[0]
            self.held.append(connection)
            threading.Thread(target=self._receive, args=[connection], daemon=True).start()

    def _receive(self, connection: socket.socket) -> None:
        with suppress(OSError, msgspec.MsgspecError), connection.makefile("rb") as lines:
            if not secrets.compare_digest(lines.readline().strip(), self.token.encode()):
                connection.close()  # not one of our ranks
                return
            for text in lines:
                self.problems.append(msgspec.json.decode(text, type=RankProblem))


def ranks(case: Case, options: ClusterOptions, folder: Path, name: str, wall_time_limit_s: float) -> ConnectedWorkers:  # noqa: ARG001
    """Start scheduler and workers by the platform's launcher, and return when all workers have registered."""
    if importlib.util.find_spec("dask_mpi") is None:
        raise MissingRequirement("dask-mpi is not installed", command_here("install it: pip install 'daasbench[dask]'"))
    launcher: PlatformOptions = {} if options.launcher is None else {"launcher": options.launcher}
    require_launcher(launcher)
    from distributed import Client

    one_more = msgspec.structs.replace(case, ranks=case.ranks + 1)
    alone = case.nodes == 1
    lines = Lifelines(alone, one_more.ranks)
    address = folder / f"scheduler-{lines.port}.json"
    rendezvous = WorkerRendezvous(
        host=lines.host,
        port=lines.port,
        token=lines.token,
        ranks=one_more.ranks,
        threads=case.threads,
        settings=os.environ[settings.HANDED_ON],
        arguments=_arguments(options, folder, address, alone),
    )
    file = folder / f"ranks-{lines.port}.json"
    file.touch(mode=0o600)
    file.write_bytes(msgspec.json.encode(rendezvous))
    command = [*launch_command(launcher, one_more), sys.executable, "-m", "daasbench.measure.dask.mpi_rank", str(file)]
    process = subprocess.Popen(command, env={**os.environ, **thread_variables(case.threads)}, stdin=subprocess.DEVNULL)
    waiting = _Waiting(process, lines, options.wait_s, command[0])
    while not address.exists() or not address.stat().st_size:
        waiting.check(f"the scheduler on rank 0 of {one_more.ranks} did not start")
    try:
        client = Client(address_in(address), timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise Unreachable(f"the Dask scheduler on rank 0 does not answer ({error or type(error).__name__})") from error
    while (count := len(identity(client)["workers"])) < case.ranks:
        waiting.check(f"{count} of {case.ranks} Dask workers registered")
    file.unlink(missing_ok=True)

    def present() -> Any:
        if process.poll() is not None or not lines.held:
            return []
        try:
            return identity(client)["workers"]
        except TimeoutError:
            raise
        except OSError:
            return []  # MPI ends the scheduler's rank too

    return ConnectedWorkers(
        kind="mpi",
        name=client.scheduler.address,
        client=client,
        present=present,
        ours=True,
        cause=lambda _: (Reason.KERNEL, "MPI ends all ranks with the first that dies: killed, or out of memory?"),
    )


def _arguments(options: ClusterOptions, folder: Path, address: Path, alone: bool) -> list[str]:
    """Return the arguments of dask-mpi."""
    interface = options.interface or ("lo" if alone else None)
    words = ["--scheduler-file", str(address), "--worker-class", "distributed.Worker", "--nthreads", "1"]
    words += ["--memory-limit", "0", "--no-dashboard", "--local-directory", options.local_directory or str(folder)]
    words += ["--worker-options", json.dumps({"death_timeout": 60, "dashboard": False})]
    return words + (["--interface", interface] if interface else [])


class _Waiting:
    """Checks for failures while ranks start."""

    def __init__(self, process: subprocess.Popen[bytes], lines: Lifelines, wait_s: float, launcher: str) -> None:
        self.process, self.lines, self.wait_s, self.launcher = process, lines, wait_s, launcher
        self.began = time.monotonic()

    def check(self, state: str) -> None:
        """Return after a short wait, if nothing is wrong; `state` describes what was reached so far.

        Raises
        ------
        MissingRequirement
            A rank has reported a problem.
        SubmitError
            The launcher has ended.
        NoRoom
            The platform's `wait_s` has passed.
        """
        time.sleep(POLL_S)
        code = self.process.poll()
        if code is not None:
            time.sleep(POLL_S)  # the problem that a rank reported may arrive after its end
        if self.lines.problems:
            first = self.lines.problems[0]
            raise MissingRequirement(first.message, first.fix)
        if code is not None:
            message = f"the launcher {self.launcher} ended with exit code {code} before the Dask workers had registered"
            raise SubmitError(f"{message}; see the job's log")
        waited = time.monotonic() - self.began
        if waited > self.wait_s:
            raise NoRoom(f"{state} within {waited:.0f} s; raise the platform's option wait_s, or try at another time")
