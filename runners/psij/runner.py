"""The queue of a scheduler that psij knows: jobs are sent one by one, and outlive their controller."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from daasbench.errors import LedgerError, MissingRequirement, Unreachable
from daasbench.inspection.platform import Finding
from daasbench.model import Job, JobState, JobStatus, Noun, Option, Platform, Reason, Request
from daasbench.records import JOB_FILE
from daasbench.worker import CLAIM, ENDED, STARTED, Left

from .inspect import inspect_psij
from .schedulers import Schedulers, here, numbers_of, processes_of
from .specification import (
    SCRIPT,
    SPECIFICATION,
    Specification,
    in_words,
    options_of,
    read_options,
    script,
    specification,
    split,
    unique_name,
)

STATES = {  # psij's words; any other is LOST
    "QUEUED": JobState.PENDING,
    "ACTIVE": JobState.RUNNING,
    "COMPLETED": JobState.DONE,
    "FAILED": JobState.FAILED,
    "CANCELED": JobState.CANCELLED,
}
FIRST_S, LONGEST_LIMIT_S = 1.0, 30.0  # between two looks; psij's own default is 30
PATIENCE = 0.1  # of the time since something changed: what the next look waits for
SHOW_S = 20.0  # for a shared file system to show what a node wrote
SIGNALLED = 128  # exit codes above it: a shell's, of a program that a signal ended
ENDING_S = 30.0  # for one job to end once it is cancelled


class PsijHandle(Noun, frozen=True, kw_only=True):
    """Where a job is: ``psij://slurm/1234#/results/.../jobs/003-esrf``; a process has its machine before an @."""

    executor: str
    native: str
    folder: Path
    host: str = ""

    def __str__(self) -> str:
        """Return it as a URL."""
        return f"psij://{self.host + '@' if self.host else ''}{self.executor}/{self.native}#{self.folder}"


def read_handle(text: str) -> PsijHandle | None:
    """Return the handle that a URL is; None if it is none of ours."""
    scheme, _, rest = text.partition("://")
    address, _, folder = rest.partition("#")
    place, _, native = address.partition("/")
    host, _, executor = place.rpartition("@")
    if scheme != "psij" or not (executor and native and folder):
        return None
    return PsijHandle(executor=executor, native=native, folder=Path(folder), host=host)


def _handle(executor: str, native: str, folder: Path) -> PsijHandle:
    host = here() if executor == "local" else ""
    return PsijHandle(executor=executor, native=native, folder=folder, host=host)


def _request(job: Job, folder: Path) -> Request:
    asked = specification(job, folder)
    text = msgspec.json.format(msgspec.json.encode(job), indent=1).decode()
    files = {JOB_FILE: text + "\n", SCRIPT: script(job, folder), SPECIFICATION: in_words(asked) + "\n"}
    return Request(
        runner=PsijRunner.name,
        command=[asked.executable, *asked.arguments],
        files={f"{job.id}/{name}": content for name, content in files.items()},
        text=f"psij, executor {asked.executor}:\n{in_words(asked)}\n\n{SCRIPT}:\n{files[SCRIPT]}",
        jobs=[job.id],
    )


