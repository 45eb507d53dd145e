"""Render jobs: divide cases into jobs, and make exactly what would be sent to Slurm. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from daasbench.model import Job, Noun, Planned, Request, sets_of
from daasbench.records.layout import JOB_FILE

from ..allocation import Allocation, allocation_of
from .batch_script import RenderTarget, batch_script, job_name
from .commands import submit_command
from .options import SlurmOptions, options_of

SCRIPT, NOTE = "batch.sh", "slurm.json"
LAUNCHER = "srun --mpi=pmi2 --overlap --kill-on-bad-exit=1 --cpu-bind=cores -N {nodes} -n {ranks} -c {threads}"


class Note(Noun, frozen=True, kw_only=True, rename={"staged": "parcels"}):
    """Written into a job's folder before it is submitted, so that the job is found again if its number was lost.

    `staged` are files that must be copied before: remote path to local path.
    """

    name: str
    first: str = ""  # the name of the folder in which Slurm starts: the job's own, or that of the array's first job
    index: int | None = None
    staged: dict[str, str] = {}


def split(job: Job) -> list[Job]:
    """Return the jobs that a platform's cases become; a comparison is never divided."""
    mode = options_of(job.platform.options).split
    groups: dict[tuple[object, ...], list[Planned]] = {}
    for compared in sets_of(job):
        allocation = allocation_of([planned.case for planned in compared])
        first = compared[0]
        key: tuple[object, ...] = (allocation,)
        if mode == "process":
            key = (first.process, allocation)
        elif mode == "set":
            key = (first.process, first.case.problem_id)
        groups.setdefault(key, []).extend(compared)
    return [msgspec.structs.replace(job, planned=planned) for planned in groups.values()]


def requests(jobs: Sequence[Job], targets: Mapping[str, RenderTarget]) -> list[Request]:
    """Return what would be sent: one request for all jobs of an allocation, as an array if there are several.

    Parameters
    ----------
    targets
        The folder of each job; the names of files are relative to the folder above it.
    """
    rendered: list[Request] = []
    by_allocation: dict[Allocation, list[Job]] = {}
    for job in jobs:
        by_allocation.setdefault(allocation_of([planned.case for planned in job.planned]), []).append(job)
    for allocation, alike in by_allocation.items():
        most = options_of(alike[0].platform.options).most_in_array
        for first in range(0, len(alike), most):
            rendered.append(request(alike[first : first + most], allocation, targets))
    return rendered


def request(jobs: Sequence[Job], allocation: Allocation, targets: Mapping[str, RenderTarget]) -> Request:
    """Return the request for jobs of one allocation."""
    first = targets[jobs[0].id]
    name = job_name(jobs[0])
    text = batch_script(jobs, allocation, targets)
    files = {f"{first.leaf}/{SCRIPT}": text}
    for index, job in enumerate(jobs):
        target = targets[job.id]
        note = Note(name=name, first=first.leaf, index=index if len(jobs) > 1 else None, staged=target.staged)
        encoded = msgspec.json.format(msgspec.json.encode(with_launcher(job)), indent=1).decode()
        files[f"{target.leaf}/{NOTE}"] = msgspec.json.encode(note).decode() + "\n"
        files[f"{target.leaf}/{JOB_FILE}"] = encoded + "\n"
    command = submit_command(f"{first.folder}/{SCRIPT}")
    return Request(runner="slurm", command=command, files=files, text=text, jobs=[job.id for job in jobs])


def with_launcher(job: Job) -> Job:
    """Return the job with the command that launches its ranks: srun, if the platform names none.

    srun exposes all GPUs of a node to all ranks on the node, and each rank selects its own GPU.
    """
    cases = [planned.case for planned in job.planned]
    if "launcher" in job.platform.options or all(case.ranks == 1 and case.nodes == 1 for case in cases):
        return job
    platform = msgspec.structs.replace(job.platform, options={**job.platform.options, "launcher": LAUNCHER})
    return msgspec.structs.replace(job, platform=platform)


def shared_target(folder: Path, options: SlurmOptions) -> RenderTarget:
    """Return the target of a job whose folder the nodes see at the same path as this machine."""
    return RenderTarget(folder=str(folder.absolute()), python=options.python or sys.executable)
