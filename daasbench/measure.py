"""What measuring processes are told and answer; the inputs they share; what a failure means.

The only broad ``except`` of the suite stands here, because here a failure is a result. What a contender does
stands in :mod:`daasbench.session`.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from daasbench import machine, registry
from daasbench.backends import SPREAD
from daasbench.contracts import Kernel, Options
from daasbench.errors import DaasbenchError, Lacking, LedgerError, NoRoom, SubmitError, Unfinished, Unreachable
from daasbench.growth import grown_parameters
from daasbench.model import (
    Case,
    DaskWorker,
    Limits,
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

log = logging.getLogger(__name__)

MOST_BLOCKS = 512  # of inputs so small that many more would be needed to leave the cache


class Spec(Noun, frozen=True, kw_only=True):
    """What a measuring process is told: the case, and where its inputs lie."""

    case: Case
    scratch: str
    paths: dict[str, str] = {}
    source: str | None = None
    cache_bytes: int | None = None  # last-level cache of the machine
    platform: Platform = Platform(runner="local")
    name: str = ""  # begins the names of what is started for this run elsewhere; no other run's begin so
    longest_s: float = 3600.0  # that the case can take
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


class Turned(Noun, frozen=True, kw_only=True, tag=True):
    """What a contender answers after a turn; `verdict` is the worst of the turn."""

    samples: Samples
    verdict: Verdict | None
    peak_memory_bytes: int | None
    peak_device_bytes: int | None


def make_inputs(spec: Spec) -> Made:
    """Make or read the inputs of a comparison, and what its oracle needs; leave both in the scratch folder."""
    from daasbench import scratch

    kernel = find_kernel(spec.case, spec.source)
    options = case_options(kernel, spec.case, spec.paths)
    file = Path(spec.paths["input"]) if "input" in spec.paths else None
    case = spec.case
    parameters = kernel.survey(file, options) if file else grown_parameters(kernel, case.size or "", case.grown)

    def make(blocks: int) -> Any:
        if file:
            return kernel.read(file, parameters, options, blocks)
        return kernel.make(parameters, options, case.seed or 0, blocks)

    work = kernel.work(parameters, options)
    blocks, exceeds = block_count(case, work.input_bytes, spec.cache_bytes)
    _check_room(spec, work, blocks)
    started = time.perf_counter()
    problem = make(blocks)
    own_work = getattr(problem, "work", None)
    if isinstance(own_work, Work):  # a kernel that knows its inputs only when they are made
        work, made = own_work, blocks
        blocks, exceeds = block_count(case, work.input_bytes, spec.cache_bytes)
        _check_room(spec, work, blocks)
        if blocks != made:
            problem = make(blocks)
    make_s = time.perf_counter() - started
    started = time.perf_counter()
    expectation = kernel.expect(problem, options)
    expect_s = time.perf_counter() - started
    try:
        size = scratch.save(Path(spec.scratch), (problem, expectation))
        if case.start and not file:
            size += scratch.save(inputs_alone(spec), problem)
    except OSError as error:  # the disk's fault, not the kernel's
        told = f"{spec.scratch}: the inputs cannot be written: {error.strerror or error}; free some space"
        raise LedgerError(f"{told} and run the same command again") from error
    return Made(make_s=make_s, work=work, blocks=blocks, exceeds_cache=exceeds, expect_s=expect_s, bytes=size)


def inputs_alone(spec: Spec) -> Path:
    """Return where the inputs lie without what the oracle needs: what a start reads, as a user's file is read."""
    return Path(spec.scratch) / "inputs"


def _check_room(spec: Spec, work: Work, blocks: int) -> None:
    """Raise Lacking if the inputs fit neither into memory nor on the disk that hands them over."""
    needed = blocks * work.input_bytes + work.shared_bytes
    usable = machine.usable_memory_bytes()
    if needed > usable:
        told = f"the inputs take {needed / 2**30:.1f} GiB of memory, {usable / 2**30:.1f} GiB are usable here"
        raise Lacking(told, "choose a smaller size or a larger machine")
    place = next(folder for folder in Path(spec.scratch).resolve().parents if folder.is_dir())
    free = shutil.disk_usage(place).free
    if needed > free:
        told = f"the inputs take {needed / 2**30:.1f} GiB of disk, {free / 2**30:.1f} GiB are free in {place}"
        raise Lacking(told, "free some space, or choose another folder with --results")


