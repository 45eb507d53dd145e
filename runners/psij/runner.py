"""The runner of schedulers that psij supports: jobs are submitted one by one and continue without their controller."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from daasbench.errors import LedgerError, MissingRequirement, Unreachable
from daasbench.inspection.platform import Finding
from daasbench.model import Job, JobState, JobStatus, Option, Platform, Request
from daasbench.records.layout import JOB_FILE
from daasbench.worker import CLAIM, ENDED, STARTED, Left

from .handle import PsijHandle, handle_of, parse
from .preflight import check_psij
from .schedulers import Schedulers, numbers_of, processes_of
from .specification import (
    SCRIPT,
    SPECIFICATION,
    Specification,
    as_text,
    job_script,
    options_of,
    read_options,
    specification,
    split,
    unique_name,
)
from .states import lost, status_of, status_of_exit

FIRST_S, LONGEST_PAUSE_S = 1.0, 30.0  # between two queries; psij's own default is 30 s
PATIENCE = 0.1  # the pause before the next query, as a fraction of the time without a change
SHOW_S = 20.0  # seconds until a shared file system shows what a node wrote
CANCEL_S = 30.0  # seconds until a cancelled job ends


class PsijRunner:
    """Submits jobs to PBS, LSF, Cobalt, Flux, Slurm or this machine through psij-python."""

    name = "psij"

    def __init__(self) -> None:
        self._schedulers = Schedulers()
        self._last: dict[str, JobStatus] = {}
        self._changed_at = time.monotonic()
        self._over_since: dict[str, float] = {}  # when psij first reported that a job is over, by handle

    @property
    def every_s(self) -> float:
        """Return the pause between two queries: a tenth of the time in which nothing changed, up to 30 s."""
        return min(LONGEST_PAUSE_S, max(FIRST_S, PATIENCE * (time.monotonic() - self._changed_at)))

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Raise ScenarioError if these are not options of this runner; psij need not be installed."""
        read_options(options, where)

    def is_here(self, options: Mapping[str, Option]) -> bool:
        """Return whether the jobs run on this machine."""
        return options.get("executor") == "local"

    def inspect(self, platform: Platform, folder: Path) -> list[Finding]:
        """Return whether psij and its scheduler are available, and what this machine knows of the nodes."""
        return check_psij(platform, folder)

    # --- rendering

    def split(self, job: Job) -> list[Job]:
        """Return one job per allocation."""
        return split(job)

    def render(self, job: Job, folder: Path) -> Request:
        """Return the request of one job, whose folder is `folder`."""
        return self.render_all([job], folder.parent)[0]

    def render_all(self, jobs: Sequence[Job], folder: Path) -> list[Request]:
        """Return what psij would be given, one request per job, because psij has no arrays."""
        return [_request(job, folder.absolute() / job.id) for job in jobs]

    # --- submitting

    def submit(self, request: Request, folder: Path, keep_open: Sequence[int] = ()) -> str:  # noqa: ARG002  (no child)
        """Submit one job, whose folder is `folder`; return its handle."""
        return next(iter(self.submit_all(request, folder.parent).values()))

    def submit_all(self, request: Request, folder: Path) -> dict[str, str]:
        """Submit the job of a request; return its handle."""
        [job_id] = request.jobs
        job_folder = folder.absolute() / job_id
        try:
            job_folder.mkdir(parents=True, exist_ok=True)
            for name, text in request.files.items():
                (folder / name).write_text(text)
        except OSError as error:
            raise LedgerError(f"{job_folder}: cannot be written: {error.strerror}; nothing was sent") from error
        spec = msgspec.json.decode(request.files[f"{job_id}/{SPECIFICATION}"], type=Specification)
        self._changed_at = time.monotonic()
        self._schedulers.set_interval(self.every_s)
        native = self._schedulers.submit(spec, job_folder.parent)
        return {job_id: str(handle_of(spec.executor, native, job_folder))}

    def find(self, jobs: Sequence[Job], folder: Path) -> dict[str, str]:
        """Return the handles of the jobs that arrived: found by the claim in their folder, otherwise by their name.

        Raises
        ------
        Unreachable
            The scheduler does not answer.
        """
        found = {}
        for job in jobs:
            job_folder, executor = folder.absolute() / job.id, options_of(job.platform).executor
            native = _claimed(job_folder, executor)
            if native is None:
                local = executor == "local"
                many = processes_of(job_folder / SCRIPT) if local else numbers_of(executor, unique_name(job))
                native = many[0] if many else None
            if native is not None:
                found[job.id] = str(handle_of(executor, native, job_folder))
        return found

    # --- following

    def poll(self, handle: str) -> JobStatus:
        """Return the status of a job: from its folder if its worker wrote its end, otherwise from psij."""
        parsed = parse(handle)
        if parsed is None:
            return lost("unknown", f"{handle!r} is not a job of psij; expected a handle such as psij://pbs/12#/folder")
        status = self._status(handle, parsed)
        if self._last.get(handle) != status:
            self._last[handle] = status
            self._changed_at = time.monotonic()
        self._schedulers.set_interval(self.every_s)
        return status

    def _status(self, handle: str, parsed: PsijHandle) -> JobStatus:
        if (left := _left(parsed.folder)) is not None:
            return status_of_exit(left.exit, f"exit {left.exit}", left.at)
        if parsed.is_elsewhere:
            message = f"it was started on {parsed.host}; run this command on that machine"
            return JobStatus(state=JobState.RUNNING, native="elsewhere", message=message)
        try:
            reported = self._schedulers.status(parsed.executor, parsed.native, parsed.folder.parent)
        except LookupError:
            return self._ended(
                handle, parsed, lost("gone", "its process no longer exists and did not write how it ended")
            )
        except MissingRequirement as missing:
            message = f"{parsed.executor} cannot be queried for job {parsed.native}: {missing}"
            raise Unreachable(message) from missing
        if reported is None:
            last = self._last.get(handle, JobStatus(state=JobState.PENDING, native="NEW"))
            return msgspec.structs.replace(last, message="the scheduler has not answered yet")
        status = status_of(reported)
        return self._ended(handle, parsed, status) if status.ended else status

    def _ended(self, handle: str, parsed: PsijHandle, status: JobStatus) -> JobStatus:
        """Return how a job ended; its worker's file is first given time to become visible on this machine.

        If the scheduler no longer knows a job, psij calls it completed. Without an exit code this is not a success.
        """
        started = (parsed.folder / STARTED).exists()
        unsure = status.state in (JobState.DONE, JobState.LOST) and status.exit is None
        if unsure or (status.state is JobState.DONE and started):
            since = self._over_since.setdefault(handle, time.monotonic())
            if time.monotonic() - since < SHOW_S:
                message = "it has ended, and its files are not visible yet"
                return JobStatus(state=JobState.RUNNING, native=status.native, message=message)
        if status.state is JobState.FAILED and status.exit is None and started:
            message = f"it was killed after it had started, possibly for its memory; psij reports: {status.message}"
            return msgspec.structs.replace(status, message=message)
        if status.state is JobState.DONE and status.exit is None:
            message = "the scheduler no longer knows it, and its worker did not write how it ended"
            return lost(status.native, message)
        return status

    def fetch(self, handle: str, folder: Path) -> None:
        """Return at once: the nodes and this machine share the folder."""

    # --- cancelling

    def cancel(self, handle: str) -> None:
        """Cancel a job; return when it has ended, or after 30 s."""
        self.cancel_all([handle])
        end = time.monotonic() + CANCEL_S
        while not self.poll(handle).ended and time.monotonic() < end:
            time.sleep(0.1)

    def cancel_all(self, handles: Sequence[str]) -> None:
        """Ask the schedulers to end all of the jobs.

        Raises
        ------
        Unreachable
            A scheduler does not answer; the other schedulers were asked.
        """
        failures: list[str] = []
        for handle in handles:
            parsed = parse(handle)
            if parsed is None or _left(parsed.folder) is not None or parsed.is_elsewhere:
                continue
            try:
                self._schedulers.cancel(parsed.executor, parsed.native, parsed.folder.parent)
            except Unreachable as error:
                failures.append(str(error))
            except MissingRequirement as missing:
                failures.append(f"{parsed.executor} cannot be asked to cancel job {parsed.native}: {missing}")
        self._changed_at = time.monotonic()
        if failures:
            raise Unreachable("; ".join(dict.fromkeys(failures)))


