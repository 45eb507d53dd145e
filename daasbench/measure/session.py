"""One case in its own processes: warm up, time, and verify every repeat.

These phases are timed separately: `make` (the inputs; once for all processes of a comparison), `interpreter` (until
this process accepts commands), `start` (ranks or workers, until all have registered), `import` (the kernel, the
implementation and its libraries), `context` (of a GPU), `read` (the inputs, from a file), `put` (to the memory of the
backend, or to the ranks), `setup` (plans, lookup tables), `first_call` (compilation and the first result), `compute`
(one sample per repeat), `get` (back to the host). Verification is outside of every timed window.

Each rank has a session and takes the same steps. A time is that of the slowest rank, processor time and memory are
sums over the ranks, and only rank 0 verifies and decides.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from daasbench.authoring.verdicts import worst_of
from daasbench.compute.backends import PARTITIONED, import_needed, map_arrays, open_backend, require
from daasbench.contracts import Backend, Implementation, Partitioned
from daasbench.errors import NoRoom
from daasbench.host.energy import EnergyCounter
from daasbench.host.processes import thread_count
from daasbench.measure.groups import MpiTimes, SingleProcess
from daasbench.measure.inputs import case_options, find_kernel, inputs_alone, with_blocks
from daasbench.measure.messages import Prepared, RoundResult, Spec
from daasbench.model import Samples, Verdict

LEAST_LEAKS = 5  # repeats that left a thread behind: fewer may be chance
NANOSECOND = 9  # digits that are kept: the clock has no more, and fewer digits make a ledger quick to read

if TYPE_CHECKING:
    from daasbench.host.blas_threads import BlasThreads

GroupOf = Callable[[Implementation], SingleProcess]


class Session:
    """One measuring process: its inputs, its implementation, and its verified results.

    Parameters
    ----------
    group
        Returns the processes that compute the case together, once the implementation is known to run on this machine.
    origin
        The reading of the clock when this process was started; None for ranks, whose start is timed as a whole.
    """

    def __init__(
        self,
        spec: Spec,
        clock: Callable[[], float] = time.perf_counter,
        group: GroupOf = lambda _: SingleProcess(),
        origin: float | None = None,
    ) -> None:
        self.spec, self.clock, self._group_of = spec, clock, group
        self.phases: dict[str, float] = {}
        began = clock()
        if origin is not None:
            self.phases["interpreter"] = began - origin
        self.kernel = find_kernel(spec.case, spec.source)
        self.implementation = self.kernel.implementations[spec.case.implementation]
        self.phases["import"] = clock() - began
        self.energy = EnergyCounter()
        self.verified: dict[int, Any] = {}  # block of the problem: a result that the oracle found correct
        self.untouched: dict[int, tuple[int, ...]] = {}  # block: fingerprint of the inputs in this process
        self.rng = random.Random()  # draws the positions that are compared, different ones in each process
        self.repeat = self.peak_bytes = 0
        self.group = SingleProcess()
        self.mpi_times: MpiTimes | None = None  # of the previous call
        self.blas_threads: BlasThreads
        self.backend: Backend
        self.problem: Any
        self.expectation: Any
        self.distinct: int  # blocks that the problem came with; what is computed as block b is block b % distinct
        self.count: int  # blocks that repeats rotate over
        self.blocks: list[Any]
        self.compute: Callable[[Any], Any]
        self.get: Callable[[Any], Any]

    def prepare(self) -> Prepared:
        """Load the inputs, move them to the backend, set up, call once, and verify."""
        backend = self.implementation.backend
        make = self._load()
        from daasbench.measure import scratch  # `_load` has loaded both
        from daasbench.measure.differences import fingerprint

        started = self.clock()
        try:
            self.group = self._group_of(self.implementation)
        except NoRoom:
            self.phases["queue"] = self.clock() - started
            raise
        if backend == "dask":
            queued_s = self.group.queued_s
            self.phases |= {} if queued_s is None else {"queue": queued_s}
            self.phases["start"] = self.clock() - started - (queued_s or 0.0)
        self.phases["import"] = self.group.slowest(self.phases["import"])
        self._read()
        repeated = [self.problem.blocks[block % self.distinct] for block in range(self.count)]
        if backend in PARTITIONED:
            self._set_up_partitioned(make, repeated)
        else:
            self._set_up(make, scratch.without_shared_arrays(repeated))
        if backend in ("host", "mpi"):
            self.untouched = {number: fingerprint(block) for number, block in enumerate(self.blocks)}
        self.phases["first_call"], _, result = self._timed_with_peak(0)
        self._find_blas_threads()
        reads = self._start_reads()
        verdict, self.phases["get"] = self._verify(0, result)
        verdict = self._with_inputs_kept(verdict, {0})
        group = self.group
        return Prepared(
            phases=self.phases,
            verdict=verdict,
            workers=group.workers,
            machines=group.machines,
            settings=group.settings,
            **reads,
        )

    def round(self, repeats: int, *, number: int, limit_s: float, origin: float) -> RoundResult:
        """Measure up to `repeats` repeats after one marked warm-up; stop early at `limit_s`.

        `at_s` counts from `origin`, the reading of the clock at the start of the record.
        """
        if not self.repeat:
            self._find_blas_threads()  # the oracle has loaded its libraries by now
        samples = Samples()
        worst: Verdict | None = None
        threads: list[int] = []  # of this process after each repeat
        started = self.clock()
        for index in range(repeats + 1):
            verdict = self._repeat(samples, flag=1 if index == 0 else 0, origin=origin)
            worst = verdict if worst is None else worst_of((worst, verdict))
            threads.append(thread_count())
            if self.group.agreed(bool(index) and self.clock() - started > limit_s):
                break
        samples.round.extend([number] * len(samples.seconds))
        if worst is not None:
            worst = self._with_inputs_kept(worst, set(samples.block))
        return RoundResult(
            samples=samples,
            verdict=worst,
            peak_memory_bytes=self.peak_bytes,
            peak_device_bytes=self.backend.peak_bytes(),
            threads_left=_left_by_each(threads),
        )

    def _load(self) -> Callable[..., Any]:
        """Import the libraries and the implementation, and open the device, which is timed separately."""
        started, backend = self.clock(), self.implementation.backend
        from daasbench.measure import differences, scratch  # noqa: F401  (numpy, too: its import is part of the phase)

        if backend == "cuda":
            import_needed(self.implementation)  # else the request for a device would import it
        imported = self.clock()
        require(self.implementation)
        self.backend = open_backend(backend)
        self.backend.wait()  # the first call of a GPU creates its context
        opened = self.clock()
        make = self.implementation.load()
        own_s = self.clock() - started
        if backend == "cuda":
            self.phases["context"] = opened - imported
            own_s -= opened - imported
        self.phases["import"] += own_s
        return make

    def _read(self) -> None:
        """Read the inputs from a file as a user would, if the start is measured; else those made for the comparison."""
        from daasbench.measure import scratch

        spec, mapped = self.spec, self.implementation.backend in PARTITIONED
        if not spec.case.start:
            inputs = self._phase("read", lambda: scratch.load(Path(spec.scratch), mapped=mapped))
            self.problem, self.expectation, self.count = inputs
            self.distinct = len(self.problem.blocks)
            return
        if "input" in spec.paths:
            file, options = Path(spec.paths["input"]), case_options(self.kernel, spec.case, spec.paths)
            self.problem = self._phase(
                "read", lambda: self.kernel.read(file, self.kernel.survey(file, options), options, 1)
            )
        else:
            alone = inputs_alone(spec)
            self.problem = self._phase("read", lambda: scratch.load(alone, mapped=mapped))
        self.distinct = self.count = len(self.problem.blocks)

    def _start_reads(self) -> dict[str, Any]:
        """Return what the start of this process read from storage; then read what the oracle needs."""
        from daasbench.host import page_cache
        from daasbench.measure import scratch

        if not self.spec.case.start:
            return {}
        reads = page_cache.storage_reads()
        files = page_cache.files_in_use()
        self.expectation = scratch.load(Path(self.spec.scratch), mapped=True).expectation
        if reads is None or self.implementation.backend == "dask":  # the reads of workers are not observed
            return {"files": files}
        read_bytes, faults = (int(self.group.total(count)) for count in reads)
        return {"files": files, "read_bytes": read_bytes, "major_faults": faults}

    def _set_up(self, make: Callable[..., Any], host_blocks: list[Any]) -> None:
        """Move the blocks to the backend, then let the implementation set up."""
        self._show_blocks(host_blocks)
        self.blocks = self._phase("put", lambda: [self.backend.put(block) for block in host_blocks])
        self.compute = self._phase("setup", lambda: make(self.problem, self.group.resources(self.spec.case)))
        self.get = self.backend.get

    def _show_blocks(self, blocks: list[Any]) -> None:
        """Give the implementation a problem with every block that it will compute, where blocks are repeated."""
        if self.count > self.distinct:
            self.problem = with_blocks(self.problem, blocks)

    def _set_up_partitioned(self, make: Callable[..., Any], blocks: list[Any]) -> None:
        """Let the implementation set up, then move the parts of each block to the ranks or workers."""
        from daasbench.measure import scratch

        self._show_blocks(blocks)
        partitioned = self._phase("setup", lambda: make(self.problem, self.group.resources(self.spec.case)))
        if not isinstance(partitioned, Partitioned):
            message = (
                f"prepare of backend {self.implementation.backend!r} must return a daasbench.contracts.Partitioned"
            )
            raise TypeError(f"{message}, got {type(partitioned).__name__}")
        self.blocks = self._phase("put", lambda: [partitioned.put(block) for block in blocks])
        if self.count > self.distinct:
            self.blocks = scratch.without_shared_arrays(self.blocks)
        self.compute, self.get = partitioned.compute, partitioned.get

    def _phase(self, name: str, step: Callable[[], Any]) -> Any:
        """Return the result of `step`, and record the time of the slowest process."""
        self.group.meet()
        started = self.clock()
        result = step()
        self.backend.wait()
        self.phases[name] = self.group.slowest(self.clock() - started)
        return result

    def _repeat(self, samples: Samples, *, flag: int, origin: float) -> Verdict:
        """Add one sample to `samples`; return the verdict on its result."""
        block = self.repeat % len(self.blocks)
        at_s = self.clock() - origin
        before_j = self.energy.joules()
        seconds, cpu_s, result = self._timed_with_peak(block) if flag else self._timed(block)
        after_j, mpi = self.energy.joules(), self.mpi_times
        verdict, get_s = self._verify(block, result)
        if before_j is not None and after_j is not None:
            samples.energy_j.append(after_j - before_j)
        if mpi is not None:
            samples.mpi_s.append(round(mpi.mean_s, NANOSECOND))
            samples.mpi_least_s.append(round(mpi.least_s, NANOSECOND))
            samples.mpi_most_s.append(round(mpi.most_s, NANOSECOND))
            samples.mpi_calls.append(mpi.calls)
            samples.mpi_timer_s.append(round(mpi.timer_s, NANOSECOND))
        samples.seconds.append(round(seconds, NANOSECOND))
        samples.flags.append(flag)
        samples.cpu_s.append(round(cpu_s, NANOSECOND))
        samples.get_s.append(round(get_s, NANOSECOND))
        samples.block.append(block)
        samples.at_s.append(round(at_s, NANOSECOND))
        self.repeat += 1
        return verdict

    def _timed(self, block: int) -> tuple[float, float, Any]:
        """Return the seconds of the slowest process, the processor seconds of all processes, and the result."""
        inputs, compute, wait, clock = self.blocks[block], self.compute, self.backend.wait, self.clock
        wait()
        self.group.meet()
        cpu, mpi_before = self.group.cpu_s(), self.group.mpi_so_far()
        started = clock()
        result = compute(inputs)
        wait()
        seconds = clock() - started
        cpu_s = self.group.cpu_s() - cpu
        self.mpi_times = self.group.mpi_times(mpi_before, self.group.mpi_so_far())
        return self.group.slowest(seconds), self.group.total(cpu_s), result

    def _timed_with_peak(self, block: int) -> tuple[float, float, Any]:
        """Return the same for a call that does not count, and measure its peak of memory.

        The peak includes neither the loading of inputs nor the verification.
        """
        self.group.reset_peak()
        timed = self._timed(block)
        self.peak_bytes = max(self.peak_bytes, int(self.group.total(self.group.peak_bytes())))
        return timed

    def _find_blas_threads(self) -> None:
        from daasbench.host.blas_threads import BlasThreads

        self.blas_threads = BlasThreads()

    def _verify(self, block: int, result: Any) -> tuple[Verdict, float]:
        """Return the verdict on a result, and the seconds to bring it to the host."""
        self.group.meet()
        started = self.clock()
        on_host = self.get(result)
        get_s = self.group.slowest(self.clock() - started)
        if self.group.rank:
            return ELSEWHERE, get_s
        with self.blas_threads.idle():
            return self._judge(block, on_host), get_s

    def _judge(self, block: int, on_host: Any) -> Verdict:
        """Return the verdict of the oracle, or that of a comparison with the verified result of the same block."""
        judged_as, same = self.implementation.judged_as, block % self.distinct
        verdict = self.kernel.verify(self.problem, self.expectation, same, on_host, judged_as)
        tolerance = self.kernel.repeat_tolerance
        if not verdict.ok:
            where = f"repeat {self.repeat} (block {block})"
            why = f": {verdict.message}" if verdict.message else ""
            error = "no number" if verdict.error is None else f"{verdict.error:.3g}"
            message = f"{where}: error {error} is not within {verdict.tolerance:.3g}{why}"
            return msgspec.structs.replace(verdict, message=message)
        if tolerance is None:
            return verdict
        if same not in self.verified:
            self.verified[same] = map_arrays(lambda array: array.copy(), on_host)
            return verdict
        from daasbench.measure.differences import largest_difference

        difference = largest_difference(on_host, self.verified[same], seed=self.rng.getrandbits(63))
        if difference <= tolerance:
            return verdict
        message = (
            f"repeat {self.repeat} (block {block}): differs from this process's own verified result of the same"
            f" inputs by {difference:.3g} (relative), more than {tolerance:.3g}: a race, or an overwritten result"
        )
        return Verdict(error=difference, tolerance=tolerance, verified_by=verdict.verified_by, message=message)

    def _with_inputs_kept(self, verdict: Verdict, blocks: Set[int]) -> Verdict:
        """Return `verdict`, or a wrong one if the inputs were changed on any rank."""
        from daasbench.measure.differences import fingerprint

        changed = (
            block
            for block in sorted(blocks & self.untouched.keys())
            if fingerprint(self.blocks[block]) != self.untouched[block]
        )
        block = next(changed, None)
        message = self.group.first_message(
            None
            if block is None
            else f"it writes into its inputs (block {block}): later repeats compute another problem than the"
            " verified one; let it work on a copy"
        )
        if message is None:
            return verdict
        return worst_of((verdict, msgspec.structs.replace(verdict, error=math.inf, message=message)))


def _left_by_each(threads: list[int]) -> int:
    """Return how many threads the repeats of a round left behind; 0 unless each of several repeats left some."""
    grows = all(after > before for before, after in itertools.pairwise(threads))
    return threads[-1] - threads[0] if grows and len(threads) > LEAST_LEAKS else 0


ELSEWHERE = Verdict(error=0.0, tolerance=0.0, verified_by="oracle", message="rank 0 verifies")
