"""Jobs to batch scripts: exactly what would be sent. Pure."""

from __future__ import annotations

import math
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from daasbench.host import containers, launchers
from daasbench.jobs.time_limits import wall_time_limit_s
from daasbench.model import Case, Job, Noun, Planned, Request, sets_of
from daasbench.records import JOB_FILE

from .options import SlurmOptions, options_of
from .questions import submit_words

SCRIPT, NOTE = "batch.sh", "slurm.json"
TASK_LOG = "log-{}"  # of a task of an array, until it moves it into its own folder
MARGIN_S = 120.0  # for Slurm and the worker to start and to end
WARNING_S = 30  # between SIGTERM and the end of the time limit
SLOW_FILES_S = 60  # until a shared file system shows what was written elsewhere
LAUNCHER = "srun --mpi=pmi2 --overlap --kill-on-bad-exit=1 --cpu-bind=cores -N {nodes} -n {ranks} -c {threads}"
NO_FOLDER, NO_MODULE = 73, 78  # exit codes of the script, as in sysexits.h: EX_CANTCREAT, EX_CONFIG

_PLAIN = re.compile(r"[\w@%+=:,./~\[\]*&|(){}-]+")


class Shape(msgspec.Struct, frozen=True, order=True):
    """What a job asks of a cluster."""

    nodes: int
    tasks: int  # of a node
    cores: int  # of a task
    gpus: int  # of a node


class Note(Noun, frozen=True, kw_only=True):
    """What stands in a job's folder before it is submitted, so that it is found again though nobody noted its number.

    `parcels` are files that must be brought before: path there, path here.
    """

    name: str
    first: str = ""  # the folder beside it that Slurm starts in: its own, or that of the array's first job
    index: int | None = None
    parcels: dict[str, str] = {}


class RenderTarget(Noun, frozen=True, kw_only=True):
    """Where jobs lie and what runs them, as the nodes see it."""

    folder: str
    python: str
    parcels: dict[str, str] = {}
    apart: bool = False


# --- which cases become a job -----------------------------------------------------------------------------------


