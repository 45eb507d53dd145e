"""The errands of a run: jobs that were sent somewhere, followed together until each is accounted for.

A job of this machine is sent when the one before it has ended, and ends with its controller. Those of a queue are
sent at once and outlive it: the journal says which are on the way, and a later controller goes on with them.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import msgspec

from daasbench import registry
from daasbench.contracts import Queue, Runner
from daasbench.errors import DaasbenchError, LedgerError, SubmitError, Unreachable
from daasbench.host.clock import utc_now
from daasbench.jobs.accounting import how_it_ended, is_whole, job_record, record_missing_results
from daasbench.model import Event, Job, JobState, JobStatus, Reason, Record, Request, Scalar
from daasbench.records.layout import RECORDS_FILE
from daasbench.records.readers import Tail
from daasbench.records.run_folder import RunFolder
from daasbench.worker import Taken, claim

log = logging.getLogger(__name__)

POLL_S = 0.1  # between two looks at a job of this machine
GLANCE_S = 5.0  # between two looks at what jobs elsewhere have measured so far
LATE_S = 60.0  # for a slow file system to show the records of a job that is done
CANCEL_S = 100.0  # for jobs of a queue to end once they are cancelled: Slurm kills after 30 s, files show within 60 s
WITHDRAWN = "withdrawn by its controller"  # claims a job that nobody shall do any more


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may want to see while a run goes on."""

    job: str
    done: int
    total: int
    record: Record | None = None
    message: str = ""


Tell = Callable[[News], None]


@dataclass(kw_only=True)
class TrackedJob:
    """A job that is somewhere."""

    job: Job
    runner: Runner
    place: Path
    handle: str
    submitted_at: str
    status: JobStatus = field(default_factory=lambda: JobStatus(state=JobState.PENDING))
    glanced_at: float = 0.0  # monotonic seconds
    tail: Tail = field(init=False)
    late_until: float | None = None  # it is said to be done, and its records do not show: waited for until then

    def __post_init__(self) -> None:
        self.tail = Tail(self.place / RECORDS_FILE)


