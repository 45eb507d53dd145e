"""The nouns: frozen, keyword-only, no I/O (docs/reference/glossary.md).

Everything that is written to a file has its shape here. ``SCHEMA`` is the version of the lines of a
``records.jsonl``; a frozen sample of every version lies in ``tests/data/``.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from daasbench.observations import (
    SCHEMA,
    DaskWorker,
    Footing,
    Limit,
    Limits,
    Machine,
    Samples,
    Verdict,
    Work,
)
from daasbench.words import Basis, Count, JobState, Noun, Option, Outcome, Reason, Scalar, Seconds, Written, digest


class Price(Written, frozen=True, kw_only=True):
    """What a resource costs; `amount` is a decimal written as text, so that no cent is rounded."""

    amount: Annotated[str, msgspec.Meta(pattern=r"^\d{1,9}(\.\d{1,9})?$", description='a number in quotes: "1.85"')]
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$", description='three capital letters: "EUR"')]
    per: Literal["node-hour", "core-hour", "gpu-hour"]
    date: Annotated[datetime.date, msgspec.Meta(description="a date such as 2026-11-01")]
    source: Annotated[str, msgspec.Meta(pattern=r"\S", description="where the price comes from, in words")]
    basis: Literal["list", "ratio", "estimate", "quote"] = "quote"


class Platform(Written, frozen=True, kw_only=True):
    """A place to run, as declared."""

    runner: str
    nodes: Count = 1
    cores_per_node: Count | None = None  # None: as observed
    gpus_per_node: Annotated[int, msgspec.Meta(ge=0)] | None = None
    memory_gb: Annotated[float, msgspec.Meta(gt=0)] | None = None
    price: Price | None = None
    options: dict[str, Option] = {}
    description: str = ""


class Goal(Written, frozen=True, kw_only=True):
    """What the answer is judged by."""

    deadline_s: Seconds | None = None
    datasets_per_year: Annotated[float, msgspec.Meta(gt=0)] | None = None
    dataset_gb: Annotated[float, msgspec.Meta(ge=0)] | None = None
    results_gb: Annotated[float, msgspec.Meta(ge=0)] | None = None


class Beamline(Written, frozen=True, kw_only=True):
    """What produces the data: the rate that an analysis has to keep up with."""

    name: Annotated[str, msgspec.Meta(pattern=r"\S", description='the name of a beamline: "ID11"')]
    unit: Annotated[str, msgspec.Meta(pattern=r"\S", description='the unit of work of the kernel: "frame"')]
    units_per_s: Annotated[float, msgspec.Meta(gt=0, description="how many units come every second, more than 0")]
    source: Annotated[str, msgspec.Meta(pattern=r"\S", description="where the rate comes from, in words")]
    date: Annotated[datetime.date, msgspec.Meta(description="a date such as 2026-11-01: as of when the rate holds")]
    detector: str = ""
    unit_bytes: Annotated[float, msgspec.Meta(gt=0)] | None = None  # of one unit in memory, to be compared with
    dataset_units: Annotated[float, msgspec.Meta(gt=0)] | None = None  # of one data set


class Repeat(Written, frozen=True, kw_only=True):
    """When the repeats of a case stop; not part of a case's identity."""

    processes: Count = 3
    min_repeats: Count = 5
    interval: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.02  # relative half-width of the 95 % interval
    limit_s: Seconds = 600.0  # per case and process
    max_repeats: Count = 10_000

    @property
    def hard_limit_s(self) -> float:
        """Return when a process that has not come back is ended: a quarter and a second after its limit."""
        return 1.25 * self.limit_s + 1.0


Start = Literal["warm", "uncompiled", "cold", "first"]
"""Files in memory or not, code compiled before or not; ``first`` is cold and uncompiled (:mod:`daasbench.starts`)."""