def shape_of(cases: Sequence[Case]) -> Shape:
    """Return the least allocation that each of the cases fits into."""
    tasks = max(-(-case.ranks // case.nodes) for case in cases)
    cores = max(launchers.cores_of(case) for case in cases)
    gpus = max(case.gpus * -(-case.ranks // case.nodes) for case in cases)  # each rank has its own
    return Shape(
        nodes=max(case.nodes for case in cases),
        tasks=tasks,
        cores=-(-cores // tasks),
        gpus=gpus,
    )


def split(job: Job) -> list[Job]:
    """Return the jobs that a platform's cases become; a comparison is never divided."""
    mode = options_of(job.platform.options).split
    groups: dict[tuple[object, ...], list[Planned]] = {}
    for planned in sets_of(job):
        shape = shape_of([one.case for one in planned])
        first = planned[0]
        key: tuple[object, ...] = (shape,)
        if mode == "process":
            key = (first.process, shape)
        elif mode == "set":
            key = (first.process, first.case.problem_id)
        groups.setdefault(key, []).extend(planned)
    return [msgspec.structs.replace(job, planned=planned) for planned in groups.values()]


# --- requests ---------------------------------------------------------------------------------------------------


def requests(jobs: Sequence[Job], places: Mapping[str, RenderTarget]) -> list[Request]:
    """Return what would be sent: one request for all jobs of a shape, as an array where they are several.

    Parameters
    ----------
    places
        Where each job lies; its last part is the name of its folder, to which the names of files are relative.
    """
    found: list[Request] = []
    of_shape: dict[Shape, list[Job]] = {}
    for job in jobs:
        of_shape.setdefault(shape_of([one.case for one in job.planned]), []).append(job)
    for shape, alike in of_shape.items():
        most = options_of(alike[0].platform.options).most_in_array
        for first in range(0, len(alike), most):
            found.append(request(alike[first : first + most], shape, places))
    return found


def request(jobs: Sequence[Job], shape: Shape, places: Mapping[str, RenderTarget]) -> Request:
    """Return the request for jobs of one shape."""
    first = jobs[0]
    place = places[first.id]
    name = job_name(first)
    array = len(jobs) > 1
    text = script(jobs, shape, places)
    files = {f"{_leaf(place)}/{SCRIPT}": text}
    for index, job in enumerate(jobs):
        there = places[job.id]
        note = Note(name=name, first=_leaf(place), index=index if array else None, parcels=there.parcels)
        files[f"{_leaf(there)}/{NOTE}"] = msgspec.json.encode(note).decode() + "\n"
        files[f"{_leaf(there)}/{JOB_FILE}"] = (
            msgspec.json.format(msgspec.json.encode(launched(job)), indent=1).decode() + "\n"
        )
    command = submit_words(f"{place.folder}/{SCRIPT}")
    return Request(runner="slurm", command=command, files=files, text=text, jobs=[job.id for job in jobs])


def _leaf(place: RenderTarget) -> str:
    return place.folder.rpartition("/")[2]


def job_name(job: Job) -> str:
    """Return what the job is called in the queue."""
    return re.sub(r"[^\w.-]", "_", f"daasbench-{job.run}-{job.id}")


def launched(job: Job) -> Job:
    """Return the job with the launcher of its ranks named: srun, where the platform names none.

    It gives all GPUs of a node to all ranks there, and each takes its own.
    """
    cases = [one.case for one in job.planned]
    if "launcher" in job.platform.options or all(case.ranks == 1 and case.nodes == 1 for case in cases):
        return job
    platform = msgspec.structs.replace(job.platform, options={**job.platform.options, "launcher": LAUNCHER})
    return msgspec.structs.replace(job, platform=platform)


# --- the batch script -------------------------------------------------------------------------------------------


def script(jobs: Sequence[Job], shape: Shape, places: Mapping[str, RenderTarget]) -> str:
    """Return the batch script of jobs of one shape."""
    first = jobs[0]
    options = options_of(first.platform.options)
    directives = "\n".join(f"#SBATCH {word}" for word in directives_of(jobs, shape, places[first.id]))
    lines = [
        f"#!/bin/bash{' -l' if options.modules else ''}",
        directives,
        *_into_folder(jobs, places),
        *_environment(options),
        *_command(first, places[first.id], "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" if len(jobs) > 1 else ""),
    ]
    return "\n".join(lines) + "\n"


def directives_of(jobs: Sequence[Job], shape: Shape, place: RenderTarget) -> list[str]:
    """Return the words that sbatch reads from the script."""
    first, array = jobs[0], len(jobs) > 1
    options = options_of(first.platform.options)
    output = place.folder.replace("%", "%%") + f"/{TASK_LOG.format('%a') if array else 'log'}"
    at_once = f"%{options.at_once}" if options.at_once else ""
    named = {key: getattr(options, key) for key in ("partition", "account", "qos", "constraint", "reservation")}
    words = [
        _flag("job-name", job_name(first)),
        *([f"--array=0-{len(jobs) - 1}{at_once}"] if array else []),
        "--no-requeue",
        _flag("chdir", place.folder),
        _flag("output", output),
        "--open-mode=append",
        f"--time={minutes(jobs, options)}",
        f"--signal=B:TERM@{WARNING_S}",
        *(_flag(key, value) for key, value in named.items() if value),
        f"--nodes={shape.nodes}",
        f"--ntasks-per-node={shape.tasks}",
        f"--cpus-per-task={shape.cores}",
        *_memory(first, shape, options),
        *(["--exclusive"] if options.exclusive else []),
        *([options.gpus.replace("{gpus}", str(shape.gpus))] if shape.gpus else []),
    ]
    return [*words, *options.sbatch]


def minutes(jobs: Sequence[Job], options: SlurmOptions) -> int:
    """Return the time limit: the worst case of the longest job and a margin, no more than the platform's cap."""
    longest = max(wall_time_limit_s(job) for job in jobs) + MARGIN_S
    return math.ceil(min(longest, options.time_limit_s or longest) / 60)


def _memory(job: Job, shape: Shape, options: SlurmOptions) -> list[str]:
    """Return the job's share of a node's memory, where the platform says how much there is."""
    platform = job.platform
    if options.exclusive:
        return ["--mem=0"]  # all of it
    if platform.memory_gb is None:
        return []
    share = 1.0
    if platform.cores_per_node:
        share = min(1.0, shape.tasks * shape.cores / platform.cores_per_node)
    return [f"--mem={math.floor(platform.memory_gb * 1e9 * share / 2**20)}M"]


def _flag(key: str, value: str) -> str:
    if _PLAIN.fullmatch(value):
        return f"--{key}={value}"
    return '--{}="{}"'.format(key, re.sub(r'(["\\])', r"\\\1", value))


def _into_folder(jobs: Sequence[Job], places: Mapping[str, RenderTarget]) -> list[str]:
    """Return the lines that find the job's folder, and wait until a slow file system shows it."""
    wait = f"for _ in {{1..{SLOW_FILES_S}}}; do [ -r {JOB_FILE} ] && break; sleep 1; cd . ; done"
    if len(jobs) == 1:
        return [f"cd -- {shlex.quote(places[jobs[0].id].folder)} || exit {NO_FOLDER}", wait]
    folders = " ".join(shlex.quote(places[job.id].folder) for job in jobs)
    opened = f'"$jobs/{TASK_LOG.format("$SLURM_ARRAY_TASK_ID")}"'
    return [
        f"jobs=({folders})",
        f'cd -- "${{jobs[$SLURM_ARRAY_TASK_ID]}}" || exit {NO_FOLDER}',
        f"if [ -e log ]; then exec >>log 2>&1; else mv -- {opened} log; fi",  # where Slurm writes, too
        wait,
    ]


def _environment(options: SlurmOptions) -> list[str]:
    """Return the lines that load modules, run the site's set-up, and set variables."""
    message = "daasbench worker: the module {} cannot be loaded; correct the option modules"
    loads = [
        f"module load {shlex.quote(name)} || {{ echo {shlex.quote(message.format(name))}; exit {NO_MODULE}; }}"
        for name in options.modules
    ]
    unset = ["unset LC_ALL TZ SLURM_TIME_FORMAT"] if options.host else []  # with which it was submitted over ssh
    return [*unset, *loads, *options.setup, *(f"export {k}={shlex.quote(v)}" for k, v in options.environment.items())]


def _command(job: Job, place: RenderTarget, claim: str) -> list[str]:
    """Return the lines that start the worker, inside of the container if the platform names one."""
    python = shlex.quote(place.python)
    worker = f'-m daasbench.worker "$PWD/{JOB_FILE}" --claim "{claim or "$SLURM_JOB_ID"}"'
    inside = containers.container_of(job.platform.options)
    if inside is None:
        return [f"exec {python} {worker}"]
    folders = containers.folders_of(job, Path(place.folder).parent)
    if place.apart:
        root = str(Path(place.python).parent.parent.parent)
        folders = containers.Folders(writable=[str(Path(place.folder).parent)], readable=[root])
    trial = [place.python, *containers.trial_command(inside)[1:]]
    left = f"{python} -m daasbench.host.containers --leave-out {JOB_FILE}"
    message = f"{inside.engine} starts no worker on this node; correct the option container"
    return [
        f"if {shlex.join(containers.wrapped(trial, inside, folders))}; then",
        f"  exec {shlex.join(containers.wrapped([place.python], inside, folders))} {worker}",
        "fi",
        f"{left} {shlex.quote(message)}",
        f"exec {python} {worker}",
    ]


def local_place(folder: Path, options: SlurmOptions) -> RenderTarget:
    """Return the place of a job whose folder is seen by the nodes at the same path."""
    return RenderTarget(folder=str(folder.absolute()), python=options.python or sys.executable)


__all__ = [
    "NOTE",
    "SCRIPT",
    "Note",
    "RenderTarget",
    "Shape",
    "job_name",
    "local_place",
    "requests",
    "shape_of",
    "split",
]
