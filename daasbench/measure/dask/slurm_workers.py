"""Dask workers as jobs of Slurm, by dask-jobqueue: one job per worker, with a name by which it is found.

The jobs end with the run, whatever happens to it: another process cancels them when this process has ended
(:mod:`daasbench.measure.dask.slurm_cleanup`), a worker exits without its scheduler, and the jobs have a time limit.
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
from daasbench.host.installation import command_here
from daasbench.host.processes import thread_variables
from daasbench.measure.dask import settings, slurm_cleanup
from daasbench.measure.dask.found import ConnectedWorkers
from daasbench.measure.dask.options import ClusterOptions
from daasbench.measure.dask.worker_checks import BEGAN
from daasbench.model import Case, DaskWorker, Reason

log = logging.getLogger(__name__)

LINES = 30  # of a worker's log that are copied into our log
DEATH_S = 60.0  # after which a worker that finds no scheduler exits
POLL_S, ASK_S = 0.05, 1.0  # between polls of the scheduler of Dask, and of that of Slurm
CLEAR_S = 60.0  # for jobs of this run's former workers to end
ALIVE = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD", "RESIZING")
NOT_THE_KERNELS = ("NODE_FAIL", "PREEMPTED", "CANCELLED", "TIMEOUT", "BOOT_FAIL", "DEADLINE", "REVOKED", "REQUEUED")


def jobs(case: Case, options: ClusterOptions, folder: Path, name: str, wall_time_limit_s: float) -> ConnectedWorkers:
    """Submit one job per worker of the case, and return when all workers have registered."""
    require_slurm()
    clear(name)
    own = f"{name}{os.getpid()}"
    held = slurm_cleanup.start_guard(own)  # first, so that no job exists without it
    from dask_jobqueue import SLURMCluster
    from dask_jobqueue.slurm import SLURMJob
    from distributed import Client

    refused: list[str] = []

    class WorkerJob(SLURMJob):  # type: ignore[misc]  # dask-jobqueue has no types
        """A job that keeps the reason of a refusal: dask-jobqueue itself only logs it."""

        async def _submit_job(self, script_filename: str) -> Any:
            try:
                return await super()._submit_job(script_filename)
            except RuntimeError as error:
                refused.append(_stderr_of(str(error)))
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
    """Raise MissingRequirement, with its fix, if this machine cannot submit workers."""
    if importlib.util.find_spec("dask_jobqueue") is None:
        fix = command_here("install it: pip install 'daasbench[dask]'")
        raise MissingRequirement("dask-jobqueue is not installed", fix)
    for program in ("sbatch", "squeue", "scancel"):
        if shutil.which(program) is None:
            raise MissingRequirement(
                f"this machine has no {program}", "run on a login node, which has Slurm's commands"
            )


def arguments(case: Case, options: ClusterOptions, folder: Path, name: str, wall_time_limit_s: float) -> dict[str, Any]:
    """Return the arguments of SLURMCluster: one job per worker, with one task slot and one processor per thread.

    Raises
    ------
    MissingRequirement
        The platform requests fewer processors per worker than the case has threads.
    """
    cores = options.cores or case.threads
    if cores < case.threads:
        message = f"the platform requests {cores} cores per Dask worker, the case requests {case.threads} threads"
        raise MissingRequirement(message, "raise the platform's option cores, or remove it")
    extra = [f"--qos={options.qos}"] if options.qos else []
    return {
        "job_name": name,
        "cores": case.threads,
        "job_cpu": cores,
        "processes": 1,
        "memory": options.memory or "1GB",  # used only if the platform sets it
        "job_directives_skip": [] if options.memory else ["--mem="],
        "queue": options.partition,
        "account": options.account,
        "walltime": options.walltime or walltime(wall_time_limit_s + options.wait_s),
        "interface": options.interface,
        "local_directory": options.local_directory,
        "log_directory": shlex.quote(str(folder)),
        "python": options.python,
        "nanny": False,  # it would restart a dead worker
        "death_timeout": int(DEATH_S),
        "worker_extra_args": ["--nthreads", "1", "--memory-limit", "0", "--no-dashboard"],
        "job_extra_directives": ["--no-requeue", *extra, *options.directives],
        "job_script_prologue": prologue(options.setup, case.threads),
        "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
        "shebang": "#!/bin/bash",
    }


def prologue(setup: list[str], threads: int) -> list[str]:
    """Return the shell lines before a worker starts: its start time, the site's own lines, our threads and settings."""
    variables = {**thread_variables(threads), settings.HANDED_ON: os.environ.get(settings.HANDED_ON, "")}
    exported = [f"export {key}={shlex.quote(value)}" for key, value in variables.items()]
    return [f"export {BEGAN}=$(date +%s.%N)", *setup, "unset ${!DASK_@}", *exported]


