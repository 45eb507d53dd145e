"""One case in a process of its own: warm up, time, verify every repeat; a record whatever happens.

The only broad ``except`` of the suite stands here, because here a failure is a result.

Phases, timed apart: `make` (the inputs; by the process that makes them for all contenders), `put` (to where
the backend keeps arrays), `setup` (plans, lookup tables), `first_call` (compilation and the first result),
`compute` (one sample a repeat), `get` (back to the host). Verification is outside of every timed window.
"""

from __future__ import annotations

import logging
import math
import random
import shutil
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Any, Literal

import msgspec

from daasbench import machine, registry
from daasbench.backends import map_arrays, open_backend, require
from daasbench.contracts import Backend, Kernel, Options, Resources
from daasbench.energy import EnergyCounter
from daasbench.errors import DaasbenchError, Lacking, LedgerError, Unfinished
from daasbench.model import Case, Limits, Noun, Outcome, Reason, Samples, Verdict, Work
from daasbench.processes import peak_memory_bytes, reset_peak_memory

log = logging.getLogger(__name__)

NANOSECOND = 9  # digits that are kept: the clock has no more, and a ledger is read in half the time
MOST_BLOCKS = 512  # of inputs so small that many more would be needed to leave the cache


class Spec(Noun, frozen=True, kw_only=True):
    """What a measuring process is told: the case, and where its inputs lie."""

    case: Case
    scratch: str
    paths: dict[str, str] = {}
    source: str | None = None
    cache_bytes: int | None = None  # last-level cache of the machine


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


class Failure(Noun, frozen=True, kw_only=True, tag=True):
    """What a measuring process answers when it cannot do what it was told."""

    outcome: Outcome
    reason: Reason
    message: str


class Turned(Noun, frozen=True, kw_only=True, tag=True):
    """What a contender answers after a turn; `verdict` is the worst of the turn."""

    samples: Samples
    verdict: Verdict | None
    peak_memory_bytes: int | None
    peak_device_bytes: int | None


class Session:
    """One contender: its inputs, its implementation, and what it has verified so far."""

    def __init__(self, spec: Spec, clock: Callable[[], float] = time.perf_counter) -> None:
        self.spec, self.clock = spec, clock
        self.kernel = find_kernel(spec.case, spec.source)
        self.implementation = self.kernel.implementations[spec.case.implementation]
        self.energy = EnergyCounter()
        self.verified: dict[int, Any] = {}  # block: a result that the oracle found right
        self.untouched: dict[int, tuple[int, ...]] = {}  # block: fingerprint of inputs in this process's memory
        self.chance = random.Random()  # positions that are compared: others in each process, each time
        self.repeat = self.peak_bytes = 0
        self.backend: Backend
        self.problem: Any
        self.expectation: Any
        self.blocks: list[Any]
        self.compute: Callable[[Any], Any]

    def prepare(self) -> Prepared:
        """Load the inputs, put them in place, set up, call once, and verify."""
        require(self.implementation)
        make = self.implementation.load()
        from daasbench import scratch
        from daasbench.differences import fingerprint

        self.problem, self.expectation = scratch.load(Path(self.spec.scratch))
        host_blocks = scratch.apart(list(self.problem.blocks))
        self.backend = open_backend(self.implementation.backend)
        phases: dict[str, float] = {}
        started = self.clock()
        self.blocks = [self.backend.put(block) for block in host_blocks]
        self.backend.wait()
        phases["put"] = self.clock() - started
        if self.implementation.backend == "host":
            self.untouched = {block: fingerprint(one) for block, one in enumerate(self.blocks)}
        case = self.spec.case
        started = self.clock()
        self.compute = make(self.problem, Resources(threads=case.threads, ranks=case.ranks, gpus=case.gpus))
        self.backend.wait()
        phases["setup"] = self.clock() - started
        phases["first_call"], _, result = self._watched(0)
        verdict, _ = self._verify(0, result)
        return Prepared(phases=phases, verdict=worse(verdict, self._inputs_kept(verdict, {0})))

    def turn(self, repeats: int, *, number: int, limit_s: float, origin: float) -> Turned:
        """Measure up to `repeats` repeats after one marked warm-up; stop early at `limit_s`.

        `origin` is the clock's reading at the record's start, from which `at_s` counts.
        """
        samples = Samples()
        worst: Verdict | None = None
        started = self.clock()
        for index in range(repeats + 1):
            verdict = self._repeat(samples, flag=1 if index == 0 else 0, origin=origin)
            worst = verdict if worst is None else worse(worst, verdict)
            if index and self.clock() - started > limit_s:
                break
        samples.turn.extend([number] * len(samples.seconds))
        if worst is not None:
            worst = worse(worst, self._inputs_kept(worst, set(samples.block)))
        return Turned(
            samples=samples,
            verdict=worst,
            peak_memory_bytes=self.peak_bytes,
            peak_device_bytes=self.backend.peak_bytes(),
        )

    def _repeat(self, samples: Samples, *, flag: int, origin: float) -> Verdict:
        """Add one sample to `samples`; return the verdict on its result."""
        block = self.repeat % len(self.blocks)
        at_s = self.clock() - origin
        before_j = self.energy.joules()
        seconds, cpu_s, result = self._watched(block) if flag else self._timed(block)
        after_j = self.energy.joules()
        verdict, get_s = self._verify(block, result)
        if before_j is not None and after_j is not None:
            samples.energy_j.append(after_j - before_j)
        samples.seconds.append(round(seconds, NANOSECOND))
        samples.flags.append(flag)
        samples.cpu_s.append(round(cpu_s, NANOSECOND))
        samples.get_s.append(round(get_s, NANOSECOND))
        samples.block.append(block)
        samples.at_s.append(round(at_s, NANOSECOND))
        self.repeat += 1
        return verdict

    def _timed(self, block: int) -> tuple[float, float, Any]:
        inputs, compute, wait, clock = self.blocks[block], self.compute, self.backend.wait, self.clock
        wait()
        cpu = time.process_time()
        started = clock()
        result = compute(inputs)
        wait()
        seconds = clock() - started
        return seconds, time.process_time() - cpu, result

    def _watched(self, block: int) -> tuple[float, float, Any]:
        """Return the same of a call that does not count, and look at its peak of memory.

        Neither handing over the inputs nor verifying is the kernel's.
        """
        reset_peak_memory()
        timed = self._timed(block)
        self.peak_bytes = max(self.peak_bytes, peak_memory_bytes())
        return timed

    def _verify(self, block: int, result: Any) -> tuple[Verdict, float]:
        """Return what the oracle says, then whether the result equals the verified one of the same block."""
        started = self.clock()
        on_host = self.backend.get(result)
        get_s = self.clock() - started
        name = self.implementation.name
        verdict = self.kernel.verify(self.problem, self.expectation, block, on_host, name)
        tolerance = self.kernel.repeat_tolerance
        if not verdict.ok:
            where = f"repeat {self.repeat} (block {block})"
            said = f": {verdict.message}" if verdict.message else ""
            error = "no number" if verdict.error is None else f"{verdict.error:.3g}"
            told = f"{where}: error {error} is not within {verdict.tolerance:.3g}{said}"
            return msgspec.structs.replace(verdict, message=told), get_s
        if tolerance is None:
            return verdict, get_s
        if block not in self.verified:
            self.verified[block] = map_arrays(lambda array: array.copy(), on_host)
            return verdict, get_s
        from daasbench.differences import largest_difference

        difference = largest_difference(on_host, self.verified[block], seed=self.chance.getrandbits(63))
        if difference <= tolerance:
            return verdict, get_s
        told = (
            f"repeat {self.repeat} (block {block}): differs from this process's own verified result of the same"
            f" inputs by {difference:.3g} (relative), more than {tolerance:.3g}: a race, or an overwritten result"
        )
        return Verdict(error=difference, tolerance=tolerance, verified_by=verdict.verified_by, message=told), get_s

    def _inputs_kept(self, verdict: Verdict, blocks: Set[int]) -> Verdict:
        """Return `verdict`, or one that says that inputs are not what they were."""
        from daasbench.differences import fingerprint

        for block in sorted(blocks & self.untouched.keys()):
            if fingerprint(self.blocks[block]) != self.untouched[block]:
                told = (
                    f"it writes into its inputs (block {block}): later repeats compute another problem than the one"
                    " that is verified; let it work on a copy"
                )
                return msgspec.structs.replace(verdict, error=math.inf, message=told)
        return verdict


