"""Measuring processes that are measured in rounds: in which order, for how long, when enough, what is recorded."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import msgspec

from daasbench.authoring.verdicts import worst_of
from daasbench.host import machine
from daasbench.host.load_monitor import LoadMonitor
from daasbench.measure.bench import Bench
from daasbench.measure.failures import guarded
from daasbench.measure.messages import Command, Failure, Made, Prepared, RoundResult
from daasbench.measure.mpi_process import MpiMeasuringProcess
from daasbench.measure.process import MeasuringProcess
from daasbench.measure.start_state import StartStates
from daasbench.model import Outcome, Planned, Reason, Record, Round, Samples, StartEvidence, Verdict
from daasbench.statistics.intervals import median_interval, relative_half_width

ROUND_S = 0.25  # intended length of a round: long enough for the kernel's processor accounting (10 ms)
ROUND_REPEATS = 64  # most per round
QUICK_S = 1.0  # after which the repeats of a quick look stop
LEAST_ROUNDS = 3  # of a measuring process that is interleaved with others
LEAST_S = 0.3  # of repeats that count: a handful of repeats of 1 ms would show one moment of the machine
LEAST_REPEATS = 25  # are enough in less time
FOREIGN = 0.05  # share of the usable processors, used by other processes, above which a round is repeated
RETAKES = 2
LATE_ATTEMPTS = 3  # of a case that reaches its limit while others disturb it; the last is final (docs/decisions/0017)


class Interleaving:
    """Measurements whose rounds alternate in random order until each has enough samples."""

    def __init__(
        self, bench: Bench, start_states: StartStates, planned_cases: Sequence[Planned], made: Made, order: str
    ) -> None:
        self.bench = bench
        self.measurements = [Measurement(bench, start_states, planned, made, order) for planned in planned_cases]

    def run(self) -> None:
        """Measure in rounds until every measurement is complete; end the processes whatever happens."""
        interleaved = len(self.measurements) > 1
        try:
            self.bench.rng.shuffle(self.measurements)
            for measurement in self.measurements:
                measurement.prepare()
                measurement.pause(others=interleaved)
            while active := [measurement for measurement in self.measurements if measurement.active]:
                self.bench.rng.shuffle(active)
                for measurement in active:
                    measurement.run_round(alone=not interleaved)
                    measurement.pause(others=interleaved)
        finally:
            for measurement in self.measurements:
                measurement.close()


class Measurement:
    """The state of one case while it is measured: its process, its samples, and whether they are enough."""

    def __init__(self, bench: Bench, start_states: StartStates, planned: Planned, made: Made, order: str) -> None:
        self.bench, self.start_states, self.planned, self.made, self.order = bench, start_states, planned, made, order
        self.repeat = bench.job.repeat
        self.started_at = ""
        self.origin = 0.0  # the monotonic clock at `started_at`
        self.measuring_process: MeasuringProcess | MpiMeasuringProcess | None = None
        self.queued_s = 0.0  # for which the process waited for its Dask workers
        self.parts: list[Samples] = []
        self.counted: list[float] = []  # seconds of the samples that count
        self.prepared: Prepared | None = None
        self.start_evidence: StartEvidence | None = None
        self.phases: dict[str, float] = {}  # of a start that failed
        self.verdict: Verdict | None = None
        self.round_result: RoundResult | None = None
        self.measured_s = 0.0  # for which its rounds took, samples that do not count included
        self.attempts = self.rounds = 0  # rounds with and without the repeated ones
        self.threads_seen: int | None = None
        self.allowed: list[int] = []  # processors that the process was seen to be allowed to use
        self.stopped = False
        self.active = True

    def prepare(self) -> None:
        """Start the process while no other runs, and wait until it is ready to measure."""
        bench, planned = self.bench, self.planned
        self._mark_start()
        limit_s, case = self.repeat.hard_limit_s, planned.case
        state = guarded(lambda: self.start_states.make(planned, timeout_s=limit_s))
        if isinstance(state, Failure):
            self._fail(state)
            return
        self._mark_start()
        measuring_process = guarded(lambda: bench.start(planned, state.variables))
        if isinstance(measuring_process, Failure):
            self._fail(measuring_process)
            return
        self.measuring_process = measuring_process
        watch = LoadMonitor([measuring_process.pid], bench.cpus)
        command = Command(step="prepare", spec=bench.spec(planned), origin=measuring_process.started)
        wait_s = bench.wait_s(planned)
        answer = measuring_process.ask(command, Prepared, timeout_s=limit_s + wait_s, before_kill=watch.stop)
        self.queued_s = min(wait_s, answer.phases.get("queue", 0.0))
        foreign = watch.stop().foreign
        if isinstance(answer, Failure):
            self._fail(answer, foreign)
            return
        start_evidence = guarded(lambda: self.start_states.judge(case, state, answer, foreign))
        if isinstance(start_evidence, Failure):
            self._fail(start_evidence)
            return
        self.prepared, self.verdict, self.start_evidence = answer, answer.verdict, start_evidence
        for observed in answer.machines:
            bench.write(observed)

    def run_round(self, *, alone: bool) -> None:
        """Measure one round; repeat it while other processes disturb it, and keep every sample."""
        for retake in range(RETAKES + 1):
            samples = self._run_once()
            if samples is None:
                return
            may_repeat = retake < RETAKES and not self._is_out_of_time() and not self._was_quick()
            disturbed = max(samples.foreign, default=0.0) > FOREIGN and may_repeat
            if disturbed:
                samples = msgspec.structs.replace(samples, flags=[flag or 2 for flag in samples.flags])
            self._keep(samples)
            if not disturbed:
                break
        self.rounds += 1
        self._consider_stopping(alone)

    def pause(self, *, others: bool) -> None:
        """Stop the process while others measure, if there are `others`; end it if its measurement is complete."""
        if not self.active:
            self.close()
        elif others and self.measuring_process:
            machine.stop_tree(self.measuring_process.pid)
            self.stopped = True

    def close(self) -> None:
        """End the process, whatever its state."""
        if self.measuring_process:
            self.measuring_process.close()

    def _mark_start(self) -> None:
        self.started_at, self.origin = self.bench.now(), time.perf_counter()

    def _used_s(self, measuring_process: MeasuringProcess | MpiMeasuringProcess) -> float:
        """Return how much of its limit a case has used: a wait for Dask workers does not count."""
        return measuring_process.active_s - self.queued_s

    def _run_once(self) -> Samples | None:
        measuring_process = self.measuring_process
        if measuring_process is None:
            raise RuntimeError("a round of a measurement that was not prepared")
        if self.stopped:
            machine.continue_tree(measuring_process.pid)
            self.stopped = False
        used_s = self._used_s(measuring_process)
        command = Command(
            step="round",
            repeats=self._repeats(),
            round=self.attempts,
            limit_s=max(self.repeat.limit_s - used_s, 0.0),
            origin=self.origin,
        )
        computing = measuring_process.computing
        watch = LoadMonitor([measuring_process.pid, *computing], self.bench.cpus, computing)
        timeout_s = max(self.repeat.hard_limit_s - used_s, 0.0)
        answer = measuring_process.ask(command, RoundResult, timeout_s=timeout_s, before_kill=watch.stop)
        self.measured_s += self._used_s(measuring_process) - used_s
        seen = watch.stop()
        self.attempts += 1
        if isinstance(answer, Failure):
            self._fail(answer, seen.foreign)
            return None
        self.round_result = answer
        if answer.verdict is not None and self.verdict is not None:
            self.verdict = worst_of((self.verdict, answer.verdict))
        if seen.threads is not None:
            self.threads_seen = max(self.threads_seen or 0, seen.threads)
        self.allowed = seen.cpus or self.allowed
        return msgspec.structs.replace(answer.samples, foreign=[round(seen.foreign, 4)] * len(answer.samples.seconds))

    def _repeats(self) -> int:
        """Return how many repeats the next round asks for, so that it takes about `ROUND_S`."""
        if self.counted:
            repeat_s = sorted(self.counted)[len(self.counted) // 2]
        else:
            repeat_s = self.prepared.phases["first_call"] if self.prepared else ROUND_S
        wished = math.ceil(ROUND_S / max(repeat_s, 1e-9))
        return max(1, min(wished, ROUND_REPEATS, self.repeat.max_repeats - len(self.counted)))

    def _keep(self, samples: Samples) -> None:
        self.parts.append(samples)
        self.counted += samples.counted()
        planned = self.planned
        self.bench.write(
            Round(
                key=planned.key,
                process=planned.process,
                attempt=planned.attempt,
                case=planned.case,
                started_at=self.started_at,
                samples=samples,
            )
        )

    def _is_out_of_time(self) -> bool:
        """Return whether the limit does not allow a warm-up and a repeat as slow as the slowest so far."""
        if self.measuring_process is None:
            return False
        needed_s = 2.2 * max(self.counted, default=0.0)
        return self._used_s(self.measuring_process) + needed_s >= self.repeat.limit_s

    def _was_quick(self) -> bool:
        """Return whether this is a quick look that has had its time."""
        return self.planned.case.quick and self.measured_s >= QUICK_S

    def _consider_stopping(self, alone: bool) -> None:
        if self.verdict is not None and not self.verdict.ok:
            self._finish("wrong")
            return
        counted = self.counted
        long = sum(counted) >= LEAST_S or len(counted) >= LEAST_REPEATS
        enough = long and len(counted) >= self.repeat.min_repeats and (alone or self.rounds >= LEAST_ROUNDS)
        width = relative_half_width(median_interval(counted)) if len(counted) > 1 else None
        if enough and width is not None and width <= self.repeat.interval:
            self._finish("interval")
        elif len(counted) >= self.repeat.max_repeats:
            self._finish("max_repeats")
        elif self._is_out_of_time():
            self._finish("limit")
        elif self._was_quick():
            self._finish("quick")
        elif len(counted) >= self.repeat.min_repeats and self.measured_s >= (self.repeat.measure_s or math.inf):
            self._finish("measure")

    def _fail(self, failure: Failure, foreign: float = 0.0) -> None:
        """Write the record of a failure; `foreign` is the share of the processors that other programs used then."""
        self.active = False
        self.phases = {**failure.phases, **self.phases}
        if failure.outcome is Outcome.TIMEOUT:
            failure = self._timed_out(failure.message, foreign)
        self.bench.write(self._record(failure.outcome, failure.reason, failure.message, None))

    def _timed_out(self, message: str, foreign: float) -> Failure:
        """Return the failure of a case that reached its limit: if others disturbed it, the next run repeats it."""
        busy = max([foreign, *(share for part in self.parts for share in part.foreign)])
        limit = f"repeat.limit_s = {self.repeat.limit_s:g} per case"
        if busy <= FOREIGN or self.planned.attempt >= LATE_ATTEMPTS:
            return Failure(outcome=Outcome.TIMEOUT, reason=Reason.KERNEL, message=f"{message} ({limit})")
        disturbed = f"other programs used {100 * busy:.0f} % of the processors; run the same command again to repeat it"
        return Failure(outcome=Outcome.TIMEOUT, reason=Reason.CAPACITY, message=f"{message} ({limit}); {disturbed}")

    def _finish(self, stop_reason: str) -> None:
        self.active = False
        verdict = self.verdict
        correct = verdict is not None and verdict.ok
        if correct and not self.counted:
            late = self._timed_out("time limit: no repeat ended in time; raise the limit", 0.0)
            self.bench.write(self._record(late.outcome, late.reason, late.message, stop_reason))
            return
        outcome, reason = (Outcome.OK, None) if correct else (Outcome.WRONG, Reason.KERNEL)
        messages = [verdict.message if verdict else "", self._thread_leak()]
        self.bench.write(self._record(outcome, reason, "; ".join(filter(None, messages)), stop_reason))

    def _thread_leak(self) -> str:
        """Return a message if each repeat left a thread behind; else an empty text."""
        left = self.round_result.threads_left if self.round_result else 0
        if not left:
            return ""
        return f"each repeat leaves threads running, {left} in the last round; end them before the function returns"

    def _record(self, outcome: Outcome, reason: Reason | None, message: str, stop_reason: str | None) -> Record:
        samples = Samples.concatenate(self.parts) if self.parts else None
        phases = {"make": self.made.make_s}
        phases |= self.prepared.phases if self.prepared else self.phases
        verdict, round_result = self.verdict, self.round_result
        energy_j = _energy_j(samples)
        identity = self.bench.identity(self.planned, self.started_at)
        if self.prepared and self.prepared.machines:
            identity["machine"] = self.prepared.machines[0].id
        return Record(
            **identity,
            outcome=outcome,
            reason=reason,
            message=message,
            verified_by=verdict.verified_by if verdict else None,
            error=verdict.error if verdict else None,
            tolerance=verdict.tolerance if verdict else None,
            samples=samples,
            phases=phases,
            start_evidence=self.start_evidence,
            stop_reason=stop_reason,
            work=self.made.work,
            blocks=self.made.blocks,
            exceeds_cache=self.made.exceeds_cache,
            order=self.order,
            cores_used=_cores_used(samples),
            threads_seen=self.threads_seen,
            cpus=self.allowed,
            workers=self.prepared.workers if self.prepared else [],
            settings=self.prepared.settings if self.prepared else {},
            peak_memory_bytes=round_result.peak_memory_bytes if round_result else None,
            peak_device_bytes=round_result.peak_device_bytes if round_result else None,
            energy_j=energy_j,
            energy_basis="none" if energy_j is None else "measured",
        )


def _cores_used(samples: Samples | None) -> float | None:
    """Return processor seconds per second over the samples that count; None if no sample counts."""
    if samples is None:
        return None
    counted = [
        (cpu, wall) for cpu, wall, flag in zip(samples.cpu_s, samples.seconds, samples.flags, strict=True) if not flag
    ]
    wall_s = sum(wall for _, wall in counted)
    return round(sum(cpu for cpu, _ in counted) / wall_s, 3) if wall_s else None


def _energy_j(samples: Samples | None) -> float | None:
    """Return the mean energy of the samples that count; None on a machine without an energy counter."""
    if samples is None or len(samples.energy_j) != len(samples.flags):
        return None
    counted = [energy for energy, flag in zip(samples.energy_j, samples.flags, strict=True) if not flag]
    return sum(counted) / len(counted) if counted else None
