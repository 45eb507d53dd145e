"""What is observed: of a problem, of a process, of a machine. No I/O; the nouns around them are in `model`."""

from __future__ import annotations

from typing import Literal

import msgspec

from daasbench.words import Noun, Scalar

SCHEMA = 1


class Work(Noun, frozen=True, kw_only=True):
    """The least work of one repeat, counted from the problem and not from any implementation.

    `input_bytes` and `output_bytes` are the sizes in memory of one block and of its result; `bytes` is the
    least traffic to memory; `messages_bytes` what each rank must send.
    """

    unit: str
    units: float  # of scientific work in one repeat
    flop: float = 0.0
    bytes: float = 0.0
    messages_bytes: float = 0.0
    input_bytes: float = 0.0
    output_bytes: float = 0.0
    shared_bytes: float = 0.0  # inputs that all blocks share: maps, angles
    flop_type: Literal["float32", "float64"] = "float32"

    def __post_init__(self) -> None:
        """Keep plain numbers: a kernel may count with numpy's, which no file can hold."""
        for name in ("units", "flop", "bytes", "messages_bytes", "input_bytes", "output_bytes", "shared_bytes"):
            msgspec.structs.force_setattr(self, name, float(getattr(self, name)))


class Samples(Noun, frozen=True, kw_only=True):
    """The raw samples of one attempt, column by column, in the order in which they were taken."""

    seconds: list[float] = []
    flags: list[int] = []  # 0 counts; 1 warm-up; 2 disturbed (its turn was repeated)
    cpu_s: list[float] = []  # processor time of the contender
    foreign: list[float] = []  # everybody else's share (0-1) of the usable processors during the turn
    get_s: list[float] = []
    block: list[int] = []
    turn: list[int] = []
    at_s: list[float] = []  # from the record's `started_at`
    energy_j: list[float] = []  # of the processor packages during the sample; empty where no counter is
    mpi_s: list[float] = []  # within calls to MPI, waiting included, mean over the ranks; empty without MPI
    mpi_least_s: list[float] = []  # of the rank that spent least there
    mpi_most_s: list[float] = []
    mpi_calls: list[int] = []  # of the rank with most; those through mpi4py are seen
    mpi_timer_s: list[float] = []  # what it took that rank to time them

    def counted(self) -> list[float]:
        """Return the seconds of the samples that count: no warm-ups, no disturbed turns."""
        return [s for s, flag in zip(self.seconds, self.flags, strict=True) if flag == 0]


class Verdict(Noun, frozen=True, kw_only=True):
    """What an oracle says of one result: wrong unless ``error <= tolerance`` (so NaN is wrong).

    JSON knows no NaN and no infinity: on its way between processes such an error becomes None, which is wrong.
    """

    error: float | None
    tolerance: float
    verified_by: Literal["truth", "oracle", "peer", "agreement"]
    message: str = ""

    @property
    def ok(self) -> bool:
        """Return whether the result is right."""
        return self.error is not None and self.error <= self.tolerance


class Footing(Noun, frozen=True, kw_only=True):
    """In which state a process started, as it was made and as it was observed."""

    way: str  # how files were put out of memory; "" where they were left there
    files: int  # that an earlier start of the same case used: inputs, libraries, compiled code
    memory_bytes: int  # of them in the file cache before
    left_bytes: int  # and when the process started
    came_bytes: int  # of them that came into the file cache during the start
    read_bytes: int  # that the process had the file system read from storage
    major_faults: int  # page faults that waited for storage
    compiled_before: int  # files of compiled code when the process started
    compiled_after: int
    foreign: float = 0.0  # everybody else's share (0-1) of the usable processors meanwhile


class DaskWorker(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """One of the Dask workers that computed a case, as it was observed."""

    address: str
    host: str
    cpus: list[int]  # processors that it may run on
    threads: int  # that it computes with
    slots: int = 1  # tasks that it takes at a time: an implementation gives it one
    memory_limit_bytes: int | None = None  # above which Dask spills, pauses or ends it
    job: str = ""  # its number at the scheduler of the site


class Machine(Noun, frozen=True, kw_only=True, tag="machine"):
    """What the worker observed where it ran; stored once a job and referred to by `id`."""

    id: str
    host: str
    cpu: str
    sockets: int | None = None
    cores: int  # physical
    threads: int  # hardware threads
    usable_cores: int  # what affinity and cgroup leave
    memory_bytes: int
    usable_memory_bytes: int
    last_level_cache_bytes: int | None = None
    caches: dict[str, int] = {}
    instructions: list[str] = []  # avx2, avx512f ...
    governor: str | None = None
    virtual: str | None = None  # hypervisor or container, as far as it is seen
    gpus: list[dict[str, Scalar]] = []
    gpu: str | None = None
    os: str = ""
    python: str = ""
    packages: dict[str, str] = {}
    environment: dict[str, str] = {}  # the variables that steer threads
    commit: str = ""
    observed_at: str = ""
    schema: int = SCHEMA


class Limit(Noun, frozen=True, kw_only=True):
    """One limit of a machine: the best of several repeats and their spread."""

    value: float
    unit: str  # B/s, flop/s, or s of a latency
    low: float
    high: float
    repeats: int


class Limits(Noun, frozen=True, kw_only=True, tag="limits"):
    """The limits measured on the same node in the same job, for one number of threads."""

    id: str
    machine: str
    threads: int
    values: dict[str, Limit]  # triad, read, matmul_float32, matmul_float64, fft_float32
    failed: dict[str, str] = {}  # probe: why it has no value
    measured_at: str = ""
    schema: int = SCHEMA