def make_inputs(spec: Spec) -> Made:
    """Make or read the inputs of a comparison, and what its oracle needs; leave both in the scratch folder."""
    from daasbench import scratch

    kernel = find_kernel(spec.case, spec.source)
    options = case_options(kernel, spec.case, spec.paths)
    file = Path(spec.paths["input"]) if "input" in spec.paths else None
    case = spec.case
    parameters = kernel.survey(file, options) if file else kernel.sizes[case.size or ""]

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
    except OSError as error:  # the disk's fault, not the kernel's
        told = f"{spec.scratch}: the inputs cannot be written: {error.strerror or error}; free some space"
        raise LedgerError(f"{told} and run the same command again") from error
    return Made(make_s=make_s, work=work, blocks=blocks, exceeds_cache=exceeds, expect_s=expect_s, bytes=size)


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
    """Return how many input blocks the repeats rotate over, and whether they exceed the cache four times."""
    if case.cache or case.size == "tiny" or not input_bytes or not cache_bytes:
        return 1, None if not (input_bytes and cache_bytes) else input_bytes >= 4 * cache_bytes
    needed = max(1, -int(-4 * cache_bytes // input_bytes))
    return min(needed, MOST_BLOCKS), needed <= MOST_BLOCKS


def predicted_bytes(kernel: Kernel, case: Case, work: Work, cache_bytes: int | None) -> float:
    """Return the memory that one contender will need, from the kernel's byte count (0: unknown)."""
    if not work.input_bytes:
        return 0.0
    blocks, _ = block_count(case, work.input_bytes, cache_bytes)
    way = kernel.implementations[case.implementation]
    kept = work.output_bytes if kernel.repeat_tolerance is not None else 0.0
    one = work.input_bytes + work.output_bytes
    return blocks * (work.input_bytes + kept) + work.shared_bytes + (1.0 + way.memory_factor) * one


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


def failure_of(error: BaseException) -> Failure:
    """Return what a failed step means: skipped with its cure, or failed with its sentence."""
    if isinstance(error, Lacking):
        return Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=str(error))
    if isinstance(error, MemoryError):
        told = f"out of memory: {error}" if str(error) else "out of memory"
        return Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message=told)
    if isinstance(error, Unfinished):
        return Failure(outcome=Outcome.FAILED, reason=Reason.INTERRUPTED, message=str(error))
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
