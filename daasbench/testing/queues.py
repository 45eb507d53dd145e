"""A fake queue without a scheduler: its jobs wait, succeed, fail or are forgotten, as a test requests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from daasbench.errors import SubmitError, Unreachable
from daasbench.model import Job, JobState, JobStatus, Option, Planned, Reason, Record, Request, sets_of
from daasbench.records.layout import JOB_FILE, RECORDS_FILE
from daasbench.testing.fakes import measured

PENDING = JobStatus(state=JobState.PENDING, native="PENDING", message="Resources")
RUNNING = JobStatus(state=JobState.RUNNING, native="RUNNING")
DONE = JobStatus(state=JobState.DONE, native="COMPLETED", nodes=1, exit=0)
NUMBERS = itertools.count(1)


class FakeQueue:
    """A scheduler that continues when its controllers end: a new runner of the same queue finds its jobs again.

    Parameters
    ----------
    answer
        Makes the record of a planned case; None: the record is lost.
    states
        The answers to successive polls of a job; the last answer is repeated. The records exist from the first state
        that is not pending.
    each
        The largest number of planned cases per job, unless one comparison has more.
    """

    name = "fakequeue"
    every_s = 0.0

    def __init__(
        self,
        answer: Callable[[Job, Planned], Record | None] = measured,
        states: Sequence[JobStatus] = (PENDING, RUNNING, DONE),
        each: int = 1_000_000,
    ) -> None:
        self.answer, self.states, self.each = answer, states, each
        self.held: dict[str, Job] = {}  # by handle
        self.folders: dict[str, Path] = {}
        self.cancelled: set[str] = set()
        self.questions = 0
        self.reachable = True
        self.refuses = ""  # why it refuses every job
        self.answers_submits = True  # False: it takes the next job, and its answer is lost
        self._asked: dict[str, int] = {}

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Accept every option."""

    def split(self, job: Job) -> list[Job]:
        """Return jobs of at most `each` planned cases; a comparison is never divided, even if it has more."""
        parts: list[list[Planned]] = []
        for together in sets_of(job):
            if parts and len(parts[-1]) + len(together) <= self.each:
                parts[-1] += together
            else:
                parts.append(list(together))
        return [msgspec.structs.replace(job, planned=part) for part in parts]

    def render(self, job: Job, folder: Path) -> Request:
        """Return the request of one job; its file names are relative to the folder of the job."""
        (request,) = self.render_all([job], folder.parent)
        return msgspec.structs.replace(request, files={JOB_FILE: request.files[f"{job.id}/{JOB_FILE}"]})

    def render_all(self, jobs: Sequence[Job], folder: Path) -> list[Request]:
        """Return one request for all jobs."""
        files = {f"{job.id}/{JOB_FILE}": msgspec.json.encode(job).decode() for job in jobs}
        return [Request(runner=self.name, command=["enqueue", str(folder)], files=files, jobs=[job.id for job in jobs])]

    def submit(self, request: Request, folder: Path, keep_open: Sequence[int] = ()) -> str:  # noqa: ARG002
        """Take one job."""
        whole = {f"{folder.name}/{name}": text for name, text in request.files.items()}
        return self.submit_all(msgspec.structs.replace(request, files=whole), folder.parent)[request.jobs[0]]

    def submit_all(self, request: Request, folder: Path) -> dict[str, str]:
        """Take the jobs, unless the queue refuses them or cannot be reached."""
        if not self.reachable:
            raise Unreachable("the fake queue does not answer")
        if self.refuses:
            raise SubmitError(f"the fake queue refused the job: {self.refuses}")
        handles = {}
        for name, text in request.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
            job = msgspec.json.decode(text, type=Job)
            handle = f"{self.name}:///{next(NUMBERS)}"
            self.held[handle], self.folders[handle] = job, (folder / name).parent
            handles[job.id] = handle
        if not self.answers_submits:
            self.answers_submits = True
            raise Unreachable("the connection to the fake queue was lost")
        return handles

    def find(self, jobs: Sequence[Job], folder: Path) -> dict[str, str]:  # noqa: ARG002
        """Return the handles of the jobs that arrived."""
        if not self.reachable:
            raise Unreachable("the fake queue does not answer")
        wanted = {(job.run, job.id) for job in jobs}
        return {job.id: handle for handle, job in self.held.items() if (job.run, job.id) in wanted}

    def poll(self, handle: str) -> JobStatus:
        """Return the next of the states."""
        self.questions += 1
        if handle not in self.held:
            return JobStatus(state=JobState.LOST, native="unknown", reason=Reason.SCHEDULER, message="unknown job")
        if handle in self.cancelled:
            return JobStatus(state=JobState.CANCELLED, native="CANCELLED", reason=Reason.INTERRUPTED)
        at = min(self._asked.get(handle, 0), len(self.states) - 1)
        self._asked[handle] = at + 1
        status = self.states[at]
        if status.state is not JobState.PENDING:
            self._work(handle)
        return status

    def _work(self, handle: str) -> None:
        path = self.folders[handle] / RECORDS_FILE
        if not path.exists():
            job = self.held[handle]
            records: Iterable[Record] = filter(None, (self.answer(job, planned) for planned in job.planned))
            path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))

    def fetch(self, handle: str, folder: Path) -> None:
        """Return at once: the folder is shared."""

    def cancel(self, handle: str) -> None:
        """End a job."""
        self.cancel_all([handle])

    def cancel_all(self, handles: Sequence[str]) -> None:
        """End jobs."""
        self.cancelled |= set(handles)