class Case(Noun, frozen=True, kw_only=True):
    """One cell of a table. `size` and `seed` are None where an input file is measured."""

    kernel: str
    implementation: str
    version: str
    size: str | None = None
    seed: int | None = None
    input: str | None = None  # as written, for people
    files: dict[str, str] = {}  # option: file name, for people
    input_hash: str | None = None  # of the content of the input and of the files named in options
    options: dict[str, Scalar] = {}  # those that are not files and not at their default
    cache: bool = False  # the case measures the cache: one input block
    nodes: int = 1
    ranks: int = 1
    threads: int = 1
    gpus: int = 0  # of each rank
    start: Start | None = None  # in which state its processes start; None: as it comes
    grown: int = 1  # how many times as large as its size the problem is, along the kernel's own axis

    @property
    def id(self) -> str:
        """Return the content hash of the case: 16 hexadecimal digits; names of files do not count."""
        named = msgspec.structs.replace(self, input=None, files={})
        facts = {key: getattr(named, key) for key in Case.__struct_fields__}
        # without what is at its default, so that a field that is added later changes no id
        return digest({key: value for key, value in facts.items() if value != getattr(_BLANK, key)})

    @property
    def problem_id(self) -> str:
        """Return the hash of what is computed, and from which start: equal for all contenders of one comparison."""
        what = [self.kernel, self.size, self.seed, self.input_hash, self.options, self.cache, self.nodes]
        what += [self.start] if self.start else []
        what += [{"grown": self.grown}] if self.grown > 1 else []
        return digest(what)


_BLANK = Case(kernel="", implementation="", version="")


class Record(Noun, frozen=True, kw_only=True, tag="record", omit_defaults=True):
    """One attempt at one case by one process. Written once, never edited."""

    key: str  # resume key
    run: str
    job: str
    platform: str
    process: int  # index of the set of processes, from 0
    attempt: int = 1
    case: Case
    peer: bool | None = None  # whether the implementation is another project's package; None: not known
    outcome: Outcome
    reason: Reason | None = None
    message: str = ""
    verified_by: str | None = None
    error: float | None = None
    tolerance: float | None = None
    samples: Samples | None = None
    phases: dict[str, float] = {}  # seconds: make, and those of a process until its first result (phases.py)
    footing: Footing | None = None  # of a case that says in which state its processes start
    stop_reason: str | None = None
    work: Work | None = None
    blocks: int | None = None  # input blocks that the repeats rotate over
    exceeds_cache: bool | None = None  # whether the blocks exceed the last-level cache four times
    order: str | None = None  # interleaved, blocks or serial: how contenders took turns
    beside: list[str] = []  # platforms that took turns with this one, a set of processes each, in random order
    cores_used: float | None = None  # processor seconds per second, observed
    threads_seen: int | None = None  # native threads that did work, observed
    cpus: list[int] = []  # processors it was allowed to run on, observed
    workers: list[DaskWorker] = []
    settings: dict[str, Scalar] = {}  # of Dask, as far as they change what is measured
    peak_memory_bytes: int | None = None
    peak_device_bytes: int | None = None
    energy_j: float | None = None  # a repeat: mean over the samples that count
    energy_basis: str = "none"  # measured, modelled or none
    basis: Basis = Basis.MEASURED
    started_at: str = ""  # UTC, ISO 8601
    machine: str | None = None  # id of a Machine line in the same file
    limits: str | None = None  # id of a Limits line in the same file
    commit: str = ""
    schema: int  # SCHEMA; required, so that it is always written


class Turn(Noun, frozen=True, kw_only=True, tag="turn"):
    """The samples of one turn, written at once so that a kill loses no sample; merged into its record."""

    key: str
    process: int
    attempt: int
    case: Case
    started_at: str
    samples: Samples


Line = Record | Turn | Machine | Limits