class PsijRunner:
    """Sends jobs to PBS, LSF, Cobalt, Flux, Slurm or this machine through psij-python."""

    name = "psij"
    outlives = True

    def __init__(self) -> None:
        self._schedulers = Schedulers()
        self._said: dict[str, JobStatus] = {}
        self._changed = time.monotonic()
        self._over: dict[str, float] = {}  # when a job was first seen to be over, by handle

    @property
    def every_s(self) -> float:
        """Return how long to wait between two looks: a tenth of the time in which nothing changed, up to 30 s."""
        return min(LONGEST_LIMIT_S, max(FIRST_S, PATIENCE * (time.monotonic() - self._changed)))

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Raise ScenarioError if these are no options of this runner; psij need not be installed."""
        read_options(options, where)

    def inspect(self, platform: Platform, folder: Path) -> list[Finding]:
        """Return whether psij and its scheduler are here, and what the node says where that is this machine."""
        return inspect_psij(platform, folder)

    # --- what would be sent

    def split(self, job: Job) -> list[Job]:
        """Return one job for each shape of allocation."""
        return split(job)

    def render(self, job: Job, folder: Path) -> Request:
        """Return the request of one job, whose folder is `folder`."""
        return self.render_all([job], folder.parent)[0]

    def render_all(self, jobs: Sequence[Job], folder: Path) -> list[Request]:
        """Return what psij would be asked for, one request a job: it knows no arrays."""
        return [_request(job, folder.absolute() / job.id) for job in jobs]

    # --- sending

    def submit(self, request: Request, folder: Path, keep_open: Sequence[int] = ()) -> str:  # noqa: ARG002  (it outlives us)
        """Send one job, whose folder is `folder`; return its handle."""
        return next(iter(self.submit_all(request, folder.parent).values()))

    def submit_all(self, request: Request, folder: Path) -> dict[str, str]:
        """Send the job of a request; return its handle."""
        [name] = request.jobs
        place = folder.absolute() / name
        try:
            place.mkdir(parents=True, exist_ok=True)
            for path, text in request.files.items():
                (folder / path).write_text(text)
        except OSError as error:
            raise LedgerError(f"{place}: cannot be written: {error.strerror}; nothing was sent") from error
        asked = msgspec.json.decode(request.files[f"{name}/{SPECIFICATION}"], type=Specification)
        self._changed = time.monotonic()
        self._schedulers.ask_every(self.every_s)
        native = self._schedulers.submit(asked, place.parent)
        return {name: str(_handle(asked.executor, native, place))}

    def find(self, jobs: Sequence[Job], folder: Path) -> dict[str, str]:
        """Return the handles of those jobs that did arrive: by the claim in their folder, else by their name.

        Raises
        ------
        Unreachable
            The scheduler does not answer.
        """
        found = {}
        for job in jobs:
            place, executor = folder.absolute() / job.id, options_of(job.platform).executor
            native = _claimed(place, executor)
            if native is None:
                many = processes_of(place / SCRIPT) if executor == "local" else numbers_of(executor, unique_name(job))
                native = many[0] if many else None
            if native is not None:
                found[job.id] = str(_handle(executor, native, place))
        return found

    # --- following

    def poll(self, handle: str) -> JobStatus:
        """Return what became of a job: its folder is asked first, then psij."""
        where = read_handle(handle)
        if where is None:
            return _lost("unknown", f"{handle} is no handle of a job of psij")
        status = self._look(handle, where)
        if self._said.get(handle) != status:
            self._said[handle] = status
            self._changed = time.monotonic()
        self._schedulers.ask_every(self.every_s)
        return status

    def _look(self, handle: str, where: PsijHandle) -> JobStatus:
        if (left := _left(where.folder)) is not None:
            return _by_exit(left.exit, f"exit {left.exit}", left.at)
        if where.host and where.host != here():
            message = f"it was started on {where.host}: look from there"
            return JobStatus(state=JobState.RUNNING, native="elsewhere", message=message)
        try:
            seen = self._schedulers.status(where.executor, where.native, where.folder.parent)
        except LookupError:
            return self._ended(handle, where, _lost("gone", "its process is gone and left no word"))
        except MissingRequirement as missing:
            raise Unreachable(f"{where.executor} cannot be asked for {where.native}: {missing}") from missing
        if seen is None:
            last = self._said.get(handle, JobStatus(state=JobState.PENDING, native="NEW"))
            return msgspec.structs.replace(last, message="the scheduler has not answered yet")
        status = translated(seen)
        return self._ended(handle, where, status) if status.ended else status

    def _ended(self, handle: str, where: PsijHandle, status: JobStatus) -> JobStatus:
        """Return how a job ended that is over; first its worker's word is given time to be seen here.

        psij calls a job completed that its scheduler has forgotten: without an exit code that is no success.
        """
        unsure = status.state in (JobState.DONE, JobState.LOST) and status.exit is None
        if unsure or (status.state is JobState.DONE and (where.folder / STARTED).exists()):
            since = self._over.setdefault(handle, time.monotonic())
            if time.monotonic() - since < SHOW_S:
                message = "it is over; its files are waited for"
                return JobStatus(state=JobState.RUNNING, native=status.native, message=message)
        if status.state is JobState.FAILED and status.exit is None and (where.folder / STARTED).exists():
            message = f"it was killed after it had begun, for its memory perhaps; psij says: {status.message}"
            return msgspec.structs.replace(status, message=message)
        if status.state is JobState.DONE and status.exit is None:
            message = "the scheduler no longer knows it, and its worker left no word"
            return _lost(status.native, message)
        return status

    def fetch(self, handle: str, folder: Path) -> None:
        """Return at once: nodes and this machine share the folder."""

    # --- ending

    def cancel(self, handle: str) -> None:
        """End a job; return when it has ended, or after 30 s."""
        self.cancel_all([handle])
        end = time.monotonic() + ENDING_S
        while not self.poll(handle).ended and time.monotonic() < end:
            time.sleep(0.1)

    def cancel_all(self, handles: Sequence[str]) -> None:
        """Ask the schedulers to end all of them.

        Raises
        ------
        Unreachable
            One does not answer; the others were asked.
        """
        deaf: list[str] = []
        for handle in handles:
            where = read_handle(handle)
            if where is None or _left(where.folder) is not None or (where.host and where.host != here()):
                continue
            try:
                self._schedulers.cancel(where.executor, where.native, where.folder.parent)
            except Unreachable as error:
                deaf.append(str(error))
            except MissingRequirement as missing:
                deaf.append(f"{where.executor} cannot be told to cancel {where.native}: {missing}")
        self._changed = time.monotonic()
        if deaf:
            raise Unreachable("; ".join(dict.fromkeys(deaf)))


# --- what psij and a folder say -------------------------------------------------------------------------------


def translated(seen: Any) -> JobStatus:
    """Return our status for psij's."""
    word = seen.state.name
    state = STATES.get(word, JobState.LOST)
    message = " ".join((seen.message or "").split())
    if state is JobState.LOST:
        return _lost(word, f"psij says {word}, a word that nobody knows here")
    if state is JobState.CANCELLED:
        return JobStatus(state=state, native=word, message=message or "it was cancelled", reason=Reason.INTERRUPTED)
    if state is JobState.FAILED:
        if "time limit" in message:
            return JobStatus(state=JobState.TIMEOUT, native=word, message=message, reason=Reason.SCHEDULER)
        if seen.exit_code:
            return _by_exit(int(seen.exit_code), word, None)
        sentence = message or "the scheduler ended it and psij does not know why"
        return JobStatus(state=state, native=word, message=sentence, reason=Reason.INTERRUPTED)
    return JobStatus(state=state, native=word, message=message, exit=seen.exit_code)