class JobTracker:
    """The jobs of one run that are on the way or wait for their turn; for who holds the run's lock."""

    def __init__(self, folder: RunFolder, tell: Tell = lambda _: None) -> None:
        self.folder, self.tell = folder, tell
        self.going: dict[str, TrackedJob] = {}
        self.waiting: list[Job] = []
        self.unknown_jobs: dict[str, Job] = {}  # somebody took them, and their queue does not know them
        self.messages: list[str] = []
        self._since = utc_now()
        self._runners: dict[str, Runner] = {}
        self._done = self._total = 0
        self._glance_at = time.monotonic() + GLANCE_S

    def runner(self, name: str) -> Runner:
        """Return the one runner of this name: a queue asks one question for all its jobs."""
        if name not in self._runners:
            self._runners[name] = registry.runner(name)
        return self._runners[name]

    def keys(self) -> set[str]:
        """Return the resume keys of what is on the way."""
        jobs = [*(tracked.job for tracked in self.going.values()), *self.unknown_jobs.values()]
        return {one.key for job in jobs for one in job.planned}

    def at_work(self) -> set[str]:
        """Return the names of the jobs whose folders somebody may be using."""
        return {*self.going, *self.unknown_jobs}

    # --- taking up what an earlier controller sent

    def resume(self) -> None:
        """Take up the jobs that an earlier controller sent to a queue; settle those of which nobody knows.

        Raises
        ------
        Unreachable
            A place does not answer; nothing was changed.
        """
        last = self.folder.unsettled()
        known = {job.id: job for job in self.folder.jobs() if job.id in last}
        lost: dict[str, list[Job]] = {}
        for name, event in last.items():
            runner = str(event.detail.get("runner") or "")
            job = known.get(name)
            if job is None:
                self._give_up(name, event)
            elif self.runner(runner or job.platform.runner).outlives:
                handle = event.detail.get("handle")
                if event.event == "submitted" and isinstance(handle, str):
                    self._resume_job(job, handle, event.at)
                else:
                    lost.setdefault(job.platform.runner, []).append(job)
        for runner, jobs in lost.items():
            self._find(cast(Queue, self.runner(runner)), jobs)

    def _find(self, runner: Queue, jobs: Sequence[Job]) -> None:
        """Ask for jobs that were about to be sent when the controller ended; what never arrived never shall."""
        found = runner.find(jobs, self.folder.jobs_path)
        now = utc_now()
        for job in jobs:
            handle = found.get(job.id)
            if handle is None:
                self._withdraw(job, now)
            else:
                self.folder.note(now, "submitted", job.id, handle=handle, runner=runner.name)
                self._resume_job(job, handle, now)

    def _withdraw(self, job: Job, now: str) -> None:
        """Take the job before anybody can. Where somebody did, it is settled if it has ended, else left to him."""
        place = self.folder.job_folder(job.id)
        try:
            claim(place, WITHDRAWN)
        except Taken:
            status = how_it_ended(place)
            if status is not None:
                self._settle(self._tracked(job, "", now), status)
                return
            self.unknown_jobs[job.id] = job
            message = (
                f"job {job.id} was begun, and {job.platform.runner} does not know it: its measurements are left to it"
            )
            self.messages.append(f"{message}; if nothing of it runs any more: daasbench cancel {self.folder.id}")
            return
        self.folder.note(now, "unsent", job.id)

    def _give_up(self, name: str, event: Event) -> None:
        """End a job whose file is gone: never written, or removed with its folder while it was on the way."""
        handle = event.detail.get("handle")
        if not isinstance(handle, str) or not handle:
            self.folder.note(utc_now(), "unsent", name)
            return
        runner = self.runner(str(event.detail.get("runner") or ""))
        if runner.outlives:
            cast(Queue, runner).cancel_all([handle])
            message = f"job {name}: its folder or its job.json is gone; {handle} was cancelled"
            self.messages.append(f"{message}, and what it should have measured is measured by another")
        self.folder.note(utc_now(), "interrupted", name, handle=handle, message="its job.json is gone")

    def _resume_job(self, job: Job, handle: str, submitted_at: str) -> None:
        self._total += len(job.planned)
        self._goes(job, handle, submitted_at)

    # --- sending

    def send(self, jobs: Sequence[Job]) -> None:
        """Send what goes to a queue; the jobs of this machine wait for their turn.

        Raises
        ------
        Unreachable
            A place does not answer; the same command settles what has become of its jobs.
        """
        now = utc_now()
        self.folder.note_all(
            [Event(at=now, event="planned", job=job.id, detail={"cases": len(job.planned)}) for job in jobs]
        )
        self._total += sum(len(job.planned) for job in jobs)
        try:
            for _, group in itertools.groupby(jobs, key=lambda job: job.platform_name):
                together = list(group)
                runner = self.runner(together[0].platform.runner)
                if runner.outlives:
                    self._send_to(cast(Queue, runner), together)
                else:
                    self.waiting += together
        except (KeyboardInterrupt, SystemExit) as error:
            self._cancel_on_interrupt(error)
            raise

    def _send_to(self, queue: Queue, jobs: Sequence[Job]) -> None:
        by_id = {job.id: job for job in jobs}
        for request in queue.render_all(jobs, self.folder.jobs_path):
            self._submit(queue, request, [by_id[name] for name in request.jobs])

    def _submit(self, runner: Queue, request: Request, jobs: Sequence[Job]) -> None:
        detail: dict[str, Scalar | None] = {"runner": runner.name}
        now = utc_now()
        self.folder.note_all([Event(at=now, event="submitting", job=job.id, detail=detail) for job in jobs])
        try:
            handles = runner.submit_all(request, self.folder.jobs_path)
        except SubmitError as error:
            refused = JobStatus(state=JobState.FAILED, reason=Reason.SCHEDULER, message=str(error))
            for job in jobs:
                self._settle(self._tracked(job, "", now), refused)
            return
        except Unreachable as error:
            message = f"it is not known whether {_listed(jobs)} arrived: the same command asks, and goes on"
            raise Unreachable(f"{error}; {message}") from error
        told_at = utc_now()
        self.folder.note_all(
            [Event(at=told_at, event="submitted", job=j.id, detail={**detail, "handle": handles[j.id]}) for j in jobs]
        )
        for job in jobs:
            self._goes(job, handles[job.id], now)

    def _goes(self, job: Job, handle: str, submitted_at: str) -> None:
        self.going[job.id] = self._tracked(job, handle, submitted_at)

    def _tracked(self, job: Job, handle: str, submitted_at: str) -> TrackedJob:
        return TrackedJob(
            job=job,
            runner=self.runner(job.platform.runner),
            place=self.folder.job_folder(job.id),
            handle=handle,
            submitted_at=submitted_at,
        )

    def _start_next(self) -> None:
        """Start the next job of this machine, if none is at work."""
        if not self.waiting or any(not one.runner.outlives for one in self.going.values()):
            return
        job = self.waiting.pop(0)
        runner, place = self.runner(job.platform.runner), self.folder.job_folder(job.id)
        request = runner.render(job, place)
        self.folder.note(utc_now(), "submitting", job.id, runner=request.runner)
        submitted_at = utc_now()
        keep = [self.folder.lock_descriptor] if self.folder.lock_descriptor is not None else []
        handle = runner.submit(request, place, keep)
        self._goes(job, handle, submitted_at)
        self.folder.note(utc_now(), "submitted", job.id, runner=request.runner, handle=handle)

    # --- following

    def follow(self) -> None:
        """Return when every job has ended and is accounted for.

        Where it is interrupted (Ctrl-C), all jobs are cancelled; where it fails, those of a queue go on.
        """
        try:
            while self.waiting or self.going:
                self._start_next()
                self.look()
                self._glance()
                if self.going:
                    time.sleep(self._pause_s())
        except (KeyboardInterrupt, SystemExit) as error:
            self._cancel_on_interrupt(error)
            raise
        except BaseException:
            self.cancel([one for one in self.going.values() if not one.runner.outlives])
            raise

    def _pause_s(self) -> float:
        every = [cast(Queue, one.runner).every_s if one.runner.outlives else POLL_S for one in self.going.values()]
        return min(every)

    def look(self) -> None:
        """Look at every job once; account for those that have ended."""
        for one in list(self.going.values()):
            status = one.runner.poll(one.handle)
            self._tell(one, status)
            one.status = status
            if status.ended:
                one.runner.fetch(one.handle, one.place)
                self._tell(one, status)
                if not self._is_late(one):
                    del self.going[one.job.id]
                    self._settle(one, status)

    def look_patiently(self) -> None:
        """Look at every job, and again while the records of one that is done do not show."""
        self.look()
        while any(one.late_until is not None for one in self.going.values()):
            time.sleep(self._pause_s())
            self.look()

    def _is_late(self, one: TrackedJob) -> bool:
        """Return whether the records of a job that is done are still to show, as on a slow file system."""
        if not one.runner.outlives or one.status.state is not JobState.DONE or is_whole(one.job, one.place):
            return False
        if one.late_until is None:
            one.late_until = time.monotonic() + LATE_S
        return time.monotonic() < one.late_until

    def _glance(self) -> None:
        """Bring what one running job of a queue has measured so far, each in its turn: it is seen, and is kept here."""
        running = [one for one in self.going.values() if one.runner.outlives and one.status.state is JobState.RUNNING]
        if not running or time.monotonic() < self._glance_at:
            return
        one = min(running, key=lambda one: one.glanced_at)
        try:
            one.runner.fetch(one.handle, one.place)
        except Unreachable as error:
            log.info("job %s: %s", one.job.id, error)
        self._tell(one, one.status)
        one.glanced_at = time.monotonic()
        self._glance_at = one.glanced_at + GLANCE_S

    def _tell(self, one: TrackedJob, status: JobStatus) -> None:
        if status.state is not JobState.PENDING:
            for record in one.tail.new_records():
                self._done += 1
                self.tell(News(job=one.job.id, done=self._done, total=self._total, record=record))
        if one.runner.outlives and (status.native, status.message) != (one.status.native, one.status.message):
            message = f"job {one.job.id}: {status.native.lower()}" + (f" ({status.message})" if status.message else "")
            self.tell(News(job=one.job.id, done=self._done, total=self._total, message=message))

    def _settle(self, one: TrackedJob, status: JobStatus, *, event: str = "accounted") -> None:
        """Account for a job that has ended, and note its errand."""
        self.folder.sweep_job(one.job.id)
        if not one.runner.outlives and status.ended_at is None:  # it was watched
            status = msgspec.structs.replace(status, ended_at=utc_now())
        message = record_missing_results(one.job, one.place, status)
        record = job_record(one.job, one.place, status, one.handle, one.submitted_at, message, self._since)
        sentence = {
            key: value for key, value in msgspec.to_builtins(record).items() if key != "job" and value is not None
        }
        self.folder.note(utc_now(), event, one.job.id, **sentence)
        if message:
            self.messages.append(message)

    # --- ending

    def _cancel_on_interrupt(self, interrupt: BaseException) -> None:
        """End all jobs because of an interrupt; what cannot be ended is noted on it, and does not take its place."""
        try:
            self.cancel()
        except DaasbenchError as error:
            interrupt.add_note(str(error))

    def abandon_unknown_jobs(self) -> None:
        """Account for jobs of which nobody knows more than that they were begun; for who says that they are gone."""
        status = JobStatus(state=JobState.LOST, reason=Reason.INTERRUPTED, message="its queue does not know it")
        for name, job in list(self.unknown_jobs.items()):
            del self.unknown_jobs[name]
            self._settle(self._tracked(job, "", utc_now()), status, event="interrupted")

    def cancel(self, tracker: Iterable[TrackedJob] | None = None) -> None:
        """End these jobs, or all, and keep what they measured; those of a queue that do not end stay on the way."""
        ending = list(self.going.values() if tracker is None else tracker)
        queues: dict[str, list[TrackedJob]] = {}
        for one in ending:
            if one.runner.outlives:
                queues.setdefault(one.runner.name, []).append(one)
            else:
                one.runner.cancel(one.handle)
        for group in queues.values():
            cast(Queue, group[0].runner).cancel_all([one.handle for one in group])
            message = f"{_listed([one.job for one in group])} asked to end, which takes up to {CANCEL_S:.0f} s"
            self.tell(News(job=group[0].job.id, done=self._done, total=self._total, message=message))
        end = time.monotonic() + CANCEL_S
        cancelled = JobStatus(state=JobState.CANCELLED, native="cancelled", reason=Reason.INTERRUPTED)
        while ending:
            for one in list(ending):
                status = one.runner.poll(one.handle) if one.runner.outlives else cancelled
                if status.ended:
                    ending.remove(one)
                    self.going.pop(one.job.id, None)
                    one.runner.fetch(one.handle, one.place)
                    ended = msgspec.structs.replace(status, state=JobState.CANCELLED, reason=Reason.INTERRUPTED)
                    ended_before = status.state is JobState.DONE or status.reason is Reason.KERNEL
                    self._settle(one, status if ended_before else ended, event="interrupted")
            if ending and time.monotonic() > end:
                left = _listed([one.job for one in ending])
                raise LedgerError(f"{left} did not end within {CANCEL_S:.0f} s; ask again: daasbench cancel")
            if ending:
                time.sleep(min(1.0, self._pause_s()))


def _listed(jobs: Sequence[Job]) -> str:
    """Return the names of jobs, the first and the last of many."""
    names = [job.id for job in jobs]
    few = names if len(names) <= 3 else [names[0], "...", names[-1]]
    return f"job{'s' if len(names) > 1 else ''} {', '.join(few)}"


__all__ = ["POLL_S", "JobTracker", "News", "Tell"]
