"""The jobs of one run that were sent and are not accounted for yet."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from daasbench import registry
from daasbench.contracts import Queue, Runner
from daasbench.host.clock import utc_now
from daasbench.jobs.accounting import is_whole, job_record, record_missing_results
from daasbench.model import Job, JobState, JobStatus
from daasbench.records.layout import PHASE_FILE, RECORDS_FILE
from daasbench.records.readers import Tail
from daasbench.records.run_folder import RunFolder

LATE_S = 60.0  # how long a slow file system may take to show the records of a job that is done


@dataclass(kw_only=True)
class TrackedJob:
    """A job that a runner has accepted."""

    job: Job
    runner: Runner
    folder: Path
    handle: str
    submitted_at: str
    status: JobStatus = field(default_factory=lambda: JobStatus(state=JobState.PENDING))
    fetched_at: float = 0.0  # monotonic seconds: when the records of the running job were last fetched
    tail: Tail = field(init=False)
    queue: Queue | None = field(init=False)  # that holds the job; None for a job of this machine
    phase: str = ""  # what its worker was doing when it was last asked
    late_until: float | None = None  # the job is done and its records do not show: they are awaited until then

    def __post_init__(self) -> None:
        self.tail = Tail(self.folder / RECORDS_FILE)
        self.queue = self.runner if isinstance(self.runner, Queue) else None  # once: the check takes 0.1 ms

    def poll(self) -> JobStatus:
        """Return the state of the job now."""
        return self.runner.poll(self.handle)

    def new_phase(self) -> str:
        """Return what the worker is doing, if that has changed; else an empty text."""
        try:
            text = (self.folder / PHASE_FILE).read_text().strip()
        except OSError:  # it has said nothing yet, or its folder is not here
            return ""
        changed = text != self.phase
        self.phase = text
        return text if changed else ""

    def fetch(self) -> None:
        """Bring the job's records into its folder."""
        self.runner.fetch(self.handle, self.folder)

    def is_late(self) -> bool:
        """Return whether a job of a queue is done while its records do not show yet, as on a slow file system."""
        if self.queue is None or self.status.state is not JobState.DONE or is_whole(self.job, self.folder):
            return False
        if self.late_until is None:
            self.late_until = time.monotonic() + LATE_S
        return time.monotonic() < self.late_until


class ActiveJobs:
    """The jobs of a run that are tracked, and those of which nothing is known; for the holder of the run's lock.

    Parameters
    ----------
    folder
        The run's folder, whose journal says what became of each job.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.tracked: dict[str, TrackedJob] = {}  # by the job's name
        self.unknown: dict[str, Job] = {}  # a worker has started them, and their queue does not know them
        self.refused = 0  # measurements of jobs that a scheduler refused
        self.messages: list[str] = []  # for the person who runs the command
        self._since = utc_now()
        self._runners: dict[str, Runner] = {}

    def runner(self, name: str) -> Runner:
        """Return the run's only runner of this name: a queue asks one question for all its jobs."""
        if name not in self._runners:
            self._runners[name] = registry.runner(name)
        return self._runners[name]

    def keys(self) -> set[str]:
        """Return the resume keys of the measurements of all these jobs."""
        jobs = [*(tracked.job for tracked in self.tracked.values()), *self.unknown.values()]
        return {planned.key for job in jobs for planned in job.planned}

    def names(self) -> set[str]:
        """Return the names of the jobs whose folders a worker may be using."""
        return {*self.tracked, *self.unknown}

    def track(self, job: Job, handle: str, submitted_at: str) -> None:
        """Track a job that its runner has accepted."""
        self.tracked[job.id] = self._tracked_job(job, handle, submitted_at)

    def close_untracked(self, job: Job, submitted_at: str, status: JobStatus, *, event: str = "accounted") -> None:
        """Account for a job that has no handle: it was refused, or only its folder says how it ended."""
        self.close(self._tracked_job(job, "", submitted_at), status, event=event)

    def close(self, tracked: TrackedJob, status: JobStatus, *, event: str = "accounted") -> None:
        """Account for a job that has ended: write its missing records, and note its metadata in the journal."""
        job, folder = tracked.job, tracked.folder
        self.tracked.pop(job.id, None)
        self.folder.sweep_job(job.id)
        if tracked.queue is None and status.ended_at is None:  # a job of this machine: its end was observed
            status = msgspec.structs.replace(status, ended_at=utc_now())
        message = record_missing_results(job, folder, status)
        record = job_record(job, folder, status, tracked.handle, tracked.submitted_at, message, self._since)
        facts = msgspec.to_builtins(record)
        detail = {key: value for key, value in facts.items() if key != "job" and value is not None}
        self.folder.note(utc_now(), event, job.id, **detail)
        if message:
            self.messages.append(message)

    def _tracked_job(self, job: Job, handle: str, submitted_at: str) -> TrackedJob:
        return TrackedJob(
            job=job,
            runner=self.runner(job.platform.runner),
            folder=self.folder.job_folder(job.id),
            handle=handle,
            submitted_at=submitted_at,
        )


def listed(jobs: Sequence[Job]) -> str:
    """Return the names of jobs, the first and the last of many."""
    names = [job.id for job in jobs]
    few = names if len(names) <= 3 else [names[0], "...", names[-1]]
    return f"job{'s' if len(names) > 1 else ''} {', '.join(few)}"
