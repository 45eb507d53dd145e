"""The schedulers that psij supports: the only module that imports psij.

psij queries each scheduler for all its jobs at once, in a thread, at a fixed interval. If a scheduler does not answer,
psij reports a failure of all jobs. If a scheduler no longer knows a job, psij reports success. This module recognises
both cases. The files in a job's own folder take precedence.
"""

from __future__ import annotations

import datetime
import importlib.util
import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from daasbench.errors import MissingRequirement, SubmitError, Unreachable
from daasbench.host.installation import command_here

from .specification import Specification

if TYPE_CHECKING:
    import psij

INSTALL = "pip install 'daasbench[psij]'"
WORK = ".psij"  # folder of psij's own scripts and exit codes, next to the folders of the jobs; the nodes see it
FIRST_QUERY_S = 0.5  # after the first job was sent
NEVER = 10**9  # failed queries in a row before psij calls its jobs failed
QUERY_FAILED = ("Failed to poll", "Failed to update job status", "Error updating job statuses")
NO_ANSWER = (
    "timed out",
    "timeout",
    "unable to contact",
    "cannot contact",
    "connection refused",
    "cannot connect",
    "batch",
)
ANSWER_S = 60.0  # seconds to wait for the answer of a scheduler

BY_NAME = {  # queries that psij does not have: the numbers of the jobs of a name, one per line
    "slurm": ("squeue", "--me", "--noheader", "--format=%i", "--name={name}"),
    "pbs": ("qselect", "-N", "{name}"),
    "lsf": ("bjobs", "-noheader", "-o", "jobid", "-J", "{name}"),
    "flux": ("flux", "jobs", "--no-header", "--format={{id}}", "--name={name}"),
}
PROGRAM = {
    "slurm": "sbatch",
    "pbs": "qsub",
    "pbs_classic": "qsub",
    "lsf": "bsub",
    "cobalt": "qsub",
    "flux": "flux",
    "local": "bash",
}


def require_psij() -> None:
    """Raise MissingRequirement, with the fix, if psij is not installed."""
    if importlib.util.find_spec("psij") is None:
        raise MissingRequirement("psij-python is not installed", command_here(f"install it: {INSTALL}"))


def require_scheduler(executor: str) -> None:
    """Raise MissingRequirement if this machine does not have the command by which psij submits jobs."""
    if shutil.which(PROGRAM[executor]) is None:
        fix = "load its module, or use a machine from which jobs are submitted"
        raise MissingRequirement(f"this machine has no {executor}: the command {PROGRAM[executor]} is missing", fix)


class Schedulers:
    """The executors of psij, one per folder of jobs, and the jobs that they follow in this process."""

    def __init__(self) -> None:
        self._executors: dict[tuple[str, Path], Any] = {}
        self._jobs: dict[tuple[str, str], Any] = {}
        self._every_s = 1.0

    # --- psij's objects

    def executor(self, name: str, jobs_folder: Path) -> Any:
        """Return psij's executor of this name, whose own files are in `jobs_folder`."""
        require_psij()
        require_scheduler(name)
        key = (name, jobs_folder)
        if key not in self._executors:
            self._executors[key] = _make(name, jobs_folder / WORK, self._every_s)
        return self._executors[key]

    def set_interval(self, seconds: float) -> None:
        """Set the interval at which psij queries its schedulers."""
        self._every_s = seconds
        for executor in self._executors.values():
            if hasattr(executor.config, "queue_polling_interval"):
                executor.config.queue_polling_interval = seconds

    # --- one job

    def submit(self, spec: Specification, jobs_folder: Path) -> str:
        """Submit a job; return the number that the scheduler gave it.

        Raises
        ------
        SubmitError
            It was refused.
        Unreachable
            It is not known whether it arrived.
        """
        try:
            executor = self.executor(spec.executor, jobs_folder)
        except MissingRequirement as missing:
            raise SubmitError(f"{missing}; nothing was sent") from missing
        import psij

        try:
            job = psij.Job(job_spec(spec))
            executor.submit(job)
        except psij.SubmitException as error:
            message = " ".join(str(error).split()) or "no reason given"
            if any(word in message.lower() for word in NO_ANSWER[:-1]):
                raise Unreachable(f"{spec.executor} did not answer when a job was submitted: {message}") from error
            raise SubmitError(f"{spec.executor} refused the job: {message}") from error
        except (psij.InvalidJobException, TypeError, ValueError) as error:
            raise SubmitError(f"psij cannot submit this job to {spec.executor}: {error}") from error
        except OSError as error:
            raise SubmitError(f"psij cannot submit this job to {spec.executor}: {error}; nothing was sent") from error
        native = str(job.native_id)
        self._jobs[spec.executor, native] = job
        return native

    def status(self, executor: str, native: str, jobs_folder: Path) -> psij.JobStatus | None:
        """Return the status that psij reports of a job; None before its first query, or if no scheduler answers.

        Raises
        ------
        MissingRequirement
            This machine does not have psij or the scheduler's commands.
        LookupError
            The job is a process of this machine that has ended.
        """
        job = self._job(executor, native, jobs_folder)
        status: psij.JobStatus = job.status
        if status.message and status.message.startswith(QUERY_FAILED):
            del self._jobs[executor, native]  # and query anew
            self._job(executor, native, jobs_folder)
            return None
        return None if status.state.name == "NEW" else status

    def cancel(self, executor: str, native: str, jobs_folder: Path) -> None:
        """Ask the scheduler to end a job.

        Raises
        ------
        Unreachable
            It does not answer.
        """
        try:
            job = self._job(executor, native, jobs_folder)
        except LookupError:
            return
        import psij

        try:
            job.cancel()
        except psij.SubmitException as error:
            message = " ".join(str(error).split())
            raise Unreachable(f"{executor} did not cancel job {native}: {message}; cancel it again later") from error

    def _job(self, executor: str, native: str, jobs_folder: Path) -> Any:
        """Return psij's job of a number; a job that an earlier process submitted is attached."""
        key = (executor, native)
        if key not in self._jobs:
            psij_executor = self.executor(executor, jobs_folder)
            import psij

            job = psij.Job()
            job.spec = psij.JobSpec()
            try:
                if executor == "local" and str(jobs_folder) not in " ".join(psutil.Process(int(native)).cmdline()):
                    raise LookupError(native)
                psij_executor.attach(job, native)
            except (psutil.Error, ValueError) as error:
                raise LookupError(native) from error
            self._jobs[key] = job
        return self._jobs[key]