def _request(job: Job, folder: Path) -> Request:
    spec = specification(job, folder)
    text = msgspec.json.format(msgspec.json.encode(job), indent=1).decode()
    files = {JOB_FILE: text + "\n", SCRIPT: job_script(job, folder), SPECIFICATION: as_text(spec) + "\n"}
    return Request(
        runner=PsijRunner.name,
        command=[spec.executable, *spec.arguments],
        files={f"{job.id}/{name}": content for name, content in files.items()},
        text=f"psij, executor {spec.executor}:\n{as_text(spec)}\n\n{SCRIPT}:\n{files[SCRIPT]}",
        jobs=[job.id],
    )


# --- the folder of a job --------------------------------------------------------------------------------------


def _left(folder: Path) -> Left | None:
    """Return what a job's worker wrote about its end; None if there is no such file."""
    try:
        return msgspec.json.decode((folder / ENDED).read_bytes(), type=Left)
    except (OSError, msgspec.DecodeError):
        return None


def _claimed(folder: Path, executor: str) -> str | None:
    """Return the number of the scheduler's job that claimed the job of this folder."""
    try:
        kind, _, native = (folder / CLAIM).read_text().strip().partition(":")
    except OSError:
        return None
    if kind != executor or not native:
        return None
    return native.rpartition(":")[2] if executor == "local" else native
