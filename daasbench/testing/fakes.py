"""A fake runner, which starts nothing: for tests of the code that uses runners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from daasbench.errors import ScenarioError
from daasbench.model import (
    SCHEMA,
    Job,
    JobState,
    JobStatus,
    Option,
    Outcome,
    Planned,
    Reason,
    Record,
    Request,
    Samples,
    Work,
)
from daasbench.records.layout import JOB_FILE, RECORDS_FILE


def measured(job: Job, planned: Planned) -> Record:
    """Return an `ok` record with two samples of a millisecond."""
    samples = Samples(seconds=[0.001, 0.0011], flags=[0, 0], cpu_s=[0.001] * 2, foreign=[0.0] * 2, get_s=[0.0] * 2)
    return Record(
        key=planned.key,
        run=job.run,
        job=job.id,
        platform=job.platform_name,
        process=planned.process,
        attempt=planned.attempt,
        case=planned.case,
        outcome=Outcome.OK,
        samples=samples,
        work=Work(unit="frame", units=2.0),
        commit=job.commit,
        started_at="2026-01-01T00:00:00.000Z",
        schema=SCHEMA,
    )


class FakeRunner:
    """A runner that returns prepared answers and starts nothing.

    Parameters
    ----------
    answer
        Makes the record of a planned case; None: the record is lost.
    states
        The answers to successive polls; the last answer is repeated. Default: done at the second poll.
    """

    name = "fake"

    def __init__(
        self,
        answer: Callable[[Job, Planned], Record | None] = measured,
        states: Sequence[JobStatus] = (
            JobStatus(state=JobState.RUNNING),
            JobStatus(state=JobState.DONE, native="done"),
        ),
    ) -> None:
        self.answer, self.states = answer, states
        self.submitted: list[Job] = []
        self.cancelled: list[str] = []
        self._polls: dict[str, int] = {}

    def check(self, options: Mapping[str, Option], where: str) -> None:
        """Raise ScenarioError if there are options."""
        if options:
            raise ScenarioError(f"{where}: the runner fake has no options; remove {', '.join(options)}")

    def render(self, job: Job, folder: Path) -> Request:
        """Return the job file that would be sent."""
        text = msgspec.json.encode(job).decode()
        return Request(runner=self.name, command=["fake", str(folder)], files={JOB_FILE: text})

    def submit(self, request: Request, folder: Path, keep_open: Sequence[int] = ()) -> str:  # noqa: ARG002
        """Write the job file and the records."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / JOB_FILE).write_text(request.files[JOB_FILE])
        job = msgspec.json.decode(request.files[JOB_FILE], type=Job)
        self.submitted.append(job)
        records = [record for planned in job.planned if (record := self.answer(job, planned)) is not None]
        (folder / RECORDS_FILE).write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
        handle = f"fake:{len(self.submitted)}"
        self._polls[handle] = 0
        return handle

    def poll(self, handle: str) -> JobStatus:
        """Return the next of the states."""
        if handle not in self._polls:
            return JobStatus(state=JobState.LOST, native="unknown", reason=Reason.INTERRUPTED)
        if handle in self.cancelled:
            return JobStatus(state=JobState.CANCELLED, native="cancelled", reason=Reason.INTERRUPTED)
        at = min(self._polls[handle], len(self.states) - 1)
        self._polls[handle] += 1
        return self.states[at]

    def fetch(self, handle: str, folder: Path) -> None:
        """Return at once."""

    def cancel(self, handle: str) -> None:
        """Note that the job was cancelled."""
        self.cancelled.append(handle)
