"""Contenders taking turns: who has the word, for how long, when it is enough, and what is written down."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from daasbench.host import machine
from daasbench.host.load_monitor import LoadMonitor
from daasbench.measure.failures import guarded
from daasbench.measure.messages import Command, Failure, Made, Prepared, RoundResult
from daasbench.measure.mpi_process import MpiMeasuringProcess
from daasbench.measure.process import MeasuringProcess
from daasbench.measure.samples import concatenate, worse
from daasbench.model import Outcome, Planned, Reason, Record, Round, Samples, StartEvidence, Verdict
from daasbench.statistics.intervals import median_interval, relative_half_width

if TYPE_CHECKING:
    from daasbench.measure.comparison import ComparisonRunner

ROUND_S = 0.25  # aim for the length of a turn: long enough for the kernel's processor accounting (10 ms)
ROUND_REPEATS = 64  # most in one turn
LEAST_ROUNDS = 3  # of a contender that is not alone
FOREIGN = 0.05  # share of the usable processors above which a turn is repeated
RETAKES = 2


class Interleaving:
    """Contenders that take turns until each has enough."""

    def __init__(self, referee: ComparisonRunner, planned: Sequence[Planned], made: Made, order: str) -> None:
        self.referee, self.made, self.order = referee, made, order
        self.measurements = [Measurement(referee, one, made, order) for one in planned]

    def run(self) -> None:
        """Give each contender the word in turn until all are done; end their processes whatever happens."""
        try:
            self.referee.rng.shuffle(self.measurements)
            for measurement in self.measurements:
                measurement.prepare()
                measurement.rest(len(self.measurements) > 1)
            while active := [measurement for measurement in self.measurements if measurement.active]:
                self.referee.rng.shuffle(active)
                for measurement in active:
                    measurement.run_round(alone=len(self.measurements) == 1)
                    measurement.rest(len(self.measurements) > 1)
        finally:
            for measurement in self.measurements:
                measurement.leave()


class Measurement:
    """One contender in a round: its process, its samples, and whether it is done."""

    def __init__(self, referee: ComparisonRunner, planned: Planned, made: Made, order: str) -> None:
        self.referee, self.planned, self.made, self.order = referee, planned, made, order
        self.repeat = referee.job.repeat
        self.started_at = ""
        self.origin = 0.0
        self.measuring_process: MeasuringProcess | MpiMeasuringProcess | None = None
        self.parts: list[Samples] = []
        self.counted: list[float] = []  # seconds of the samples that count
        self.prepared: Prepared | None = None
        self.start_evidence: StartEvidence | None = None
        self.phases: dict[str, float] = {}  # of a start that failed
        self.verdict: Verdict | None = None
        self.round_result: RoundResult | None = None
        self.attempts = self.rounds = 0  # rounds with and without the repeated ones
        self.cpu_s = self.busy_s = 0.0
        self.threads_seen: int | None = None
        self.allowed: list[int] = []
        self.stopped = False
        self.active = True

    # --- steps

    def prepare(self) -> None:
        """Start the process, when no other runs, and let it get ready."""
        self.started_at, self.origin = self.referee.now(), time.perf_counter()
        limit_s, case = self.repeat.hard_limit_s, self.planned.case
        state = guarded(lambda: self.referee.starts.make(self.planned, timeout_s=limit_s))
        if isinstance(state, Failure):
            self._fail(state)
            return
        self.started_at, self.origin = self.referee.now(), time.perf_counter()
        measuring_process = guarded(lambda: self.referee.start(self.planned, state.variables))
        if isinstance(measuring_process, Failure):
            self._fail(measuring_process)
            return
        self.measuring_process = measuring_process
        watch = LoadMonitor([measuring_process.pid], self.referee.cpus) if case.start else None
        command = Command(step="prepare", spec=self.referee.spec(self.planned), origin=measuring_process.started)
        wait_s = self.referee.wait_s(self.planned)
        answer = measuring_process.ask(command, Prepared, timeout_s=limit_s + wait_s)
        measuring_process.active_s -= min(wait_s, answer.phases.get("queue", 0.0))  # the place's time, not the case's
        foreign = watch.stop().foreign if watch else 0.0
        if not isinstance(answer, Failure):
            start_evidence = guarded(lambda: self.referee.starts.judge(case, state, answer, foreign))
            if not isinstance(start_evidence, Failure):
                self.prepared, self.verdict, self.start_evidence = answer, answer.verdict, start_evidence
                for one in answer.machines:
                    self.referee.write(one)
                return
            answer = start_evidence
        self._fail(answer)

    def run_round(self, *, alone: bool) -> None:
        """Give the contender the word; repeat the turn while others disturb it, and keep every sample."""
        for retake in range(RETAKES + 1):
            samples = self._run_once()
            if samples is None:
                return
            disturbed = max(samples.foreign, default=0.0) > FOREIGN and retake < RETAKES and not self._spent()
            if disturbed:
                samples = msgspec.structs.replace(samples, flags=[flag or 2 for flag in samples.flags])
            self._keep(samples)
            if not disturbed:
                break
        self.rounds += 1
        self._consider_stopping(alone)

    def rest(self, others: bool) -> None:
        """Stop the process while it waits, if there are others; end it if it has done its part."""
        if not self.active:
            self.leave()
        elif others and self.measuring_process:
            machine.stop_tree(self.measuring_process.pid)
            self.stopped = True

    def leave(self) -> None:
        """End the process, whatever its state."""
        if self.measuring_process:
            self.measuring_process.close()

    # --- inside

    def _run_once(self) -> Samples | None:
        measuring_process = self.measuring_process
        if measuring_process is None:
            raise RuntimeError("a turn of a contender that was not prepared")
        if self.stopped:
            machine.continue_tree(measuring_process.pid)
            self.stopped = False
        left_s = max(self.repeat.limit_s - measuring_process.active_s, 0.0)
        command = Command(
            step="round", repeats=self._repeats(), round=self.attempts, limit_s=left_s, origin=self.origin
        )
        watch = LoadMonitor(
            [measuring_process.pid, *measuring_process.computing], self.referee.cpus, measuring_process.computing
        )
        answer = measuring_process.ask(
            command, RoundResult, timeout_s=max(self.repeat.hard_limit_s - measuring_process.active_s, 0.0)
        )
        seen = watch.stop()
        self.attempts += 1
        if isinstance(answer, Failure):
            self._fail(answer)
            return None
        self.round_result = answer
        if answer.verdict is not None and self.verdict is not None:
            self.verdict = worse(self.verdict, answer.verdict)
        self.threads_seen = max(self.threads_seen or 0, seen.threads) if seen.threads is not None else self.threads_seen
        self.allowed = seen.cpus or self.allowed
        return msgspec.structs.replace(answer.samples, foreign=[round(seen.foreign, 4)] * len(answer.samples.seconds))

    def _repeats(self) -> int:
        if self.counted:
            one_s = sorted(self.counted)[len(self.counted) // 2]
        else:
            one_s = self.prepared.phases["first_call"] if self.prepared else ROUND_S
        wished = math.ceil(ROUND_S / max(one_s, 1e-9))
        return max(1, min(wished, ROUND_REPEATS, self.repeat.max_repeats - len(self.counted)))

    def _keep(self, samples: Samples) -> None:
        self.parts.append(samples)
        self.counted += samples.counted()
        one = self.planned
        self.referee.write(
            Round(
                key=one.key,
                process=one.process,
                attempt=one.attempt,
                case=one.case,
                started_at=self.started_at,
                samples=samples,
            )
        )

    def _spent(self) -> bool:
        """Return whether no time is left for a warm-up and a repeat as slow as the slowest so far."""
        if self.measuring_process is None:
            return False
        needed_s = 2.2 * max(self.counted, default=0.0)
        return self.measuring_process.active_s + needed_s >= self.repeat.limit_s

    def _consider_stopping(self, alone: bool) -> None:
        if self.verdict is not None and not self.verdict.ok:
            self._done("wrong")
            return
        counted = self.counted
        enough = len(counted) >= self.repeat.min_repeats and (alone or self.rounds >= LEAST_ROUNDS)
        width = relative_half_width(median_interval(counted)) if len(counted) > 1 else None
        if enough and width is not None and width <= self.repeat.interval:
            self._done("interval")
        elif len(counted) >= self.repeat.max_repeats:
            self._done("max_repeats")
        elif self._spent():
            self._done("limit")

    def _fail(self, failure: Failure) -> None:
        self.active = False
        self.phases = {**failure.phases, **self.phases}
        self.referee.write(self._record(failure.outcome, failure.reason, failure.message, None))

    def _done(self, stop_reason: str) -> None:
        self.active = False
        verdict = self.verdict
        right = verdict is not None and verdict.ok
        if right and not self.counted:
            message = f"no repeat ended within limit_s = {self.repeat.limit_s:g}; raise it"
            self.referee.write(self._record(Outcome.TIMEOUT, Reason.KERNEL, message, stop_reason))
            return
        outcome, reason = (Outcome.OK, None) if right else (Outcome.WRONG, Reason.KERNEL)
        self.referee.write(self._record(outcome, reason, verdict.message if verdict else "", stop_reason))

    def _record(self, outcome: Outcome, reason: Reason | None, message: str, stop_reason: str | None) -> Record:
        samples = concatenate(self.parts) if self.parts else None
        phases = {"make": self.made.make_s}
        phases |= self.prepared.phases if self.prepared else self.phases
        verdict, round_result = self.verdict, self.round_result
        energy_j = _energy_j(samples)
        identity = self.referee.identity(self.planned, self.started_at)
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
    """Return processor seconds per second over the samples that count; None if there are none."""
    if samples is None:
        return None
    counted = [
        (cpu, wall) for cpu, wall, flag in zip(samples.cpu_s, samples.seconds, samples.flags, strict=True) if not flag
    ]
    wall_s = sum(wall for _, wall in counted)
    return round(sum(cpu for cpu, _ in counted) / wall_s, 3) if wall_s else None


def _energy_j(samples: Samples | None) -> float | None:
    """Return the mean energy of the samples that count; None where no counter was."""
    if samples is None or len(samples.energy_j) != len(samples.flags):
        return None
    counted = [energy for energy, flag in zip(samples.energy_j, samples.flags, strict=True) if not flag]
    return sum(counted) / len(counted) if counted else None