class JobStatus(Noun, frozen=True, kw_only=True):
    """What a runner says of a job now."""

    state: JobState
    native: str = ""  # the runner's own word, verbatim
    message: str = ""  # of one that waits: why; of one that ended badly: what happened, and the cure
    reason: Reason | None = None
    queued_at: str | None = None  # UTC, ISO 8601
    started_at: str | None = None
    ended_at: str | None = None
    nodes: int | None = None
    hosts: str = ""
    exit: int | None = None
    bytes_in: int = 0  # copied to the place
    bytes_out: int = 0  # copied from it

    @property
    def ended(self) -> bool:
        """Return whether nothing more will come."""
        return self.state not in (JobState.PENDING, JobState.RUNNING)


class Planned(Noun, frozen=True, kw_only=True):
    """A case that a job shall measure in one set of processes."""

    key: str
    case: Case
    process: int
    attempt: int = 1
    skip: str | None = None  # why this place cannot do it, with the cure


class Job(Noun, frozen=True, kw_only=True):
    """Cases that share one allocation on one platform: what goes into a node (``job.json``)."""

    id: str
    run: str
    platform_name: str
    platform: Platform
    planned: list[Planned]
    repeat: Repeat
    commit: str
    beside: list[str] = []  # platforms that take turns with this one: each set of processes visits all
    sources: dict[str, str] = {}  # kernel name: path of the user's Python file
    inputs: dict[str, dict[str, str]] = {}  # input hash: path on the node of "input" and of each file option
    order_seed: int = 0
    redact: bool = False
    suite: str = ""  # names the code that planned it (daasbench.fingerprint); where it may run elsewhere or later
    schema: int = SCHEMA


class Request(Noun, frozen=True, kw_only=True):
    """Exactly what a runner would send; what ``--dry-run`` prints."""

    runner: str
    command: list[str]
    environment: dict[str, str] = {}
    files: dict[str, str] = {}  # path, relative to the job's folder (of a queue: to that of the run's jobs): text
    text: str = ""  # for people
    jobs: list[str] = []  # of a queue: the jobs that it carries


class JobRecord(Noun, frozen=True, kw_only=True):
    """The errand around the records of a job."""

    job: str
    platform: str
    handle: str = ""
    submitted_at: str | None = None
    queued_at: str | None = None
    started_at: str | None = None  # by the runner's clock; `began_at` by the node's
    ended_at: str | None = None
    began_at: str | None = None  # when the worker on the node took the job
    left_at: str | None = None  # and when it ended
    followed_since: str | None = None  # since when the controller that accounted for it was there, by its clock
    nodes: int = 1
    hosts: str = ""
    state: str = ""
    native: str = ""
    exit: int | None = None
    billed_s: float | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    message: str = ""


class Event(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a run's journal: written and flushed before the world is touched, and after."""

    at: str
    event: str  # created, planned, submitting, submitted, ended, accounted, interrupted, finished
    job: str | None = None
    detail: dict[str, Scalar | None] = {}


def sets_of(job: Job) -> Iterator[list[Planned]]:
    """Yield the sets of a job in its order: the contenders of one comparison in one set of processes."""
    sets: dict[tuple[int, str], list[Planned]] = {}
    for one in job.planned:
        sets.setdefault((one.process, one.case.problem_id), []).append(one)
    yield from sets.values()


__all__ = [
    "SCHEMA",
    "Basis",
    "Beamline",
    "Case",
    "DaskWorker",
    "Count",
    "Event",
    "Footing",
    "Goal",
    "Job",
    "JobRecord",
    "JobState",
    "JobStatus",
    "Limit",
    "Limits",
    "Line",
    "Machine",
    "Noun",
    "Option",
    "Outcome",
    "Planned",
    "Platform",
    "Price",
    "Reason",
    "Record",
    "Repeat",
    "Request",
    "Samples",
    "Scalar",
    "Seconds",
    "Start",
    "Turn",
    "Verdict",
    "Work",
    "Written",
    "digest",
    "sets_of",
]
