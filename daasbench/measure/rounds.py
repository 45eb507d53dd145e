"""Contenders taking turns: who has the word, for how long, when it is enough, and what is written down."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from daasbench.host import machine
from daasbench.host.load_monitor import Watch
from daasbench.measure.failures import guarded
from daasbench.measure.messages import Command, Failure, Made, Prepared, Turned
from daasbench.measure.mpi_process import RankContender
from daasbench.measure.process import Contender
from daasbench.measure.samples import concatenate, worse
from daasbench.model import Footing, Outcome, Planned, Reason, Record, Samples, Turn, Verdict
from daasbench.statistics.intervals import median_interval, relative_half_width

if TYPE_CHECKING:
    from daasbench.measure.comparison import Referee

TURN_S = 0.25  # aim for the length of a turn: long enough for the kernel's processor accounting (10 ms)
TURN_REPEATS = 64  # most in one turn
LEAST_TURNS = 3  # of a contender that is not alone
FOREIGN = 0.05  # share of the usable processors above which a turn is repeated
RETAKES = 2


class Round:
    """Contenders that take turns until each has enough."""

    def __init__(self, referee: Referee, planned: Sequence[Planned], made: Made, order: str) -> None:
        self.referee, self.made, self.order = referee, made, order
        self.seats = [Seat(referee, one, made, order) for one in planned]

    def run(self) -> None:
        """Give each contender the word in turn until all are done; end their processes whatever happens."""
        try:
            self.referee.chance.shuffle(self.seats)
            for seat in self.seats:
                seat.prepare()
                seat.rest(len(self.seats) > 1)
            while active := [seat for seat in self.seats if seat.active]:
                self.referee.chance.shuffle(active)
                for seat in active:
                    seat.take_turn(alone=len(self.seats) == 1)
                    seat.rest(len(self.seats) > 1)
        finally:
            for seat in self.seats:
                seat.leave()


class Seat:
    """One contender in a round: its process, its samples, and whether it is done."""

    def __init__(self, referee: Referee, planned: Planned, made: Made, order: str) -> None:
        self.referee, self.planned, self.made, self.order = referee, planned, made, order
        self.repeat = referee.job.repeat
        self.started_at = ""
        self.origin = 0.0
        self.contender: Contender | RankContender | None = None
        self.parts: list[Samples] = []
        self.counted: list[float] = []  # seconds of the samples that count
        self.prepared: Prepared | None = None
        self.footing: Footing | None = None
        self.phases: dict[str, float] = {}  # of a start that failed
        self.verdict: Verdict | None = None
        self.turned: Turned | None = None
        self.turns = self.rounds = 0  # with and without the repeated ones
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
        contender = guarded(lambda: self.referee.start(self.planned, state.variables))
        if isinstance(contender, Failure):
            self._fail(contender)
            return
        self.contender = contender
        watch = Watch([contender.pid], self.referee.cpus) if case.start else None
        command = Command(step="prepare", spec=self.referee.spec(self.planned), origin=contender.started)
        wait_s = self.referee.wait_s(self.planned)
        answer = contender.ask(command, Prepared, timeout_s=limit_s + wait_s)
        contender.active_s -= min(wait_s, answer.phases.get("queue", 0.0))  # the place's time, not the case's
        foreign = watch.stop().foreign if watch else 0.0
        if not isinstance(answer, Failure):
            footing = guarded(lambda: self.referee.starts.judge(case, state, answer, foreign))
            if not isinstance(footing, Failure):
                self.prepared, self.verdict, self.footing = answer, answer.verdict, footing
                for one in answer.machines:
                    self.referee.write(one)
                return
            answer = footing
        self._fail(answer)

    def take_turn(self, *, alone: bool) -> None:
        """Give the contender the word; repeat the turn while others disturb it, and keep every sample."""
        for retake in range(RETAKES + 1):
            samples = self._one_turn()
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
        elif others and self.contender:
            machine.stop_tree(self.contender.pid)
            self.stopped = True

    def leave(self) -> None:
        """End the process, whatever its state."""
        if self.contender:
            self.contender.close()

    # --- inside

    def _one_turn(self) -> Samples | None:
        contender = self.contender
        if contender is None:
            raise RuntimeError("a turn of a contender that was not prepared")
        if self.stopped:
            machine.continue_tree(contender.pid)
            self.stopped = False
        left_s = max(self.repeat.limit_s - contender.active_s, 0.0)
        command = Command(step="turn", repeats=self._repeats(), turn=self.turns, limit_s=left_s, origin=self.origin)
        watch = Watch([contender.pid, *contender.computing], self.referee.cpus, contender.computing)
        answer = contender.ask(command, Turned, timeout_s=max(self.repeat.hard_limit_s - contender.active_s, 0.0))
        seen = watch.stop()
        self.turns += 1
        if isinstance(answer, Failure):
            self._fail(answer)
            return None
        self.turned = answer
        if answer.verdict is not None and self.verdict is not None:
            self.verdict = worse(self.verdict, answer.verdict)
        self.threads_seen = max(self.threads_seen or 0, seen.threads) if seen.threads is not None else self.threads_seen
        self.allowed = seen.cpus or self.allowed
        return msgspec.structs.replace(answer.samples, foreign=[round(seen.foreign, 4)] * len(answer.samples.seconds))

    def _repeats(self) -> int:
        if self.counted:
            one_s = sorted(self.counted)[len(self.counted) // 2]
        else:
            one_s = self.prepared.phases["first_call"] if self.prepared else TURN_S
        wished = math.ceil(TURN_S / max(one_s, 1e-9))
        return max(1, min(wished, TURN_REPEATS, self.repeat.max_repeats - len(self.counted)))

    def _keep(self, samples: Samples) -> None:
        self.parts.append(samples)
        self.counted += samples.counted()
        one = self.planned
        self.referee.write(
            Turn(
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
        if self.contender is None:
            return False
        needed_s = 2.2 * max(self.counted, default=0.0)
        return self.contender.active_s + needed_s >= self.repeat.limit_s

    def _consider_stopping(self, alone: bool) -> None:
        if self.verdict is not None and not self.verdict.ok:
            self._done("wrong")
            return
        counted = self.counted
        enough = len(counted) >= self.repeat.min_repeats and (alone or self.rounds >= LEAST_TURNS)
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
            told = f"no repeat ended within limit_s = {self.repeat.limit_s:g}; raise it"
            self.referee.write(self._record(Outcome.TIMEOUT, Reason.KERNEL, told, stop_reason))
            return
        outcome, reason = (Outcome.OK, None) if right else (Outcome.WRONG, Reason.KERNEL)
        self.referee.write(self._record(outcome, reason, verdict.message if verdict else "", stop_reason))

    def _record(self, outcome: Outcome, reason: Reason | None, message: str, stop_reason: str | None) -> Record:
        samples = concatenate(self.parts) if self.parts else None
        phases = {"make": self.made.make_s}
        phases |= self.prepared.phases if self.prepared else self.phases
        verdict, turned = self.verdict, self.turned
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
            footing=self.footing,
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
            peak_memory_bytes=turned.peak_memory_bytes if turned else None,
            peak_device_bytes=turned.peak_device_bytes if turned else None,
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
