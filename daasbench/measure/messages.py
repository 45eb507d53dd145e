"""What measuring processes are asked, and what they answer."""

from __future__ import annotations

from typing import Literal

from daasbench.model import (
    Case,
    DaskWorker,
    Machine,
    Noun,
    Outcome,
    Platform,
    Reason,
    Samples,
    Scalar,
    Verdict,
    Work,
)


class Spec(Noun, frozen=True, kw_only=True):
    """What a measuring process is told: the case, and where its inputs lie."""

    case: Case
    scratch: str
    paths: dict[str, str] = {}
    source: str | None = None
    cache_bytes: int | None = None  # last-level cache of the machine
    platform: Platform = Platform(runner="local")
    name: str = ""  # begins the names of what is started for this run elsewhere; no other run's begin so
    wall_time_limit_s: float = 3600.0  # that the case can take
    commit: str = ""
    redact: bool = False


class Made(Noun, frozen=True, kw_only=True, tag=True):
    """What the maker of the inputs answers."""

    make_s: float
    work: Work
    blocks: int
    exceeds_cache: bool | None
    expect_s: float
    bytes: int  # on disk, inputs and expectation


class Prepared(Noun, frozen=True, kw_only=True, tag=True):
    """What a contender answers when it is ready: seconds by phase, and what the oracle says of the first result."""

    phases: dict[str, float]
    verdict: Verdict
    workers: list[DaskWorker] = []
    machines: list[Machine] = []  # of the workers, if not this one
    settings: dict[str, Scalar] = {}
    files: list[str] = []  # that it loaded, where its start is what is measured
    read_bytes: int | None = None  # from storage, until then; None: this system does not tell
    major_faults: int | None = None


class Failure(Noun, frozen=True, kw_only=True, tag=True):
    """What a measuring process answers when it cannot do what it was told."""

    outcome: Outcome
    reason: Reason
    message: str
    phases: dict[str, float] = {}  # until then


class RoundResult(Noun, frozen=True, kw_only=True, tag=True):
    """What a contender answers after a turn; `verdict` is the worst of the turn."""

    samples: Samples
    verdict: Verdict | None
    peak_memory_bytes: int | None
    peak_device_bytes: int | None


Step = Literal["make", "prepare", "round", "limits"]


class Command(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """What the referee tells a process to do."""

    step: Step
    spec: Spec | None = None
    repeats: int = 0
    round: int = 0
    limit_s: float = 0.0
    origin: float | None = None  # the clock's reading (one for all processes of a machine) when what it tells began:
    # of a turn its record, of a prepare step its process
    names: list[str] = []  # of a limits step: its id, the machine's id, the time
