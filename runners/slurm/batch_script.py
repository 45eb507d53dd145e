"""The batch script of the jobs of one allocation. Pure."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from daasbench.host import containers
from daasbench.jobs.time_limits import wall_time_limit_s
from daasbench.model import Job, Noun
from daasbench.records.layout import JOB_FILE, LOG_FILE

from ..allocation import Allocation
from .options import SlurmOptions, options_of

TASK_LOG = "log-{}"  # the log of a task of an array, until the task moves it into its own folder
MARGIN_S = 120.0  # for Slurm and the worker to start and to end
WARNING_S = 30  # between SIGTERM and the end of the time limit
SLOW_FILES_S = 60  # seconds until a shared file system shows a file that another node wrote
NO_FOLDER, NO_MODULE = 73, 78  # exit codes of the script, as in sysexits.h: EX_CANTCREAT, EX_CONFIG

_PLAIN = re.compile(r"[\w@%+=:,./~\[\]*&|(){}-]+")


class RenderTarget(Noun, frozen=True, kw_only=True):
    """The folder of a job and the Python that runs it, as the nodes see them.

    `staged` are the files that must be copied first: remote path to local path. `apart`: whether the nodes share no
    file system with this machine.
    """

    folder: str
    python: str
    staged: dict[str, str] = {}
    apart: bool = False

    @property
    def leaf(self) -> str:
        """Return the name of the folder."""
        return self.folder.rpartition("/")[2]


def batch_script(jobs: Sequence[Job], allocation: Allocation, targets: Mapping[str, RenderTarget]) -> str:
    """Return the batch script of jobs of one allocation; `targets` by the id of the job."""
    first = jobs[0]
    options = options_of(first.platform.options)
    directives = "\n".join(f"#SBATCH {flag}" for flag in directives_of(jobs, allocation, targets[first.id]))
    claim = "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" if len(jobs) > 1 else "$SLURM_JOB_ID"
    lines = [
        f"#!/bin/bash{' -l' if options.modules else ''}",
        directives,
        *_enter_folder(jobs, targets),
        *_environment(options),
        *_worker(first, targets[first.id], claim),
    ]
    return "\n".join(lines) + "\n"


def job_name(job: Job) -> str:
    """Return the job's name in the queue."""
    return re.sub(r"[^\w.-]", "_", f"daasbench-{job.run}-{job.id}")


def directives_of(jobs: Sequence[Job], allocation: Allocation, target: RenderTarget) -> list[str]:
    """Return the options that sbatch reads from the script."""
    first, array = jobs[0], len(jobs) > 1
    options = options_of(first.platform.options)
    output = target.folder.replace("%", "%%") + f"/{TASK_LOG.format('%a') if array else LOG_FILE}"
    at_once = f"%{options.at_once}" if options.at_once else ""
    named = {key: getattr(options, key) for key in ("partition", "account", "qos", "constraint", "reservation")}
    flags = [
        _flag("job-name", job_name(first)),
        *([f"--array=0-{len(jobs) - 1}{at_once}"] if array else []),
        "--no-requeue",
        _flag("chdir", target.folder),
        _flag("output", output),
        "--open-mode=append",
        f"--time={minutes(jobs, options)}",
        f"--signal=B:TERM@{WARNING_S}",
        *(_flag(key, value) for key, value in named.items() if value),
        f"--nodes={allocation.nodes}",
        f"--ntasks-per-node={allocation.tasks}",
        f"--cpus-per-task={allocation.cores}",
        *_memory(first, allocation, options),
        *(["--exclusive"] if options.exclusive else []),
        *([options.gpus.replace("{gpus}", str(allocation.gpus))] if allocation.gpus else []),
    ]
    return [*flags, *options.sbatch]


