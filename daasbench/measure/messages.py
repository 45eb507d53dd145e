"""The commands to measuring processes, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
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
    """The description of a case that a measuring process receives: the case, and where its inputs are."""

    case: Case
    scratch: str
    paths: dict[str, str] = {}
    source: str | None = None
    cache_bytes: int | None = None  # last-level cache of the machine
    platform: Platform = Platform(runner="local")
    name: str = ""  # prefix of the names of Dask workers' jobs; unique to this run
    wall_time_limit_s: float = 3600.0  # most that the case can take
    commit: str = ""
    redact: bool = False


class Made(Noun, frozen=True, kw_only=True, tag=True):
    """The answer of the input process."""

    make_s: float
    work: Work
    blocks: int
    exceeds_cache: bool | None
    expect_s: float
    bytes: int  # on disk, inputs and expectation


class Prepared(Noun, frozen=True, kw_only=True, tag=True):
    """The answer of a process that is ready: seconds by phase, and the verdict on the first result."""

    phases: dict[str, float]
    verdict: Verdict
    workers: list[DaskWorker] = []
    machines: list[Machine] = []  # of the workers, if they run on other machines
    settings: dict[str, Scalar] = {}
    files: list[str] = []  # that it loaded, if its start is measured
    read_bytes: int | None = None  # from storage, until then; None: this system does not say
    major_faults: int | None = None


class Failure(Noun, frozen=True, kw_only=True, tag=True):
    """The answer of a process that cannot execute a command."""

    outcome: Outcome
    reason: Reason
    message: str
    phases: dict[str, float] = {}  # until then


class RoundResult(Noun, frozen=True, kw_only=True, tag=True):
    """The answer after a round; `verdict` is the worst of the round."""

    samples: Samples
    verdict: Verdict | None
    peak_memory_bytes: int | None
    peak_device_bytes: int | None
    threads_left: int = 0  # that the repeats left behind, if each of them left some


Step = Literal["make", "prepare", "round", "limits"]
TASKS: Mapping[Step, str] = {  # what a process did not do, in messages on time limits
    "make": "make its inputs",
    "prepare": "compute its first result",
    "round": "finish its repeats",
    "limits": "measure the limits of the machine",
}


class Command(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """A command of the worker to a process."""

    step: Step
    spec: Spec | None = None
    repeats: int = 0
    round: int = 0
    limit_s: float = 0.0
    # the reading of the clock (one for all processes of a machine) at the start of the record (step round) or of the
    # process (step prepare)
    origin: float | None = None
    names: list[str] = []  # of a limits step: its id, the machine's id, the time
