"""The jobs that an earlier controller sent to a queue: tracked again, withdrawn, or closed."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.contracts import Queue
from daasbench.host.clock import utc_now
from daasbench.jobs.accounting import how_it_ended
from daasbench.jobs.active_jobs import ActiveJobs
from daasbench.model import Event, Job, JobState, JobStatus, Reason
from daasbench.worker import Taken, claim

WITHDRAWN = "withdrawn by its controller"  # claims a job, so that no worker can start it any more


def resume(jobs: ActiveJobs) -> None:
    """Track the jobs that an earlier controller sent to a queue; withdraw those that never reached it.

    Raises
    ------
    Unreachable
        A platform does not answer; nothing was changed.
    """
    latest = jobs.folder.unsettled()
    known = {job.id: job for job in jobs.folder.jobs() if job.id in latest}
    queues: dict[str, Queue] = {}
    uncertain: dict[str, list[Job]] = {}  # by queue: the controller ended before it noted a handle
    for name, event in latest.items():
        job = known.get(name)
        if job is None:
            _close_without_file(jobs, name, event)
            continue
        runner = jobs.runner(str(event.detail.get("runner") or job.platform.runner))
        if not isinstance(runner, Queue):
            continue  # a job of this machine ended with its controller
        handle = event.detail.get("handle")
        if event.event == "submitted" and isinstance(handle, str):
            jobs.track(job, handle, event.at)
        else:
            queues[runner.name] = runner
            uncertain.setdefault(runner.name, []).append(job)
    for name, asked in uncertain.items():
        _find(jobs, queues[name], asked)


def abandon_unknown_jobs(jobs: ActiveJobs) -> None:
    """Close the jobs that were started and that no queue knows; for a person who knows that they have ended."""
    status = JobStatus(state=JobState.LOST, reason=Reason.INTERRUPTED, message="its queue does not know it")
    for name, job in list(jobs.unknown.items()):
        del jobs.unknown[name]
        jobs.close_untracked(job, utc_now(), status, event="interrupted")


def _find(jobs: ActiveJobs, queue: Queue, asked: Sequence[Job]) -> None:
    """Ask a queue for jobs that were about to be sent when the controller ended; withdraw those it does not have."""
    handles = queue.find(asked, jobs.folder.jobs_path)
    now = utc_now()
    for job in asked:
        handle = handles.get(job.id)
        if handle is None:
            _withdraw(jobs, job, now)
        else:
            jobs.folder.note(now, "submitted", job.id, handle=handle, runner=queue.name)
            jobs.track(job, handle, now)


def _withdraw(jobs: ActiveJobs, job: Job, now: str) -> None:
    """Claim a job before a worker can; where a worker has claimed it, close it if it has ended."""
    folder = jobs.folder.job_folder(job.id)
    try:
        claim(folder, WITHDRAWN)
    except Taken:
        status = how_it_ended(folder)
        if status is not None:
            jobs.close_untracked(job, now, status)
            return
        jobs.unknown[job.id] = job
        message = f"job {job.id} has started, but {job.platform.runner} has no record of it; its measurements stay"
        fix = f"if none of its processes is running any more: daasbench cancel {jobs.folder.id}"
        jobs.messages.append(f"{message} pending; {fix}")
        return
    jobs.folder.note(now, "unsent", job.id)


def _close_without_file(jobs: ActiveJobs, name: str, event: Event) -> None:
    """Close a job without a job file: it was never written, or was removed with its folder after the job was sent."""
    handle = event.detail.get("handle")
    if not isinstance(handle, str) or not handle:
        jobs.folder.note(utc_now(), "unsent", name)
        return
    runner = jobs.runner(str(event.detail.get("runner") or ""))
    if isinstance(runner, Queue):
        runner.cancel_all([handle])
        message = f"job {name}: its folder or its job.json is missing; {handle} was cancelled"
        jobs.messages.append(f"{message}, and another job measures its cases")
    jobs.folder.note(utc_now(), "interrupted", name, handle=handle, message="its job.json is missing")
