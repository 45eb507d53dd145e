"""The runner of this machine: the worker is a child process, in a container or not, and ends with its controller."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from daasbench.errors import LedgerError
from daasbench.host.containers import container_of, folders_of, left_out, missing_requirement, wrapped
from daasbench.host.launchers import check_options
from daasbench.inspection.platform import Finding
from daasbench.model import Job, JobState, JobStatus, Option, Platform, Reason, Request
from daasbench.records.layout import JOB_FILE, LOG_FILE

from .local_preflight import check_this_machine

GRACE_S = 5.0  # between SIGTERM and SIGKILL


class LocalRunner:
    """Starts ``python -m daasbench.worker`` on this machine."""

    name = "local"

    def __init__(self) -> None:
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._contained: set[str] = set()

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Raise ScenarioError if these are not options of this runner: launcher, Dask scheduler, container."""
        check_options(options, where, runner=self.name)

    def render(self, job: Job, folder: Path) -> Request:
        """Return the command that would be run and the job file that it would read."""
        return _request(job, folder, contained=True)

    def submit(self, request: Request, folder: Path, keep_open: Sequence[int] = ()) -> str:
        """Write the job file and start the worker; return ``local:<process id>``.

        Raises
        ------
        LedgerError
            The folder cannot be written.

        Notes
        -----
        If the container cannot be started, a worker outside the container records the reason for every case.
        """
        job = msgspec.json.decode(request.files[JOB_FILE], type=Job)
        container = container_of(job.platform.options)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if container and (missing := missing_requirement(container, folders_of(job, folder))):
                request = _request(left_out(job, missing), folder, contained=False)
                container = None
            for name, text in request.files.items():
                (folder / name).write_text(text)
            log = open(folder / LOG_FILE, "ab")  # noqa: SIM115  (closed below; the worker has its own descriptor)
        except OSError as error:
            raise LedgerError(f"{folder}: cannot be written: {error.strerror}; nothing was started") from error
        with log:
            worker = subprocess.Popen(
                request.command,
                env={**os.environ, **request.environment},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=keep_open,
                start_new_session=True,
            )
        handle = f"local:{worker.pid}"
        self._started[handle] = worker
        if container:
            self._contained.add(handle)
        return handle

    def poll(self, handle: str) -> JobStatus:
        """Return the state of the worker; a worker of an earlier controller is LOST, because both ended together."""
        worker = self._started.get(handle)
        if worker is None:
            return JobStatus(
                state=JobState.LOST,
                native="unknown",
                reason=Reason.INTERRUPTED,
                message="the daasbench process that started it has ended",
            )
        code = worker.poll()
        if code is None:
            return JobStatus(state=JobState.RUNNING, native="running")
        _close_pipe(worker)
        if code == 0:
            return JobStatus(state=JobState.DONE, native="exit 0")
        if handle in self._contained and code - 128 in set(
            signal.Signals
        ):  # an engine reports a signal as a shell does
            code = 128 - code
        if code < 0:
            name = signal.Signals(-code).name
            message = f"the worker was ended by {name}"
            return JobStatus(state=JobState.FAILED, native=name, reason=Reason.INTERRUPTED, message=message)
        return JobStatus(
            state=JobState.FAILED,
            native=f"exit {code}",
            reason=Reason.HARNESS,
            message=f"the worker ended with exit code {code}",
        )

    def fetch(self, handle: str, folder: Path) -> None:
        """Return at once: the worker writes its records into the folder itself."""

    def cancel(self, handle: str) -> None:
        """Ask the worker to end (SIGTERM), and kill it after 5 s."""
        worker = self._started.get(handle)
        if worker is None or worker.poll() is not None:
            return
        if handle in self._contained:
            _close_pipe(worker)  # a signal would reach the engine, which kills the worker while it cleans up
        else:
            worker.terminate()
        try:
            worker.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        _close_pipe(worker)

    def inspect(self, platform: Platform, folder: Path) -> list[Finding]:
        """Return whether this machine has what the platform declares, and whether its launcher starts ranks."""
        from .dask_preflight import scheduler_findings  # imports all that a cluster may need

        return [*check_this_machine(platform, folder), *scheduler_findings(platform)]


def _request(job: Job, folder: Path, *, contained: bool) -> Request:
    """Return the request that starts the worker of a job, inside its platform's container if `contained`."""
    text = msgspec.json.format(msgspec.json.encode(job), indent=1).decode()
    container = container_of(job.platform.options) if contained else None
    folder = folder.absolute() if container else folder
    command = [sys.executable, "-m", "daasbench.worker", str(folder / JOB_FILE), "--tied"]
    if container:
        command = wrapped(command, container, folders_of(job, folder))
    return Request(runner=LocalRunner.name, command=command, files={JOB_FILE: text + "\n"})


def _close_pipe(worker: subprocess.Popen[bytes]) -> None:
    """Close the pipe by which the worker notices that its controller has ended."""
    if worker.stdin is not None:
        worker.stdin.close()