def _by_exit(code: int, native: str, ended_at: str | None) -> JobStatus:
    """Return how a worker of this exit code ended."""
    if code == 0:
        return JobStatus(state=JobState.DONE, native=native, exit=0, ended_at=ended_at)
    signalled = code >= SIGNALLED or code < 0
    message = "the worker was ended by a signal" if signalled else f"the worker ended with exit code {code}"
    reason = Reason.INTERRUPTED if signalled else Reason.HARNESS
    return JobStatus(state=JobState.FAILED, native=native, message=message, reason=reason, exit=code, ended_at=ended_at)


def _lost(native: str, message: str) -> JobStatus:
    return JobStatus(state=JobState.LOST, native=native, message=message, reason=Reason.INTERRUPTED)


def _left(folder: Path) -> Left | None:
    """Return the last word of a job's worker, if it is there."""
    try:
        return msgspec.json.decode((folder / ENDED).read_bytes(), type=Left)
    except (OSError, msgspec.DecodeError):
        return None


def _claimed(folder: Path, executor: str) -> str | None:
    """Return the number of the job that took the job of this folder."""
    try:
        kind, _, native = (folder / CLAIM).read_text().strip().partition(":")
    except OSError:
        return None
    if kind != executor or not native:
        return None
    return native.rpartition(":")[2] if executor == "local" else native