def block_count(case: Case, input_bytes: float, cache_bytes: int | None) -> tuple[int, bool | None]:
    """Return how many input blocks the repeats rotate over, and whether they exceed the cache four times.

    Where the start of a process is measured there is one: what it reads, and makes a first result of.
    """
    if case.cache or case.start or case.size == "tiny" or not input_bytes or not cache_bytes:
        return 1, None if not (input_bytes and cache_bytes) else input_bytes >= 4 * cache_bytes
    needed = max(1, -int(-4 * cache_bytes // input_bytes))
    return min(needed, MOST_BLOCKS), needed <= MOST_BLOCKS


def predicted_bytes(kernel: Kernel, case: Case, work: Work, cache_bytes: int | None) -> float:
    """Return the memory that one contender will need, from the kernel's byte count (0: unknown).

    Ranks and workers hold their parts of the blocks, and each the shared inputs; results are gathered: one of
    them twice. The client of a Dask cluster maps the inputs from the scratch files, as ranks do.
    """
    if not work.input_bytes:
        return 0.0
    blocks, _ = block_count(case, work.input_bytes, cache_bytes)
    way = kernel.implementations[case.implementation]
    kept = work.output_bytes if kernel.repeat_tolerance is not None else 0.0
    one = work.input_bytes + work.output_bytes
    computing = case.ranks if way.backend in SPREAD else 1
    gathered = 2.0 * work.output_bytes if way.backend in SPREAD else 0.0
    held = blocks * (work.input_bytes + kept) + computing * work.shared_bytes + gathered
    return held + (1.0 + way.memory_factor) * one


def measure_limits(threads: int, limits_id: str, machine_id: str, measured_at: str) -> Limits:
    """Return the machine's limits for `threads` threads, by the `probes` kernel."""
    probes: Any = registry.kernel("probes")
    values, failed = probes.measure_limits(threads)
    return Limits(
        id=limits_id, machine=machine_id, threads=threads, values=values, failed=failed, measured_at=measured_at
    )


def find_kernel(case: Case, source: str | None) -> Kernel:
    """Return the kernel of a case: an installed one, or that of the user's file `source`."""
    if source is None:
        return registry.kernel(case.kernel)
    kernel = registry.kernel_from_file(Path(f"{source}:{case.kernel}"))
    if registry.version_of(kernel.implementations[case.implementation], Path(source)) != case.version:
        raise Unfinished(f"{source}: was changed since this run was planned; run the same command again")
    return kernel


def case_options(kernel: Kernel, case: Case, paths: dict[str, str]) -> Options:
    """Return the kernel's options of a case, those that name files among them."""
    files = {key: path for key, path in paths.items() if key != "input"}
    return msgspec.convert({**case.options, **files}, kernel.options)


def worse(one: Verdict, other: Verdict) -> Verdict:
    """Return the verdict that is further from right; one that is not ok is worse than one that is."""
    return other if _distance(other) > _distance(one) else one


def _distance(verdict: Verdict) -> tuple[bool, float]:
    error = verdict.error
    return not verdict.ok, math.inf if error is None or math.isnan(error) else error


CLASSES = {NoRoom: Reason.CAPACITY, SubmitError: Reason.SCHEDULER, Unreachable: Reason.SCHEDULER}


def failure_of(error: BaseException) -> Failure:
    """Return what a failed step means: skipped with its cure, or failed with its sentence."""
    if isinstance(error, Lacking):
        return Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=str(error))
    if isinstance(error, MemoryError):
        told = f"out of memory: {error}" if str(error) else "out of memory"
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=told)
    if isinstance(error, Unfinished):
        reason = next((one for kind, one in CLASSES.items() if isinstance(error, kind)), Reason.INTERRUPTED)
        return Failure(outcome=Outcome.FAILED, reason=reason, message=str(error))
    if isinstance(error, DaasbenchError):
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=str(error))
    told = f"{type(error).__name__}: {error}".strip().rstrip(":")
    return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=told)


Step = Literal["make", "prepare", "turn", "limits"]


def guarded(step: Callable[[], Any]) -> Any:
    """Return what `step` returns, or the Failure that its exception means."""
    try:
        return step()
    except Exception as error:
        log.exception("the case failed")
        return failure_of(error)


def concatenate(parts: Sequence[Samples]) -> Samples:
    """Return the samples of several turns as one."""
    fields = [one.name for one in msgspec.structs.fields(Samples)]
    return Samples(**{name: [value for part in parts for value in getattr(part, name)] for name in fields})
