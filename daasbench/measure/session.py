"""One case in processes of its own: warm up, time, verify every repeat.

Phases, timed apart: `make` (the inputs; by the process that makes them for all contenders), `interpreter` (until
this process listens), `start` (ranks or workers, until all have reported), `import` (the kernel, the
implementation and its libraries), `context` (of a GPU), `read` (the inputs, from a file), `put` (to where the
backend keeps arrays, or to the ranks), `setup` (plans, lookup tables), `first_call` (compilation and the first
result), `compute` (one sample a repeat), `get` (back to the host). Verification is outside of every timed window.

Ranks each hold a session and take the same steps. A time is that of the slowest, processor time and memory are
summed, and rank 0 alone verifies and decides.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from daasbench.compute.backends import PARTITIONED, import_needed, map_arrays, open_backend, require
from daasbench.contracts import Backend, Implementation, Partitioned
from daasbench.errors import NoRoom
from daasbench.host.energy import EnergyCounter
from daasbench.measure.groups import MpiTimes, SingleProcess
from daasbench.measure.inputs import case_options, find_kernel, inputs_alone
from daasbench.measure.messages import Prepared, RoundResult, Spec
from daasbench.measure.samples import worse
from daasbench.model import Samples, Verdict

NANOSECOND = 9  # digits that are kept: the clock has no more, and a ledger is read in half the time

if TYPE_CHECKING:
    from daasbench.host.blas_threads import Pools

TeamOf = Callable[[Implementation], SingleProcess]


class Session:
    """One contender: its inputs, its implementation, and what it has verified so far.

    Parameters
    ----------
    team
        Gives those who compute the case together, when the implementation is known to run here.
    origin
        The clock's reading when this process was started; None where its ranks' start is timed as a whole.
    """

    def __init__(
        self,
        spec: Spec,
        clock: Callable[[], float] = time.perf_counter,
        group: TeamOf = lambda _: SingleProcess(),
        origin: float | None = None,
    ) -> None:
        self.spec, self.clock, self._team_of = spec, clock, group
        self.phases: dict[str, float] = {}
        began = clock()
        if origin is not None:
            self.phases["interpreter"] = began - origin
        self.kernel = find_kernel(spec.case, spec.source)
        self.implementation = self.kernel.implementations[spec.case.implementation]
        self.phases["import"] = clock() - began
        self.energy = EnergyCounter()
        self.verified: dict[int, Any] = {}  # block: a result that the oracle found right
        self.untouched: dict[int, tuple[int, ...]] = {}  # block: fingerprint of inputs in this process's memory
        self.rng = random.Random()  # positions that are compared: others in each process, each time
        self.repeat = self.peak_bytes = 0
        self.group = SingleProcess()
        self.talk: MpiTimes | None = None  # of the call before
        self.pools: Pools
        self.backend: Backend
        self.problem: Any
        self.expectation: Any
        self.blocks: list[Any]
        self.compute: Callable[[Any], Any]
        self.get: Callable[[Any], Any]

    def prepare(self) -> Prepared:
        """Load the inputs, put them in place, set up, call once, and verify."""
        implementation = self.implementation.backend
        make = self._load()
        from daasbench.measure import scratch  # both are in memory since then
        from daasbench.measure.differences import fingerprint

        started = self.clock()
        try:
            self.group = self._team_of(self.implementation)
        except NoRoom:
            self.phases["queue"] = self.clock() - started
            raise
        if implementation == "dask":
            queued_s = self.group.queued_s
            self.phases |= {} if queued_s is None else {"queue": queued_s}
            self.phases["start"] = self.clock() - started - (queued_s or 0.0)
        self.phases["import"] = self.group.slowest(self.phases["import"])
        self._read()
        if implementation in PARTITIONED:
            self._set_up_spread(make)
        else:
            self._set_up(make, scratch.apart(list(self.problem.blocks)))
        if implementation in ("host", "mpi"):
            self.untouched = {block: fingerprint(one) for block, one in enumerate(self.blocks)}
        self.phases["first_call"], _, result = self._watched(0)
        self._look_at_pools()
        reads = self._seen()
        verdict, self.phases["get"] = self._verify(0, result)
        verdict = self._with_inputs_kept(verdict, {0})
        seen = {name: getattr(self.group, name) for name in ("workers", "machines", "settings")}
        return Prepared(phases=self.phases, verdict=verdict, **reads, **seen)

    def round(self, repeats: int, *, number: int, limit_s: float, origin: float) -> RoundResult:
        """Measure up to `repeats` repeats after one marked warm-up; stop early at `limit_s`.

        `origin` is the clock's reading at the record's start, from which `at_s` counts.
        """
        if not self.repeat:
            self._look_at_pools()  # the oracle has loaded what it needs
        samples = Samples()
        worst: Verdict | None = None
        started = self.clock()
        for index in range(repeats + 1):
            verdict = self._repeat(samples, flag=1 if index == 0 else 0, origin=origin)
            worst = verdict if worst is None else worse(worst, verdict)
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
        )

    # --- inside

    def _load(self) -> Callable[..., Any]:
        """Import the libraries and the implementation, and open the device, which is timed apart."""
        started, implementation = self.clock(), self.implementation.backend
        from daasbench.measure import differences, scratch  # noqa: F401  (with numpy, which is the process's to wait for)

        if implementation == "cuda":
            import_needed(self.implementation)  # or asking for a device would import it
        imported = self.clock()
        require(self.implementation)
        self.backend = open_backend(implementation)
        self.backend.wait()  # the first question to a GPU makes its context
        opened = self.clock()
        make = self.implementation.load()
        own_s = self.clock() - started
        if implementation == "cuda":
            self.phases["context"] = opened - imported
            own_s -= opened - imported
        self.phases["import"] += own_s
        return make

    def _read(self) -> None:
        """Read the inputs from where a user's would be, where the start is measured; else what was made for all."""
        from daasbench.measure import scratch

        spec, mapped = self.spec, self.implementation.backend in PARTITIONED
        if not spec.case.start:
            together = self._phase("read", lambda: scratch.load(Path(spec.scratch), mapped=mapped))
            self.problem, self.expectation = together
            return
        if "input" in spec.paths:
            file, options = Path(spec.paths["input"]), case_options(self.kernel, spec.case, spec.paths)
            self.problem = self._phase(
                "read", lambda: self.kernel.read(file, self.kernel.survey(file, options), options, 1)
            )
        else:
            alone = inputs_alone(spec)
            self.problem = self._phase("read", lambda: scratch.load(alone, mapped=mapped))

    def _seen(self) -> dict[str, Any]:
        """Return what the start of this process took from storage; then read what its oracle needs, if it has not."""
        from daasbench.host import page_cache
        from daasbench.measure import scratch

        if not self.spec.case.start:
            return {}
        reads = page_cache.storage_reads()
        files = page_cache.files_in_use()
        _, self.expectation = scratch.load(Path(self.spec.scratch), mapped=True)
        if reads is None or self.implementation.backend == "dask":  # what its workers read is not seen
            return {"files": files}
        read_bytes, faults = (int(self.group.total(one)) for one in reads)
        return {"files": files, "read_bytes": read_bytes, "major_faults": faults}

    def _set_up(self, make: Callable[..., Any], host_blocks: list[Any]) -> None:
        """Put the blocks where the backend keeps arrays, then let the implementation set up."""
        self.blocks = self._phase("put", lambda: [self.backend.put(block) for block in host_blocks])
        self.compute = self._phase("setup", lambda: make(self.problem, self.group.resources(self.spec.case)))
        self.get = self.backend.get

    def _set_up_spread(self, make: Callable[..., Any]) -> None:
        """Let the implementation set up, then put each block's parts where they are computed."""
        partitioned = self._phase("setup", lambda: make(self.problem, self.group.resources(self.spec.case)))
        if not isinstance(partitioned, Partitioned):
            message = f"prepare of backend {self.implementation.backend!r} must return a daasbench.contracts.Spread"
            raise TypeError(f"{message}, got {type(partitioned).__name__}")
        self.blocks = self._phase("put", lambda: [partitioned.put(block) for block in self.problem.blocks])
        self.compute, self.get = partitioned.compute, partitioned.get

    def _phase(self, name: str, step: Callable[[], Any]) -> Any:
        """Return what `step` returns, and note how long its slowest took."""
        self.group.meet()
        started = self.clock()
        done = step()
        self.backend.wait()
        self.phases[name] = self.group.slowest(self.clock() - started)
        return done

    def _repeat(self, samples: Samples, *, flag: int, origin: float) -> Verdict:
        """Add one sample to `samples`; return the verdict on its result."""
        block = self.repeat % len(self.blocks)
        at_s = self.clock() - origin
        before_j = self.energy.joules()
        seconds, cpu_s, result = self._watched(block) if flag else self._timed(block)
        after_j, talk = self.energy.joules(), self.talk
        verdict, get_s = self._verify(block, result)
        if before_j is not None and after_j is not None:
            samples.energy_j.append(after_j - before_j)
        if talk is not None:
            samples.mpi_s.append(round(talk.mean_s, NANOSECOND))
            samples.mpi_least_s.append(round(talk.least_s, NANOSECOND))
            samples.mpi_most_s.append(round(talk.most_s, NANOSECOND))
            samples.mpi_calls.append(talk.calls)
            samples.mpi_timer_s.append(round(talk.timer_s, NANOSECOND))
        samples.seconds.append(round(seconds, NANOSECOND))
        samples.flags.append(flag)
        samples.cpu_s.append(round(cpu_s, NANOSECOND))
        samples.get_s.append(round(get_s, NANOSECOND))
        samples.block.append(block)
        samples.at_s.append(round(at_s, NANOSECOND))
        self.repeat += 1
        return verdict

    def _timed(self, block: int) -> tuple[float, float, Any]:
        """Return the seconds of the slowest, the processor seconds of all, and the result."""
        inputs, compute, wait, clock = self.blocks[block], self.compute, self.backend.wait, self.clock
        wait()
        self.group.meet()
        cpu, talked = self.group.cpu_s(), self.group.talked()
        started = clock()
        result = compute(inputs)
        wait()
        seconds = clock() - started
        cpu_s = self.group.cpu_s() - cpu
        self.talk = self.group.talk(talked, self.group.talked())
        return self.group.slowest(seconds), self.group.total(cpu_s), result

    def _watched(self, block: int) -> tuple[float, float, Any]:
        """Return the same of a call that does not count, and look at its peak of memory.

        Neither handing over the inputs nor verifying is the kernel's.
        """
        self.group.reset_peak()
        timed = self._timed(block)
        self.peak_bytes = max(self.peak_bytes, int(self.group.total(self.group.peak_bytes())))
        return timed

    def _look_at_pools(self) -> None:
        from daasbench.host.blas_threads import Pools

        self.pools = Pools()

    def _verify(self, block: int, result: Any) -> tuple[Verdict, float]:
        """Return what the oracle says, then whether the result equals the verified one of the same block."""
        self.group.meet()
        started = self.clock()
        on_host = self.get(result)
        get_s = self.group.slowest(self.clock() - started)
        if self.group.rank:
            return ELSEWHERE, get_s
        with self.pools.asleep():
            return self._judge(block, on_host), get_s

    def _judge(self, block: int, on_host: Any) -> Verdict:
        """Return the verdict on a result that is on the host."""
        judged_as = self.implementation.judged_as
        verdict = self.kernel.verify(self.problem, self.expectation, block, on_host, judged_as)
        tolerance = self.kernel.repeat_tolerance
        if not verdict.ok:
            where = f"repeat {self.repeat} (block {block})"
            said = f": {verdict.message}" if verdict.message else ""
            error = "no number" if verdict.error is None else f"{verdict.error:.3g}"
            message = f"{where}: error {error} is not within {verdict.tolerance:.3g}{said}"
            return msgspec.structs.replace(verdict, message=message)
        if tolerance is None:
            return verdict
        if block not in self.verified:
            self.verified[block] = map_arrays(lambda array: array.copy(), on_host)
            return verdict
        from daasbench.measure.differences import largest_difference

        difference = largest_difference(on_host, self.verified[block], seed=self.rng.getrandbits(63))
        if difference <= tolerance:
            return verdict
        message = (
            f"repeat {self.repeat} (block {block}): differs from this process's own verified result of the same"
            f" inputs by {difference:.3g} (relative), more than {tolerance:.3g}: a race, or an overwritten result"
        )
        return Verdict(error=difference, tolerance=tolerance, verified_by=verdict.verified_by, message=message)

    def _with_inputs_kept(self, verdict: Verdict, blocks: Set[int]) -> Verdict:
        """Return `verdict`, or one that says that inputs are not what they were, on whatever rank."""
        from daasbench.measure.differences import fingerprint

        changed = (
            block
            for block in sorted(blocks & self.untouched.keys())
            if fingerprint(self.blocks[block]) != self.untouched[block]
        )
        block = next(changed, None)
        message = self.group.complaint(
            None
            if block is None
            else f"it writes into its inputs (block {block}): later repeats compute another problem than the one"
            " that is verified; let it work on a copy"
        )
        if message is None:
            return verdict
        return worse(verdict, msgspec.structs.replace(verdict, error=math.inf, message=message))


ELSEWHERE = Verdict(error=0.0, tolerance=0.0, verified_by="oracle", message="rank 0 verifies")
