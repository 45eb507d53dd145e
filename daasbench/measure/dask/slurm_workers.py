"""Dask workers as jobs of Slurm, by dask-jobqueue: one job a worker, named so that it can be found.

The jobs end with the run whatever happens to it: a guard cancels them when this process is gone
(:mod:`daasbench.measure.dask.slurm_cleanup`); a worker without its scheduler ends by itself; and their time runs out.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from daasbench.errors import MissingRequirement, NoRoom, SubmitError
from daasbench.host.processes import thread_variables
from daasbench.measure.dask import settings, slurm_cleanup
from daasbench.measure.dask.found import ConnectedWorkers
from daasbench.measure.dask.options import ClusterOptions
from daasbench.measure.dask.worker_checks import BEGAN
from daasbench.model import Case, DaskWorker, Reason

log = logging.getLogger(__name__)

LINES = 30  # of a worker's log that are kept in ours
DEATH_S = 60.0  # after which a worker that finds no scheduler ends
LOOK_S, ASK_S = 0.05, 1.0  # between looks at the scheduler of Dask, and questions to that of Slurm
CLEAR_S = 60.0  # for jobs of this run's former workers to end
ALIVE = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "RESIZING")
NOT_THE_KERNELS = ("NODE_FAIL", "PREEMPTED", "CANCELLED", "TIMEOUT", "BOOT_FAIL", "DEADLINE", "REVOKED", "REQUEUED")


def jobs(case: Case, options: ClusterOptions, folder: Path, name: str, wall_time_limit_s: float) -> ConnectedWorkers:
    """Submit as many jobs as the case asks workers, and return when all have reported."""
    require_slurm()
    clear(name)
    own = f"{name}{os.getpid()}"
    held = slurm_cleanup.start_guard(own)  # first, so that no job is ever without it
    from dask_jobqueue import SLURMCluster
    from dask_jobqueue.slurm import SLURMJob
    from distributed import Client

    refused: list[str] = []

    class WorkerJob(SLURMJob):  # type: ignore[misc]  # dask-jobqueue has no types
        """One that says why it was refused: dask-jobqueue itself only logs it."""

        async def _submit_job(self, script_filename: str) -> Any:
            try:
                return await super()._submit_job(script_filename)
            except RuntimeError as error:
                refused.append(_said(str(error)))
                raise

    asked_at = time.time()
    cluster = SLURMCluster(job_cls=WorkerJob, **arguments(case, options, folder, own, wall_time_limit_s))
    cluster.scale(jobs=case.ranks)
    _await(cluster, case, options, own, folder, refused)
    client = Client(cluster)
    workers = cluster.scheduler.workers
    return ConnectedWorkers(
        kind="slurm",
        name=f"{cluster.scheduler_address} (jobs {own}, guard {held})",
        client=client,
        present=lambda: list(workers),
        ours=True,
        cause=lambda worker: cause(worker, folder),
        asked_at=asked_at,
    )


def require_slurm() -> None:
    """Raise Lacking, with its cure, if this machine cannot submit workers."""
    if importlib.util.find_spec("dask_jobqueue") is None:
        raise MissingRequirement("dask-jobqueue is not installed", "install it: pip install 'daasbench[dask]'")
    for program in ("sbatch", "squeue", "scancel"):
        if shutil.which(program) is None:
            raise MissingRequirement(f"there is no {program} here", "run where Slurm's commands are: on a login node")


def arguments(case: Case, options: ClusterOptions, folder: Path, name: str, wall_time_limit_s: float) -> dict[str, Any]:
    """Return what SLURMCluster is told: one job a worker, of one task slot and as many processors as threads.

    Raises
    ------
    Lacking
        The platform books fewer processors for a worker than the case has threads.
    """
    cores = options.cores or case.threads
    if cores < case.threads:
        message = f"the platform books {cores} cores for a Dask worker, the case asks for {case.threads} threads"
        raise MissingRequirement(message, "raise the platform's option cores, or leave it out")
    extra = [f"--qos={options.qos}"] if options.qos else []
    return {
        "job_name": name,
        "cores": case.threads,
        "job_cpu": cores,
        "processes": 1,
        "memory": options.memory or "1GB",  # read by Slurm only, and only if asked for
        "job_directives_skip": [] if options.memory else ["--mem="],
        "queue": options.partition,
        "account": options.account,
        "walltime": options.walltime or walltime(wall_time_limit_s + options.wait_s),
        "interface": options.interface,
        "local_directory": options.local_directory,
        "log_directory": shlex.quote(str(folder)),
        "python": options.python,
        "nanny": False,  # it would start a dead worker anew
        "death_timeout": int(DEATH_S),
        "worker_extra_args": ["--nthreads", "1", "--memory-limit", "0", "--no-dashboard"],
        "job_extra_directives": ["--no-requeue", *extra, *options.directives],
        "job_script_prologue": prologue(options.setup, case.threads),
        "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
        "shebang": "#!/bin/bash",
    }


def prologue(setup: list[str], threads: int) -> list[str]:
    """Return the lines of shell before a worker starts: when it did, the site's own, threads and settings of ours."""
    variables = {**thread_variables(threads), settings.HANDED_ON: os.environ.get(settings.HANDED_ON, "")}
    exported = [f"export {key}={shlex.quote(value)}" for key, value in variables.items()]
    return [f"export {BEGAN}=$(date +%s.%N)", *setup, "unset ${!DASK_@}", *exported]