def _make(name: str, work: Path, every_s: float) -> Any:
    import psij
    from psij.executors.batch import batch_scheduler_executor

    logger = logging.getLogger("psij")  # daasbench itself reports the problem of this warning
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    if name in ("local", "flux"):
        config: Any = psij.JobExecutorConfig(work_directory=work)
    else:
        make: Any = (
            batch_scheduler_executor.BatchSchedulerExecutorConfig
        )  # declared as int, but fractions of a second work
        config = make(
            work_directory=work,
            queue_polling_interval=every_s,
            initial_queue_polling_delay=FIRST_QUERY_S,
            queue_polling_error_threshold=NEVER,
        )
    return psij.JobExecutor.get_instance(name, config=config)


def job_spec(spec: Specification) -> Any:
    """Return psij's own specification of a job."""
    import psij

    flux = spec.executor == "flux"  # which refuses a number of processes per node
    resources = psij.ResourceSpecV1(
        node_count=spec.nodes,
        process_count=spec.nodes if flux else None,
        processes_per_node=None if flux else spec.processes,
        cpu_cores_per_process=spec.cores,
        gpu_cores_per_process=spec.gpus or None,
        exclusive_node_use=spec.exclusive,
        memory=spec.memory_bytes,
    )
    attributes = psij.JobAttributes(
        duration=datetime.timedelta(seconds=spec.duration_s),
        queue_name=spec.queue,
        account=spec.account,
        reservation_id=spec.reservation,
    )
    prefix = "pbs" if spec.executor.startswith("pbs") else spec.executor
    for key, value in spec.attributes.items():
        attributes.set_custom_attribute(f"{prefix}.{key}", str(value))
    return psij.JobSpec(
        executable=spec.executable,
        arguments=spec.arguments,
        directory=spec.directory,
        resources=resources,
        attributes=attributes,
        launcher="single",
    )


def numbers_of(executor: str, name: str) -> list[str]:
    """Return the numbers of the jobs of a name; none if the scheduler cannot be queried by name.

    Raises
    ------
    Unreachable
        It does not answer.
    """
    if executor not in BY_NAME:
        return []
    command = [word.format(name=name) for word in BY_NAME[executor]]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"{command[0]} does not answer ({error}); run the same command again to continue") from error
    if ended.returncode and not (executor == "lsf" and "not found" in ended.stderr):
        message = " ".join(ended.stderr.split()) or f"exit code {ended.returncode}"
        raise Unreachable(f"{command[0]} does not answer: {message}; run the same command again to continue")
    return [line.strip() for line in ended.stdout.splitlines() if line.strip()]


def processes_of(path: Path) -> list[str]:
    """Return the numbers of the processes of this user whose command names `path`, of psij's launcher."""
    found = []
    for process in psutil.process_iter(["cmdline", "uids"]):
        words: Sequence[str] = process.info["cmdline"] or []
        launched = str(path) in words and any("launch.sh" in word for word in words)
        if launched and process.info["uids"].real == os.getuid():
            found.append(str(process.pid))
    return found
