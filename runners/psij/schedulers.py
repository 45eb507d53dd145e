"""Schedulers as psij speaks to them: the only module that imports psij.

psij asks each scheduler one question for all its jobs, in a thread, every `every_s` seconds. It takes a scheduler
that does not answer for a failure of its jobs, and one that has forgotten a job for a success: both are told apart
here, and what a job's own folder says goes before either.
"""

from __future__ import annotations

import datetime
import importlib.util
import logging
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from daasbench.errors import MissingRequirement, SubmitError, Unreachable

from .specification import Specification

if TYPE_CHECKING:
    import psij

CURE = "pip install 'daasbench[psij]'"
WORK = ".psij"  # of psij's own scripts and exit codes, in the folder of a run's jobs, which the nodes see
FIRST_ASK_S = 0.5  # after the first job was sent
NEVER = 10**9  # of questions that fail in a row, before psij calls its jobs failed
LOST_TOUCH = ("Failed to poll", "Failed to update job status", "Error updating job statuses")
DEAF = ("timed out", "timeout", "unable to contact", "cannot contact", "connection refused", "cannot connect", "batch")
ANSWER_S = 60.0

BY_NAME = {  # questions that psij has no word for: the numbers of the jobs of a name, one a line
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
    """Raise Lacking, with the cure, where psij is not installed."""
    if importlib.util.find_spec("psij") is None:
        raise MissingRequirement("psij-python is not installed", f"install it: {CURE}")


def require_scheduler(executor: str) -> None:
    """Raise Lacking where the command by which psij would submit is not here."""
    if shutil.which(PROGRAM[executor]) is None:
        fix = "load its module, or use a machine from which jobs are submitted"
        raise MissingRequirement(f"{executor} is not here: there is no {PROGRAM[executor]}", fix)


class Schedulers:
    """The executors of psij, one for each folder of jobs, and the jobs that they watch in this process."""

    def __init__(self) -> None:
        self._executors: dict[tuple[str, Path], Any] = {}
        self._jobs: dict[tuple[str, str], Any] = {}
        self._every_s = 1.0

    # --- psij's objects

    def executor(self, name: str, jobs_folder: Path) -> Any:
        """Return psij's executor of this name, whose own files lie in `jobs_folder`."""
        require_psij()
        require_scheduler(name)
        key = (name, jobs_folder)
        if key not in self._executors:
            self._executors[key] = _make(name, jobs_folder / WORK, self._every_s)
        return self._executors[key]

    def ask_every(self, seconds: float) -> None:
        """Let psij ask its schedulers every so many seconds."""
        self._every_s = seconds
        for one in self._executors.values():
            if hasattr(one.config, "queue_polling_interval"):
                one.config.queue_polling_interval = seconds

    # --- one job

    def submit(self, asked: Specification, jobs_folder: Path) -> str:
        """Send a job; return the number that the scheduler gave it.

        Raises
        ------
        SubmitError
            It was refused.
        Unreachable
            It is not known whether it arrived.
        """
        try:
            executor = self.executor(asked.executor, jobs_folder)
        except MissingRequirement as missing:
            raise SubmitError(f"{missing}; nothing was sent") from missing
        import psij

        try:
            job = psij.Job(job_spec(asked))
            executor.submit(job)
        except psij.SubmitException as error:
            message = " ".join(str(error).split()) or "it gave no reason"
            if any(word in message.lower() for word in DEAF[:-1]):
                raise Unreachable(f"{asked.executor} did not answer when a job was sent: {message}") from error
            raise SubmitError(f"{asked.executor} refused the job: {message}") from error
        except (psij.InvalidJobException, TypeError, ValueError) as error:
            raise SubmitError(f"psij cannot send this job to {asked.executor}: {error}") from error
        except OSError as error:
            raise SubmitError(f"psij cannot send this job to {asked.executor}: {error}; nothing was sent") from error
        native = str(job.native_id)
        self._jobs[asked.executor, native] = job
        return native

    def status(self, executor: str, native: str, jobs_folder: Path) -> psij.JobStatus | None:
        """Return what psij says of a job; None while it has not asked, or its scheduler does not answer.

        Raises
        ------
        Lacking
            psij or the scheduler's commands are not here.
        LookupError
            A process of this machine that is no more.
        """
        job = self._job(executor, native, jobs_folder)
        status: psij.JobStatus = job.status
        if status.message and status.message.startswith(LOST_TOUCH):
            del self._jobs[executor, native]  # and ask anew
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
            raise Unreachable(f"{executor} did not cancel {native}: {message}; cancel it again later") from error

    def _job(self, executor: str, native: str, jobs_folder: Path) -> Any:
        """Return psij's job of a number; one that an earlier process sent is attached."""
        key = (executor, native)
        if key not in self._jobs:
            speaker = self.executor(executor, jobs_folder)
            import psij

            job = psij.Job()
            job.spec = psij.JobSpec()
            try:
                if executor == "local" and str(jobs_folder) not in " ".join(psutil.Process(int(native)).cmdline()):
                    raise LookupError(native)
                speaker.attach(job, native)
            except (psutil.Error, ValueError) as error:
                raise LookupError(native) from error
            self._jobs[key] = job
        return self._jobs[key]


def _make(name: str, work: Path, every_s: float) -> Any:
    import psij
    from psij.executors.batch import batch_scheduler_executor

    logger = logging.getLogger("psij")  # what it warns of, we tell
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    if name in ("local", "flux"):
        config: Any = psij.JobExecutorConfig(work_directory=work)
    else:
        make: Any = batch_scheduler_executor.BatchSchedulerExecutorConfig  # fractions of a second are fine too
        config = make(
            work_directory=work,
            queue_polling_interval=every_s,
            initial_queue_polling_delay=FIRST_ASK_S,
            queue_polling_error_threshold=NEVER,
        )
    return psij.JobExecutor.get_instance(name, config=config)


def job_spec(asked: Specification) -> Any:
    """Return psij's own specification of a job."""
    import psij

    flux = asked.executor == "flux"  # which refuses a number of processes of a node
    resources = psij.ResourceSpecV1(
        node_count=asked.nodes,
        process_count=asked.nodes if flux else None,
        processes_per_node=None if flux else asked.processes,
        cpu_cores_per_process=asked.cores,
        gpu_cores_per_process=asked.gpus or None,
        exclusive_node_use=asked.exclusive,
        memory=asked.memory_bytes,
    )
    attributes = psij.JobAttributes(
        duration=datetime.timedelta(seconds=asked.duration_s),
        queue_name=asked.queue,
        account=asked.account,
        reservation_id=asked.reservation,
    )
    prefix = "pbs" if asked.executor.startswith("pbs") else asked.executor
    for key, value in asked.attributes.items():
        attributes.set_custom_attribute(f"{prefix}.{key}", str(value))
    return psij.JobSpec(
        executable=asked.executable,
        arguments=asked.arguments,
        directory=asked.directory,
        resources=resources,
        attributes=attributes,
        launcher="single",
    )


def numbers_of(executor: str, name: str) -> list[str]:
    """Return the numbers of the jobs of a name, as far as the scheduler can be asked by name.

    Raises
    ------
    Unreachable
        It does not answer.
    """
    if executor not in BY_NAME:
        return []
    words = [word.format(name=name) for word in BY_NAME[executor]]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"{words[0]} does not answer ({error}); the same command asks again") from error
    if done.returncode and not (executor == "lsf" and "not found" in done.stderr):
        message = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise Unreachable(f"{words[0]} does not answer: {message}; the same command asks again")
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def processes_of(path: Path) -> list[str]:
    """Return the numbers of the processes of this user whose command names `path`, those of psij's launcher."""
    found = []
    for one in psutil.process_iter(["cmdline", "uids"]):
        words: Sequence[str] = one.info["cmdline"] or []
        if str(path) in words and any("launch.sh" in word for word in words) and one.info["uids"].real == os.getuid():
            found.append(str(one.pid))
    return found


def here() -> str:
    """Return the name of this machine, which a number of a process needs."""
    return socket.gethostname()