def walltime(seconds: float) -> str:
    """Return the time limit of a job: whole minutes, one more than the most that the work can take."""
    minutes = math.ceil(seconds / 60) + 1
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


def clear(prefix: str) -> None:
    """Cancel the jobs of this run's former workers, whose names begin with `prefix`; return when they have ended."""
    end = time.monotonic() + CLEAR_S
    while names := {name for _, (name, _, _) in listed().items() if prefix and name.startswith(prefix)}:
        if time.monotonic() > end:
            raise SubmitError(f"jobs of former Dask workers do not end: {', '.join(sorted(names))}; cancel them")
        _slurm("scancel", *(f"--name={name}" for name in sorted(names)))
        time.sleep(ASK_S / 2)


def listed(name: str = "") -> dict[str, tuple[str, str, str]]:
    """Return name, state and reason by job number: of the jobs of this name, or of this user's active jobs."""
    which = ["--states", "all", "--name", name] if name else ["--user", str(os.getuid())]
    output = _slurm("squeue", "--noheader", *which, "--format", "%i|%j|%T|%r")
    rows = [line.split("|", 3) for line in output.splitlines() if line.count("|") >= 3]
    return {number.strip(): (job, state, reason) for number, job, state, reason in rows}


def cause(worker: DaskWorker, folder: Path) -> tuple[Reason, str]:
    """Return why a worker has ended, as far as Slurm knows."""
    last = last_line(folder, worker.job)
    more = f", and its log: {last}" if last else ""
    end = time.monotonic() + 5 * ASK_S
    state = ""
    while time.monotonic() < end:
        output = _slurm("scontrol", "show", "job", "-o", worker.job)
        state = dict(word.split("=", 1) for word in output.split() if "=" in word).get("JobState", "")
        if state and state not in ALIVE:
            reason = Reason.INTERRUPTED if state in NOT_THE_KERNELS else Reason.KERNEL
            return reason, f"job {worker.job} on {worker.host}, state in Slurm {state}{more}"
        time.sleep(ASK_S / 2)
    return Reason.KERNEL, f"job {worker.job} on {worker.host}, state in Slurm {state or 'unknown'}{more}"


def _await(cluster: Any, case: Case, options: ClusterOptions, name: str, folder: Path, refused: Sequence[str]) -> None:
    """Return when all workers have registered.

    Raises
    ------
    NoRoom
        They did not register in time.
    SubmitError
        A job was refused, or ended instead.
    """
    began = time.monotonic()
    next_question = began + ASK_S
    workers = cluster.scheduler.workers
    while len(workers) < case.ranks:
        time.sleep(POLL_S)
        if refused:
            raise SubmitError(f"sbatch refused the jobs of the Dask workers: {refused[0]}")
        now = time.monotonic()
        late = now - began > options.wait_s
        if now < next_question and not late:
            continue
        next_question = now + min(10.0, max(ASK_S, (now - began) / 10))
        states = listed(name)
        if ended := {number: job for number, job in states.items() if job[1] not in ALIVE}:
            number, (_, state, _) = next(iter(ended.items()))
            last = last_line(folder, number)
            raise SubmitError(
                f"job {number} of a Dask worker ended as {state} before the worker had registered"
                + (f": {last}" if last else "; it wrote no log")
            )
        if late:
            message = f"{len(workers)} of {case.ranks} Dask workers registered within {now - began:.0f} s"
            message += f"; the states of their jobs in Slurm: {_counted(states)}"
            raise NoRoom(f"{message}; raise the platform's option wait_s, or try at another time")


def _counted(states: Mapping[str, tuple[str, str, str]]) -> str:
    words = [state if reason in ("None", "") else f"{state} ({reason})" for _, state, reason in states.values()]
    return ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words))) or "unknown"


def last_line(folder: Path, job: str) -> str:
    """Return the last line in the log of a worker's job, and copy the end of the log into ours; "" without a log."""
    for path in sorted(folder.glob(f"*-{job}.err")):
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()][-LINES:]
        log.info("the end of %s:\n%s", path.name, "\n".join(lines))
        if lines:
            return lines[-1].strip()
    return ""


def _stderr_of(report: str) -> str:
    """Return the standard error of a command, from dask-jobqueue's report of its failure."""
    return " ".join(report.partition("stderr:\n")[2].split()) or report.splitlines()[0]


def _slurm(*words: str) -> str:
    """Return the output of a command of Slurm; "" if it fails, as the caller repeats it."""
    try:
        ended = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=slurm_cleanup.ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if ended.returncode else ended.stdout
