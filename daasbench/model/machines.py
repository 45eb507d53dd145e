"""The machine as it was observed, and its measured limits."""

from __future__ import annotations

from typing import Annotated

import msgspec

from daasbench.model.states import SCHEMA, Noun, Scalar, Written


class Machine(Noun, frozen=True, kw_only=True, tag="machine"):
    """The facts that the worker observed on its node; stored once per job and referred to by `id`."""

    id: str
    host: str
    cpu: str
    microarchitecture: str | None = None  # by archspec: zen4, icelake ...; None where it is not known
    sockets: int | None = None
    cores: int  # physical
    threads: int  # hardware threads
    usable_cores: int  # those that affinity and control group allow
    memory_bytes: int
    usable_memory_bytes: int
    last_level_cache_bytes: int | None = None
    caches: dict[str, int] = {}
    instructions: list[str] = []  # avx2, avx512f ...
    governor: str | None = None
    virtual: str | None = None  # hypervisor or container, if one was detected
    gpus: list[dict[str, Scalar]] = []
    gpu: str | None = None
    os: str = ""
    python: str = ""
    packages: dict[str, str] = {}
    environment: dict[str, str] = {}  # the variables that control threads
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
    """The limits measured on the same machine, in this job or an earlier one, for one number of threads."""

    id: str
    machine: str
    threads: int
    values: dict[str, Limit]  # triad, read, matmul_float32, matmul_float64, fft_float32
    failed: dict[str, str] = {}  # probe: why it has no value
    measured_at: str = ""
    conditions: str = ""  # hash of what can change them: processor, cores, governor, libraries, code; "": unknown
    foreign: float | None = None  # share (0-1) of the usable processors that other programs used meanwhile
    reused_from: str = ""  # run and job in which they were measured, "run/job"; "": in this job
    schema: int = SCHEMA


class LimitsRule(Written, frozen=True, kw_only=True):
    """When the limits of the machine are measured, and how long they are reused."""

    max_age_days: Annotated[float, msgspec.Meta(ge=0, description="a number of days; 0: measure in each job")] = 7.0
    measure: bool = True  # False: cases are compared with known limits only, or with none
