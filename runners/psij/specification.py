"""The options of a platform whose runner is ``psij``, and the specification of a job for psij. Pure."""

from __future__ import annotations

import math
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from daasbench.errors import ScenarioError, unknown_sentence
from daasbench.host import containers, launchers
from daasbench.jobs.time_limits import wall_time_limit_s
from daasbench.model import Count, Job, Noun, Option, Planned, Platform, Scalar, Seconds, Written, parsing, sets_of
from daasbench.records.layout import JOB_FILE, LOG_FILE

from ..allocation import Allocation, allocation_of

Line = Annotated[str, msgspec.Meta(pattern=r"^[^\n]*\S[^\n]*$", description="one line of text")]
Word = Annotated[str, msgspec.Meta(pattern=r"^[^\s'\"]+$", description="a word without blanks and quotes")]
Absolute = Annotated[str, msgspec.Meta(pattern=r"^/[^\n'\"]*$", description="an absolute path, without quotes")]
Executor = Literal["local", "slurm", "pbs", "pbs_classic", "lsf", "cobalt", "flux"]

MINUTE_S = 60.0
SCRIPT, SPECIFICATION = "job.sh", "psij.json"  # files in a job's folder

ALLOCATION = {  # the variable in which each scheduler gives a job its own number
    "slurm": "SLURM_JOB_ID",
    "pbs": "PBS_JOBID",
    "pbs_classic": "PBS_JOBID",
    "lsf": "LSB_JOBID",
    "cobalt": "COBALT_JOBID",
    "flux": "FLUX_JOB_ID",
}
NAMED = {"slurm": "job-name", "pbs": "N", "lsf": "J", "cobalt": "jobname"}
"""The directive that names a job, because psij 0.9.11 writes none. Torque accepts only 15 characters."""

GIVES_GPUS = ("local", "slurm", "flux")  # of others psij requests no GPUs, or a wrong number: use `attributes`
BY_TASKS = ("slurm",)  # ranks and threads are requested separately; elsewhere cores per node


class PsijOptions(Written, frozen=True, kw_only=True):
    """The options of a platform whose runner is ``psij``, in addition to those of :mod:`daasbench.host.launchers`."""

    executor: Executor
    queue: Word | None = None
    account: Word | None = None
    reservation: Word | None = None
    setup: list[Line] = []  # lines of shell on the node before the worker starts: modules, environments
    attributes: dict[Word, Scalar] = {}  # directives of the scheduler that psij does not have
    exclusive: bool = False
    limit_s: Seconds | None = None  # longest time that the queue allows; None: the longest that the cases can take
    python: Absolute | None = None  # on the nodes; None: that of this process


class Specification(Noun, frozen=True, kw_only=True):
    """One job as it is given to psij."""

    executor: str
    executable: str
    arguments: list[str]
    directory: str
    nodes: Count
    processes: Count  # per node
    cores: Count  # per process
    gpus: int  # per process
    memory_bytes: int | None = None  # per node; None: the default of the site
    exclusive: bool
    duration_s: float
    queue: str | None
    account: str | None
    reservation: str | None
    attributes: dict[str, Scalar]


def read_options(options: Mapping[str, Option], where: str) -> PsijOptions:
    """Return a platform's options; raise ScenarioError, naming `where`, if they are not those of this runner."""
    known = (*PsijOptions.__struct_fields__, *launchers.OPTIONS)
    for key in options:
        if key not in known:
            raise ScenarioError(unknown_sentence("option of the runner psij", key, known, where))
    launchers.check_options({key: options[key] for key in options if key in launchers.OPTIONS}, where, runner="psij")
    file, _, at = where.rpartition(": ")
    return parsing.convert(_own(options), PsijOptions, file or where, at if file else "")


def options_of(platform: Platform) -> PsijOptions:
    """Return the options of a platform that were checked before."""
    return msgspec.convert(_own(platform.options), PsijOptions)


def _own(options: Mapping[str, Option]) -> dict[str, Option]:
    return {key: value for key, value in options.items() if key not in launchers.OPTIONS}


# --- one job per allocation ------------------------------------------------------------------------------------------


def split(job: Job) -> list[Job]:
    """Return one job per allocation; a comparison is never divided."""
    by_allocation: dict[Allocation, list[Planned]] = {}
    for compared in sets_of(job):
        by_allocation.setdefault(allocation_of([planned.case for planned in compared]), []).extend(compared)
    return [msgspec.structs.replace(job, planned=planned) for planned in by_allocation.values()]


def unique_name(job: Job) -> str:
    """Return the name by which a scheduler can be queried for a job."""
    return re.sub(r"[^\w.-]", "-", f"daasbench-{job.run}-{job.id}")


def specification(job: Job, folder: Path) -> Specification:
    """Return the specification of a job; the nodes see its folder, `folder`, at the same path."""
    options = options_of(job.platform)
    allocation, executor = allocation_of([planned.case for planned in job.planned]), options.executor
    by_tasks = executor in BY_TASKS and (allocation.gpus == 0 or allocation.gpus % allocation.tasks == 0)
    cores = allocation.tasks * allocation.cores
    processes = allocation.tasks if by_tasks else 1 if executor in GIVES_GPUS else cores
    attributes = dict(options.attributes)
    if executor in NAMED:
        attributes[NAMED[executor]] = unique_name(job)
    limit_s = math.ceil(wall_time_limit_s(job) / MINUTE_S) * MINUTE_S
    return Specification(
        executor=executor,
        executable="/bin/bash",
        arguments=[str(folder / SCRIPT)],
        directory=str(folder),
        nodes=allocation.nodes,
        processes=processes,
        cores=math.ceil(cores / processes),
        gpus=math.ceil(allocation.gpus / processes) if executor in GIVES_GPUS else 0,
        memory_bytes=memory_bytes(job.platform, cores, exclusive=options.exclusive),
        exclusive=options.exclusive,
        duration_s=limit_s if options.limit_s is None else min(limit_s, options.limit_s),
        queue=options.queue,
        account=options.account,
        reservation=options.reservation,
        attributes=attributes,
    )


def memory_bytes(platform: Platform, cores: int, *, exclusive: bool) -> int | None:
    """Return a job's share of a node's memory, by its cores; None if the platform declares no memory."""
    if platform.memory_gb is None:
        return None
    whole = exclusive or not platform.cores_per_node
    share = 1.0 if whole else min(1.0, cores / (platform.cores_per_node or cores))
    return int(platform.memory_gb * 1e9 * share)


def job_script(job: Job, folder: Path) -> str:
    """Return the shell script that does the job on its first node."""
    options = options_of(job.platform)
    variable = ALLOCATION.get(options.executor)
    claim = f'"{options.executor}:${variable}"' if variable else '"local:$(hostname):$$"'
    worker = [options.python or sys.executable, "-m", "daasbench.worker", str(folder / JOB_FILE), "--claim"]
    container = containers.container_of(job.platform.options)
    if container is not None:
        worker = containers.wrapped(worker, container, containers.folders_of(job, folder))
    session = "" if variable else "setsid "  # the job must continue when the terminal closes
    lines = [
        "#!/bin/bash",
        f"# job {job.id} of run {job.run}",
        f"exec >>{shlex.quote(str(folder / LOG_FILE))} 2>&1",
        *options.setup,
        f"exec {session}{shlex.join(worker)} {claim}",
    ]
    return "\n".join(lines) + "\n"


def as_text(spec: Specification) -> str:
    """Return a specification as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(spec), indent=1).decode()
