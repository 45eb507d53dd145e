"""The record of one attempt at one case, and its parts: minimum work, samples, verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from daasbench.model.cases import Case
from daasbench.model.machines import Limits, Machine
from daasbench.model.states import Basis, Noun, Outcome, Reason, Scalar


class Work(Noun, frozen=True, kw_only=True):
    """The minimum work of one repeat, counted from the problem and not from any implementation.

    `input_bytes` and `output_bytes` are the sizes in memory of one block and of its result; `bytes` is the
    minimum traffic to memory; `messages_bytes` is the minimum that each rank sends.
    """

    unit: str
    units: float  # of scientific work in one repeat
    flop: float = 0.0
    bytes: float = 0.0
    messages_bytes: float = 0.0
    input_bytes: float = 0.0
    output_bytes: float = 0.0
    shared_bytes: float = 0.0  # of inputs that all blocks share: maps, angles
    flop_type: Literal["float32", "float64"] = "float32"
    unit_size: str = ""  # of one unit: "2167 x 2070 pixels"; filled in when it is measured, if the kernel gives none

    def __post_init__(self) -> None:
        """Convert to plain numbers: a kernel may count with numpy numbers, which JSON cannot hold."""
        for name in ("units", "flop", "bytes", "messages_bytes", "input_bytes", "output_bytes", "shared_bytes"):
            msgspec.structs.force_setattr(self, name, float(getattr(self, name)))


class Samples(Noun, frozen=True, kw_only=True):
    """The raw samples of one attempt, column by column, in the order in which they were taken."""

    seconds: list[float] = []
    flags: list[int] = []  # 0 counts; 1 warm-up; 2 disturbed (its round was repeated)
    cpu_s: list[float] = []  # processor time of the measuring process
    foreign: list[float] = []  # share (0-1) of the usable processors that other programs used during the round
    get_s: list[float] = []
    block: list[int] = []
    round: list[int] = []
    at_s: list[float] = []  # from the record's `started_at`
    energy_j: list[float] = []  # of the processor packages during the sample; empty without a counter
    mpi_s: list[float] = []  # within calls to MPI, waiting included, mean over the ranks; empty without MPI
    mpi_least_s: list[float] = []  # of the rank with the least time in MPI
    mpi_most_s: list[float] = []
    mpi_calls: list[int] = []  # of the rank with the most; only calls through mpi4py are counted
    mpi_timer_s: list[float] = []  # time that this rank needed for the timing

    @classmethod
    def concatenate(cls, parts: Iterable[Samples]) -> Samples:
        """Return the samples of several rounds, one round after the other."""
        rounds = list(parts)
        columns = {name: [value for part in rounds for value in getattr(part, name)] for name in cls.__struct_fields__}
        return cls(**columns)

    def counted(self) -> list[float]:
        """Return the seconds of the samples that count: no warm-ups, no disturbed rounds."""
        return [s for s, flag in zip(self.seconds, self.flags, strict=True) if flag == 0]


class Verdict(Noun, frozen=True, kw_only=True):
    """The judgement of an oracle on one result: wrong unless ``error <= tolerance`` (so NaN is wrong).

    JSON has no NaN and no infinity: between processes such an error becomes None, which is wrong.
    """

    error: float | None
    tolerance: float
    verified_by: Literal["truth", "oracle", "peer", "agreement"]
    message: str = ""

    @property
    def ok(self) -> bool:
        """Return whether the result is correct."""
        return self.error is not None and self.error <= self.tolerance


class StartEvidence(Noun, frozen=True, kw_only=True):
    """The state in which a process started: as it was prepared and as it was observed."""

    evicted_by: str  # how files were evicted from memory; "" if they were not
    files: int  # used by an earlier start of the same case: inputs, libraries, compiled code
    memory_bytes: int  # of these files in the page cache before the eviction
    left_bytes: int  # and when the process started
    came_bytes: int  # of these files loaded into the page cache during the start
    read_bytes: int  # read from storage for the process
    major_faults: int  # page faults that waited for storage
    compiled_before: int  # files of compiled code when the process started
    compiled_after: int
    foreign: float = 0.0  # share (0-1) of the usable processors that other programs used meanwhile


class DaskWorker(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A Dask worker that computed a case, as observed."""

    address: str
    host: str
    cpus: list[int]  # processors that it may run on
    threads: int  # with which it computes
    slots: int = 1  # tasks that it runs at a time: an implementation gives it one task
    memory_limit_bytes: int | None = None  # above it Dask spills, pauses or ends the worker
    job: str = ""  # its number in the scheduler of the site


class Record(Noun, frozen=True, kw_only=True, tag="record", omit_defaults=True):
    """One attempt at one case by one process. Written once, never edited."""

    key: str  # resume key
    run: str
    job: str
    platform: str
    process: int  # index of the set of processes, from 0
    attempt: int = 1
    case: Case
    peer: bool | None = None  # whether the implementation is another project's package; None: unknown
    outcome: Outcome
    reason: Reason | None = None
    message: str = ""
    verified_by: str | None = None
    error: float | None = None
    tolerance: float | None = None
    samples: Samples | None = None
    phases: dict[str, float] = {}  # seconds: make, and the phases of a process until its first result
    start_evidence: StartEvidence | None = None  # of a case whose start state is controlled
    stop_reason: str | None = None
    work: Work | None = None
    blocks: int | None = None  # input blocks that the repeats rotate over
    exceeds_cache: bool | None = None  # whether the blocks exceed the last-level cache four times
    order: str | None = None  # interleaved, blocks or serial: how rounds alternated
    interleaved_with: list[str] = []  # platforms whose sets of processes alternated with this one's, in random order
    cores_used: float | None = None  # processor seconds per second, observed
    threads_seen: int | None = None  # native threads that computed, observed
    cpus: list[int] = []  # processors that it was allowed to use, observed
    workers: list[DaskWorker] = []
    settings: dict[str, Scalar] = {}  # of Dask, those that affect the measurement
    peak_memory_bytes: int | None = None
    peak_device_bytes: int | None = None
    energy_j: float | None = None  # per repeat: mean over the samples that count
    energy_basis: str = "none"  # measured, modelled or none
    basis: Basis = Basis.MEASURED
    started_at: str = ""  # UTC, ISO 8601
    machine: str | None = None  # id of a Machine line in the same file
    limits: str | None = None  # id of a Limits line in the same file
    commit: str = ""
    schema: int  # SCHEMA; required, so that it is always written


class Round(Noun, frozen=True, kw_only=True, tag="round"):
    """The samples of one round, written when it ends so that a kill loses none; joined in the record."""

    key: str
    process: int
    attempt: int
    case: Case
    started_at: str
    samples: Samples


Line = Record | Round | Machine | Limits