def minutes(jobs: Sequence[Job], options: SlurmOptions) -> int:
    """Return the time limit: that of the longest job and a margin, at most the platform's ``time_limit_s``."""
    longest_s = max(wall_time_limit_s(job) for job in jobs) + MARGIN_S
    return math.ceil(min(longest_s, options.time_limit_s or longest_s) / 60)


def _memory(job: Job, allocation: Allocation, options: SlurmOptions) -> list[str]:
    """Return the job's share of a node's memory, if the platform declares how much a node has."""
    platform = job.platform
    if options.exclusive:
        return ["--mem=0"]  # all of it
    if platform.memory_gb is None:
        return []
    share = 1.0
    if platform.cores_per_node:
        share = min(1.0, allocation.tasks * allocation.cores / platform.cores_per_node)
    return [f"--mem={math.floor(platform.memory_gb * 1e9 * share / 2**20)}M"]


def _flag(key: str, value: str) -> str:
    if _PLAIN.fullmatch(value):
        return f"--{key}={value}"
    return '--{}="{}"'.format(key, re.sub(r'(["\\])', r"\\\1", value))


def _enter_folder(jobs: Sequence[Job], targets: Mapping[str, RenderTarget]) -> list[str]:
    """Return the lines that enter the job's folder, and wait until a slow file system shows its files."""
    wait = f"for _ in {{1..{SLOW_FILES_S}}}; do [ -r {JOB_FILE} ] && break; sleep 1; cd . ; done"
    if len(jobs) == 1:
        return [f"cd -- {shlex.quote(targets[jobs[0].id].folder)} || exit {NO_FOLDER}", wait]
    folders = " ".join(shlex.quote(targets[job.id].folder) for job in jobs)
    opened = f'"$jobs/{TASK_LOG.format("$SLURM_ARRAY_TASK_ID")}"'
    return [
        f"jobs=({folders})",
        f'cd -- "${{jobs[$SLURM_ARRAY_TASK_ID]}}" || exit {NO_FOLDER}',
        # Slurm, too, writes into the moved file
        f"if [ -e {LOG_FILE} ]; then exec >>{LOG_FILE} 2>&1; else mv -- {opened} {LOG_FILE}; fi",
        wait,
    ]


def _environment(options: SlurmOptions) -> list[str]:
    """Return the lines that load modules, run the site's set-up, and set variables."""
    message = "daasbench worker: the module {} cannot be loaded; correct the option modules"
    loads = [
        f"module load {shlex.quote(name)} || {{ echo {shlex.quote(message.format(name))}; exit {NO_MODULE}; }}"
        for name in options.modules
    ]
    unset = ["unset LC_ALL TZ SLURM_TIME_FORMAT"] if options.host else []  # set if it was submitted over ssh
    return [*unset, *loads, *options.setup, *(f"export {k}={shlex.quote(v)}" for k, v in options.environment.items())]


def _worker(job: Job, target: RenderTarget, claim: str) -> list[str]:
    """Return the lines that start the worker, inside the container if the platform names one."""
    python = shlex.quote(target.python)
    worker = f'-m daasbench.worker "$PWD/{JOB_FILE}" --claim "{claim}"'
    container = containers.container_of(job.platform.options)
    if container is None:
        return [f"exec {python} {worker}"]
    folders = containers.folders_of(job, Path(target.folder).parent)
    if target.apart:
        root = str(Path(target.python).parent.parent.parent)
        folders = containers.Folders(writable=[str(Path(target.folder).parent)], readable=[root])
    trial = [target.python, *containers.trial_command(container)[1:]]
    skip = f"{python} -m daasbench.host.containers --leave-out {JOB_FILE}"
    message = f"{container.engine} starts no worker on this node; correct the option container"
    return [
        f"if {shlex.join(containers.wrapped(trial, container, folders))}; then",
        f"  exec {shlex.join(containers.wrapped([target.python], container, folders))} {worker}",
        "fi",
        f"{skip} {shlex.quote(message)}",
        f"exec {python} {worker}",
    ]