def walltime(seconds: float) -> str:
    """Return the time to book: whole minutes, one more than the longest that the work can take."""
    minutes = math.ceil(seconds / 60) + 1
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


def clear(prefix: str) -> None:
    """End what is left of jobs whose names begin so: of this run's former workers; return when they are gone."""
    end = time.monotonic() + CLEAR_S
    while left := {name for _, (name, _, _) in listed().items() if prefix and name.startswith(prefix)}:
        if time.monotonic() > end:
            raise SubmitError(f"jobs of former Dask workers do not end: {', '.join(sorted(left))}; cancel them")
        _slurm("scancel", *(f"--name={name}" for name in sorted(left)))
        time.sleep(ASK_S / 2)


def listed(name: str = "") -> dict[str, tuple[str, str, str]]:
    """Return name, state and reason of jobs, by their number: those of this name, or all of this user's that live."""
    which = ["--states", "all", "--name", name] if name else ["--user", str(os.getuid())]
    said = _slurm("squeue", "--noheader", *which, "--format", "%i|%j|%T|%r")
    rows = [line.split("|", 3) for line in said.splitlines() if line.count("|") >= 3]
    return {number.strip(): (job, state, reason) for number, job, state, reason in rows}


def cause(worker: DaskWorker, folder: Path) -> tuple[Reason, str]:
    """Return why a worker is gone, as far as Slurm knows."""
    words = last_words(folder, worker.job)
    more = f", and its log: {words}" if words else ""
    end = time.monotonic() + 5 * ASK_S
    state = ""
    while time.monotonic() < end:
        said = _slurm("scontrol", "show", "job", "-o", worker.job)
        state = dict(word.split("=", 1) for word in said.split() if "=" in word).get("JobState", "")
        if state and state not in ALIVE:
            reason = Reason.INTERRUPTED if state in NOT_THE_KERNELS else Reason.KERNEL
            return reason, f"job {worker.job} on {worker.host}, of which Slurm says {state}{more}"
        time.sleep(ASK_S / 2)
    return Reason.KERNEL, f"job {worker.job} on {worker.host}, of which Slurm says {state or 'nothing'}{more}"


def _await(cluster: Any, case: Case, options: ClusterOptions, name: str, folder: Path, refused: Sequence[str]) -> None:
    """Return when all workers have reported.

    Raises
    ------
    NoRoom
        They did not in time.
    SubmitError
        A job was refused, or ended instead.
    """
    began = time.monotonic()
    asked = began + ASK_S
    workers = cluster.scheduler.workers
    while len(workers) < case.ranks:
        time.sleep(LOOK_S)
        if refused:
            raise SubmitError(f"sbatch refused the jobs of the Dask workers: {refused[0]}")
        now = time.monotonic()
        late = now - began > options.wait_s
        if now < asked and not late:
            continue
        asked = now + min(10.0, max(ASK_S, (now - began) / 10))
        states = listed(name)
        if ended := {number: one for number, one in states.items() if one[1] not in ALIVE}:
            number, (_, state, _) = next(iter(ended.items()))
            words = last_words(folder, number)
            raise SubmitError(
                f"job {number} of a Dask worker ended as {state} before the worker had reported"
                + (f": {words}" if words else "; it left no log")
            )
        if late:
            message = f"{len(workers)} of {case.ranks} Dask workers came within {now - began:.0f} s"
            message += f"; Slurm says of their jobs: {_counted(states)}"
            raise NoRoom(f"{message}; raise the platform's option wait_s, or try at another time")


def _counted(states: Mapping[str, tuple[str, str, str]]) -> str:
    words = [state if reason in ("None", "") else f"{state} ({reason})" for _, state, reason in states.values()]
    return ", ".join(f"{words.count(one)} {one}" for one in sorted(set(words))) or "nothing"


def last_words(folder: Path, job: str) -> str:
    """Return the last line that a worker's job left in its log, and copy the end of it into ours; "" if none."""
    for path in sorted(folder.glob(f"*-{job}.err")):
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()][-LINES:]
        log.info("the end of %s:\n%s", path.name, "\n".join(lines))
        if lines:
            return lines[-1].strip()
    return ""


def _said(trouble: str) -> str:
    """Return what a command wrote to its standard error, of dask-jobqueue's report of it."""
    return " ".join(trouble.partition("stderr:\n")[2].split()) or trouble.splitlines()[0]


def _slurm(*words: str) -> str:
    """Return what a command of Slurm says; "" if it fails: it is asked again."""
    try:
        ended = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=slurm_cleanup.ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if ended.returncode else ended.stdout
