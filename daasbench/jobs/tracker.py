"""The jobs of a run: sent, followed together until each is accounted for, and cancelled on an interrupt.

A job of this machine is started when the job before it has ended, and ends with its controller. The jobs of a queue
are sent at once and outlive it: the journal says which were sent, and a later controller tracks them again
(:mod:`daasbench.jobs.resume`).
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterable, Sequence

import msgspec

from daasbench.contracts import Queue
from daasbench.errors import DaasbenchError, LedgerError, SubmitError, Unreachable
from daasbench.host.clock import utc_now
from daasbench.jobs.active_jobs import ActiveJobs, TrackedJob, listed
from daasbench.jobs.news import NewsFeed, Tell
from daasbench.jobs.resume import abandon_unknown_jobs, resume
from daasbench.model import Event, Job, JobState, JobStatus, Reason, Request, Scalar
from daasbench.records.known_limits import with_known_limits
from daasbench.records.run_folder import RunFolder

log = logging.getLogger(__name__)

POLL_S = 0.05  # between two polls of a job of this machine
FETCH_S = 5.0  # between two fetches of the records of running jobs of a queue
CANCEL_S = 100.0  # for cancelled jobs of a queue to end: Slurm kills after 30 s, files show within 60 s


class JobTracker:
    """Sends and follows the jobs of one run; for the holder of the run's lock."""

    def __init__(self, folder: RunFolder, tell: Tell = lambda _: None) -> None:
        self.folder, self.jobs, self.news = folder, ActiveJobs(folder), NewsFeed(tell)
        self.waiting: list[Job] = []  # of this machine, until the job before has ended
        self._next_fetch = time.monotonic() + FETCH_S

    def resume(self) -> None:
        """Track the jobs that an earlier controller sent to a queue.

        Raises
        ------
        Unreachable
            A platform does not answer; nothing was changed.
        """
        resume(self.jobs)
        self.news.expect(tracked.job for tracked in self.jobs.tracked.values())

    def send(self, jobs: Sequence[Job]) -> None:
        """Send the jobs of queues; the jobs of this machine wait until the job before has ended.

        Raises
        ------
        Unreachable
            A platform does not answer; the same command finds out what became of its jobs.
        """
        now = utc_now()
        self.folder.note_all(
            [Event(at=now, event="planned", job=job.id, detail={"cases": len(job.planned)}) for job in jobs]
        )
        self.news.expect(jobs)
        try:
            for _, group in itertools.groupby(jobs, key=lambda job: job.platform_name):
                together = list(group)
                runner = self.jobs.runner(together[0].platform.runner)
                if isinstance(runner, Queue):
                    self._send_to(runner, together)
                else:
                    self.waiting += together
        except (KeyboardInterrupt, SystemExit) as error:
            self._cancel_on_interrupt(error)
            raise

    def follow(self) -> None:
        """Return when every job has ended and is accounted for.

        An interrupt (Ctrl-C) cancels all jobs; after a failure the jobs of a queue continue.
        """
        try:
            while self.waiting or self.jobs.tracked:
                self._start_next()
                self.poll()
                self._fetch_running()
                if self.jobs.tracked:
                    time.sleep(self._pause_s())
        except (KeyboardInterrupt, SystemExit) as error:
            self._cancel_on_interrupt(error)
            raise
        except BaseException:
            self.cancel([tracked for tracked in self.jobs.tracked.values() if tracked.queue is None])
            raise

    def poll(self) -> None:
        """Ask for the state of every job once; account for those that have ended."""
        for tracked in list(self.jobs.tracked.values()):
            status = tracked.poll()
            self._report(tracked, status)
            tracked.status = status
            if status.ended:
                tracked.fetch()
                self._report(tracked, status)
                if not tracked.is_late():
                    self.jobs.close(tracked, status)

    def poll_until_shown(self) -> None:
        """Ask for the state of every job, again while the records of a job that is done do not show."""
        self.poll()
        while any(tracked.late_until is not None for tracked in self.jobs.tracked.values()):
            time.sleep(self._pause_s())
            self.poll()

    def cancel(self, jobs: Iterable[TrackedJob] | None = None) -> None:
        """End these jobs, or all, and keep what they measured; those of a queue that do not end stay tracked."""
        ending = list(self.jobs.tracked.values() if jobs is None else jobs)
        by_queue: dict[str, list[TrackedJob]] = {}
        for tracked in ending:
            if tracked.queue is None:
                tracked.runner.cancel(tracked.handle)
            else:
                by_queue.setdefault(tracked.runner.name, []).append(tracked)
        for group in by_queue.values():
            if queue := group[0].queue:
                queue.cancel_all([tracked.handle for tracked in group])
            names = listed([tracked.job for tracked in group])
            self.news.message(group[0].job, f"cancelling {names}, which takes up to {CANCEL_S:.0f} s")
        deadline = time.monotonic() + CANCEL_S
        while ending := [tracked for tracked in ending if not self._close_cancelled(tracked)]:
            if time.monotonic() > deadline:
                names = listed([tracked.job for tracked in ending])
                raise LedgerError(f"{names} did not end within {CANCEL_S:.0f} s; try again: daasbench cancel")
            time.sleep(min(1.0, self._pause_s()))

    def abandon_unknown_jobs(self) -> None:
        """Close the jobs that were started and that no queue knows; for a person who knows that they have ended."""
        abandon_unknown_jobs(self.jobs)

    def _send_to(self, queue: Queue, jobs: Sequence[Job]) -> None:
        jobs = with_known_limits(jobs, self.folder.results, utc_now())
        by_id = {job.id: job for job in jobs}
        for request in queue.render_all(jobs, self.folder.jobs_path):
            self._submit(queue, request, [by_id[name] for name in request.jobs])

    def _submit(self, queue: Queue, request: Request, jobs: Sequence[Job]) -> None:
        detail: dict[str, Scalar | None] = {"runner": queue.name}
        now = utc_now()
        self.folder.note_all([Event(at=now, event="submitting", job=job.id, detail=detail) for job in jobs])
        try:
            handles = queue.submit_all(request, self.folder.jobs_path)
        except SubmitError as error:
            self._close_refused(jobs, now, str(error))
            return
        except Unreachable as error:
            message = f"{error}; it is not known whether {listed(jobs)} arrived"
            raise Unreachable(f"{message}; run the same command again to find out and to continue") from error
        accepted_at = utc_now()
        self.folder.note_all(
            [
                Event(at=accepted_at, event="submitted", job=job.id, detail={**detail, "handle": handles[job.id]})
                for job in jobs
            ]
        )
        for job in jobs:
            self.jobs.track(job, handles[job.id], now)

    def _close_refused(self, jobs: Sequence[Job], at: str, why: str) -> None:
        """Account for jobs of one request that a scheduler refused; they share one message."""
        said = len(self.jobs.messages)
        refused = JobStatus(state=JobState.FAILED, reason=Reason.SCHEDULER, message=why)
        for job in jobs:
            self.jobs.close_untracked(job, at, refused)
            self.jobs.refused += len(job.planned)
        self.jobs.messages[said:] = [why]

    def _start_next(self) -> None:
        """Start the next job of this machine, if none is running."""
        if not self.waiting or any(tracked.queue is None for tracked in self.jobs.tracked.values()):
            return
        [job] = with_known_limits([self.waiting.pop(0)], self.folder.results, utc_now())
        runner, folder = self.jobs.runner(job.platform.runner), self.folder.job_folder(job.id)
        request = runner.render(job, folder)
        self.folder.note(utc_now(), "submitting", job.id, runner=request.runner)
        submitted_at = utc_now()
        keep = [self.folder.lock_descriptor] if self.folder.lock_descriptor is not None else []
        handle = runner.submit(request, folder, keep)
        self.jobs.track(job, handle, submitted_at)
        self.folder.note(utc_now(), "submitted", job.id, runner=request.runner, handle=handle)

    def _pause_s(self) -> float:
        """Return how long to wait until the jobs are polled again."""
        queues = [tracked.queue for tracked in self.jobs.tracked.values()]
        return min(POLL_S if queue is None else queue.every_s for queue in queues)

    def _fetch_running(self) -> None:
        """Fetch what a running job of a queue has measured so far, one job at a time, so that it is seen and kept."""
        states = [tracked for tracked in self.jobs.tracked.values() if tracked.queue is not None]
        running = [tracked for tracked in states if tracked.status.state is JobState.RUNNING]
        if not running or time.monotonic() < self._next_fetch:
            return
        tracked = min(running, key=lambda tracked: tracked.fetched_at)
        try:
            tracked.fetch()
        except Unreachable as error:
            log.info("job %s: %s", tracked.job.id, error)
        self._report(tracked, tracked.status)
        tracked.fetched_at = time.monotonic()
        self._next_fetch = tracked.fetched_at + FETCH_S

    def _report(self, tracked: TrackedJob, status: JobStatus) -> None:
        """Report a job's new records, and a change of the queue's own state of it."""
        if status.state is not JobState.PENDING:
            for record in tracked.tail.new_records():
                self.news.record(tracked.job, record)
            if phase := tracked.new_phase():
                self.news.phase(tracked.job, phase)
        before = tracked.status
        if tracked.queue is not None and (status.native, status.message) != (before.native, before.message):
            why = f" ({status.message})" if status.message else ""
            self.news.message(tracked.job, f"job {tracked.job.id}: {status.native.lower()}{why}")

    def _cancel_on_interrupt(self, interrupt: BaseException) -> None:
        """Cancel all jobs because of an interrupt; an error of that is noted on the interrupt, not raised."""
        try:
            self.cancel()
        except DaasbenchError as error:
            interrupt.add_note(str(error))

    def _close_cancelled(self, tracked: TrackedJob) -> bool:
        """Return whether a cancelled job has ended; if so, it is accounted for."""
        status = JobStatus(state=JobState.CANCELLED, native="cancelled", reason=Reason.INTERRUPTED)
        if tracked.queue is not None:
            status = tracked.poll()
        if not status.ended:
            return False
        self.jobs.tracked.pop(tracked.job.id, None)
        tracked.fetch()
        if status.state is not JobState.DONE and status.reason is not Reason.KERNEL:  # else it had ended before
            status = msgspec.structs.replace(status, state=JobState.CANCELLED, reason=Reason.INTERRUPTED)
        self.jobs.close(tracked, status, event="interrupted")
        return True
