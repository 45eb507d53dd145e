"""One comparison in one fresh set of processes: who has the word, for how long, and what is written down.

Each implementation is prepared in a process of its own. Then the processes are given the word in randomised
order, a turn at a time, so that drift hits all alike; those that wait are stopped (SIGSTOP), because spinning
thread pools would slow the one that runs. A turn in which others used more than 5 % of the usable processors
is repeated, twice at most; its samples are kept, marked as disturbed.
"""

from __future__ import annotations

import math
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from daasbench import machine, measure
from daasbench.backends import require
from daasbench.contender import Command, Contender
from daasbench.errors import DaasbenchError, Lacking
from daasbench.measure import Failure, Made, Prepared, Spec, Turned
from daasbench.model import SCHEMA, Case, Job, Machine, Outcome, Planned, Reason, Record, Samples, Turn, Verdict
from daasbench.statistics import median_interval, relative_half_width
from daasbench.watch import Watch

TURN_S = 0.25  # aim for the length of a turn: long enough for the kernel's processor accounting (10 ms)
TURN_REPEATS = 64  # most in one turn
LEAST_TURNS = 3  # of a contender that is not alone
FOREIGN = 0.05  # share of the usable processors above which a turn is repeated
RETAKES = 2
MEMORY_SHARE = 0.8  # of the usable memory that contenders may be predicted to need together
RUNTIME_BYTES = 400e6  # interpreter, libraries and compiler of one contender


class Referee:
    """Runs the sets of one job on this machine.

    Parameters
    ----------
    job, observed
        The job, and the machine as it was observed.
    limits
        By number of threads, the id of the line with the machine's limits.
    write
        Appends a line to the ledger.
    now
        The clock: UTC, ISO 8601.
    """

    def __init__(
        self,
        job: Job,
        observed: Machine,
        limits: dict[int, str],
        *,
        write: Callable[[Record | Turn], None],
        now: Callable[[], str],
        scratch: Path,
        log: IO[bytes],
    ) -> None:
        self.job, self.observed, self.limits = job, observed, limits
        self.write, self.now, self.scratch, self.log = write, now, scratch, log
        self.cpus = machine.allowed_cpus(os.getpid())[: machine.usable_cores()]
        self.chance = random.Random(job.order_seed)
        self._maker: Contender | None = None

    def run_set(self, planned: Sequence[Planned]) -> None:
        """Measure the cases of one comparison in fresh processes; write one record for each."""
        able = []
        for one in planned:
            lack = lack_of(one.case, self.job.sources.get(one.case.kernel), gpus=len(self.observed.gpus))
            if lack:
                failure = Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=lack)
                self.write(self._record(one, self.now(), failure))
            else:
                able.append(one)
        if not able:
            return
        shutil.rmtree(self.scratch, ignore_errors=True)
        try:
            self._run_able(able)
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _run_able(self, able: Sequence[Planned]) -> None:
        started_at = self.now()
        made = self._make(able[0])
        if isinstance(made, Failure):
            told = msgspec.structs.replace(made, message=f"no inputs: {made.message}")
            for one in able:
                self.write(self._record(one, started_at, told))
            return
        fitting: list[Planned] = []
        needs: dict[str, float] = {}
        usable = machine.usable_memory_bytes()
        for one in able:
            kernel = measure.find_kernel(one.case, self.job.sources.get(one.case.kernel))
            predicted = measure.predicted_bytes(kernel, one.case, made.work, self.observed.last_level_cache_bytes)
            needs[one.key] = predicted + RUNTIME_BYTES
            if needs[one.key] > usable:
                lack = _too_much(needs[one.key], usable, one.case)
                failure = Failure(outcome=Outcome.SKIPPED, reason=Reason.CAPACITY, message=lack)
                self.write(self._record(one, started_at, failure))
            else:
                fitting.append(one)
        together = sum(needs[one.key] for one in fitting) <= MEMORY_SHARE * usable
        whole = [one for one in fitting if one.case.gpus or one.case.ranks > 1]
        groups = [[one] for one in fitting] if not together or whole else [list(fitting)]
        self.chance.shuffle(groups)
        order = "interleaved" if together and not whole else "blocks" if together else "serial"
        for group in groups:
            _Round(self, group, made, order if len(fitting) > 1 else "alone").run()

    def close(self) -> None:
        """End the process that makes inputs."""
        if self._maker is not None:
            self._maker.close()
            self._maker = None

    def _make(self, one: Planned) -> Made | Failure:
        """Return what the maker of inputs says; it measures nothing, so one process serves all sets of the job."""
        command = Command(step="make", spec=self.spec(one))
        while True:
            fresh = self._maker is None
            self._maker = self._maker or Contender(len(self.cpus), self.cpus, self.log)
            answer = self._maker.ask(command, Made, timeout_s=self.hard_limit_s)
            if not isinstance(answer, Failure):
                return answer
            self.close()  # it may be gone, or in any state
            if fresh:
                return answer

    @property
    def hard_limit_s(self) -> float:
        """Return the time after which a process that does not answer is ended."""
        return hard_limit_s(self.job.repeat.limit_s)

    def spec(self, one: Planned) -> Spec:
        """Return what a process is told about a case."""
        return Spec(
            case=one.case,
            scratch=str(self.scratch),
            paths=self.job.inputs.get(one.case.input_hash or "", {}),
            source=self.job.sources.get(one.case.kernel),
            cache_bytes=self.observed.last_level_cache_bytes,
        )

    def start(self, one: Planned) -> Contender:
        """Start the process of a contender, pinned to as many processors as it has threads."""
        needed = one.case.threads
        cpus = self.cpus[:needed]
        return Contender(one.case.threads, cpus, self.log)

    def _record(self, one: Planned, started_at: str, failure: Failure) -> Record:
        return Record(
            **self.identity(one, started_at),
            outcome=failure.outcome,
            reason=failure.reason,
            message=failure.message,
        )

    def _is_peer(self, case: Case) -> bool | None:
        try:
            kernel = measure.find_kernel(case, self.job.sources.get(case.kernel))
            return kernel.implementations[case.implementation].peer
        except (DaasbenchError, KeyError):
            return None

    def identity(self, one: Planned, started_at: str) -> dict[str, Any]:
        """Return the fields of a record that do not depend on how the attempt ended."""
        return {
            "key": one.key,
            "run": self.job.run,
            "job": self.job.id,
            "platform": self.job.platform_name,
            "process": one.process,
            "attempt": one.attempt,
            "case": one.case,
            "peer": self._is_peer(one.case),
            "commit": self.job.commit,
            "machine": self.observed.id,
            "limits": self.limits.get(one.case.threads),
            "started_at": started_at,
            "schema": SCHEMA,
        }


class _Round:
    """Contenders that take turns until each has enough."""

    def __init__(self, referee: Referee, planned: Sequence[Planned], made: Made, order: str) -> None:
        self.referee, self.made, self.order = referee, made, order
        self.seats = [_Seat(referee, one, made, order) for one in planned]

    def run(self) -> None:
        try:
            self.referee.chance.shuffle(self.seats)
            for seat in self.seats:
                seat.prepare()
                seat.pause(len(self.seats) > 1)
            while active := [seat for seat in self.seats if seat.active]:
                self.referee.chance.shuffle(active)
                for seat in active:
                    seat.take_turn(alone=len(self.seats) == 1)
                    seat.pause(len(self.seats) > 1)
        finally:
            for seat in self.seats:
                seat.leave()


class _Seat:
    """One contender in a round: its process, its samples, and whether it is done."""

    def __init__(self, referee: Referee, planned: Planned, made: Made, order: str) -> None:
        self.referee, self.planned, self.made, self.order = referee, planned, made, order
        self.repeat = referee.job.repeat
        self.started_at = referee.now()
        self.contender = referee.start(planned)
        self.parts: list[Samples] = []
        self.prepared: Prepared | None = None
        self.verdict: Verdict | None = None
        self.turned: Turned | None = None
        self.turns = 0
        self.cpu_s = self.busy_s = 0.0
        self.threads_seen: int | None = None
        self.allowed: list[int] = []
        self.stopped = False
        self.active = True

    # --- steps

    def prepare(self) -> None:
        command = Command(step="prepare", spec=self.referee.spec(self.planned))
        answer = self.contender.ask(command, Prepared, timeout_s=self.referee.hard_limit_s)
        if isinstance(answer, Failure):
            self._fail(answer)
            return
        self.prepared, self.verdict = answer, answer.verdict

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
        self._consider_stopping(alone)

    def pause(self, others: bool) -> None:
        """Stop the process while it waits, if there are others."""
        if self.active and others:
            machine.stop_tree(self.contender.pid)
            self.stopped = True

    def leave(self) -> None:
        """End the process, whatever its state."""
        self.contender.close()

    # --- inside

    def _one_turn(self) -> Samples | None:
        if self.stopped:
            machine.continue_tree(self.contender.pid)
            self.stopped = False
        pid = self.contender.pid
        left_s = self.repeat.limit_s - self.contender.active_s
        command = Command(step="turn", repeats=self._repeats(), turn=self.turns, limit_s=max(left_s, 0.0))
        watch = Watch(pid, self.referee.cpus)
        slack = self.referee.hard_limit_s - self.repeat.limit_s
        answer = self.contender.ask(command, Turned, timeout_s=max(left_s, 0.0) + slack)
        seen = watch.stop()
        self.turns += 1
        if isinstance(answer, Failure):
            self._fail(answer)
            return None
        self.turned = answer
        if answer.verdict is not None and self.verdict is not None:
            self.verdict = measure.worse(self.verdict, answer.verdict)
        self.threads_seen = max(self.threads_seen or 0, seen.threads) if seen.threads is not None else self.threads_seen
        self.allowed = seen.cpus or self.allowed
        return msgspec.structs.replace(answer.samples, foreign=[round(seen.foreign, 4)] * len(answer.samples.seconds))

    def _repeats(self) -> int:
        counted = measure.concatenate(self.parts).counted()
        if counted:
            one_s = sorted(counted)[len(counted) // 2]
        else:
            one_s = self.prepared.phases["first_call"] if self.prepared else TURN_S
        wished = math.ceil(TURN_S / max(one_s, 1e-9))
        return max(1, min(wished, TURN_REPEATS, self.repeat.max_repeats - len(counted)))

    def _keep(self, samples: Samples) -> None:
        self.parts.append(samples)
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
        return self.contender.active_s >= self.repeat.limit_s

    def _consider_stopping(self, alone: bool) -> None:
        if self.verdict is not None and not self.verdict.ok:
            self._done("wrong")
            return
        counted = measure.concatenate(self.parts).counted()
        enough = len(counted) >= self.repeat.min_repeats and (alone or self.turns >= LEAST_TURNS)
        width = relative_half_width(median_interval(counted)) if len(counted) > 1 else None
        if enough and width is not None and width <= self.repeat.interval:
            self._done("interval")
        elif len(counted) >= self.repeat.max_repeats:
            self._done("max_repeats")
        elif self._spent():
            self._done("limit")

    def _fail(self, failure: Failure) -> None:
        self.active = False
        self.referee.write(self._record(failure.outcome, failure.reason, failure.message, None))

    def _done(self, stop_reason: str) -> None:
        self.active = False
        verdict = self.verdict
        right = verdict is not None and verdict.ok
        counted = measure.concatenate(self.parts).counted()
        if right and not counted:
            told = f"no repeat ended within limit_s = {self.repeat.limit_s:g}; raise it"
            self.referee.write(self._record(Outcome.TIMEOUT, Reason.KERNEL, told, stop_reason))
            return
        outcome, reason = (Outcome.OK, None) if right else (Outcome.WRONG, Reason.KERNEL)
        self.referee.write(self._record(outcome, reason, verdict.message if verdict else "", stop_reason))

    def _record(self, outcome: Outcome, reason: Reason | None, message: str, stop_reason: str | None) -> Record:
        samples = measure.concatenate(self.parts) if self.parts else None
        phases = {"make": self.made.make_s}
        if self.prepared:
            phases |= self.prepared.phases
        verdict, turned = self.verdict, self.turned
        energy_j = _energy_j(samples)
        return Record(
            **self.referee.identity(self.planned, self.started_at),
            outcome=outcome,
            reason=reason,
            message=message,
            verified_by=verdict.verified_by if verdict else None,
            error=verdict.error if verdict else None,
            tolerance=verdict.tolerance if verdict else None,
            samples=samples,
            phases=phases,
            stop_reason=stop_reason,
            work=self.made.work,
            blocks=self.made.blocks,
            exceeds_cache=self.made.exceeds_cache,
            order=self.order,
            cores_used=_cores_used(samples),
            threads_seen=self.threads_seen,
            cpus=self.allowed,
            peak_memory_bytes=turned.peak_memory_bytes if turned else None,
            peak_device_bytes=turned.peak_device_bytes if turned else None,
            energy_j=energy_j,
            energy_basis="none" if energy_j is None else "measured",
        )


def hard_limit_s(limit_s: float) -> float:
    """Return when a process that has not come back is ended: a quarter and a second after its limit."""
    return 1.25 * limit_s + 1.0


def lack_of(case: Case, source: str | None, *, gpus: int) -> str | None:
    """Return what this machine lacks for a case, with the cure; None if it has everything."""
    cores = machine.usable_cores()
    if case.threads * case.ranks > cores:
        asked = f"{case.threads} threads" if case.ranks == 1 else f"{case.ranks} ranks of {case.threads} threads"
        return f'{asked} asked, {cores} cores usable here; write threads = "max" or use a larger machine'
    if case.gpus > max(gpus, 1):
        return f"{case.gpus} GPUs asked, {gpus} usable here; run on a machine that has them"
    try:
        kernel = measure.find_kernel(case, source)
        require(kernel.implementations[case.implementation])
        if case.size is None:
            return None  # a file's size is known when it is read
        work = kernel.work(kernel.sizes[case.size], measure.case_options(kernel, case, {}))
    except Lacking as lack:
        return str(lack)
    predicted = measure.predicted_bytes(kernel, case, work, machine.last_level_cache_bytes())
    usable = machine.usable_memory_bytes()
    if predicted and predicted + RUNTIME_BYTES > usable:
        return _too_much(predicted + RUNTIME_BYTES, usable, case)
    return None


def sets_of(job: Job) -> Iterator[list[Planned]]:
    """Yield the sets of a job in its order: the contenders of one comparison in one set of processes."""
    sets: dict[tuple[int, str], list[Planned]] = {}
    for one in job.planned:
        sets.setdefault((one.process, one.case.problem_id), []).append(one)
    yield from sets.values()


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


def _too_much(predicted: float, usable: float, case: Case) -> str:
    what = f"size {case.size!r}" if case.size else f"file {case.input}"
    return (
        f"{what} is predicted to need {predicted / 2**30:.1f} GiB of memory, {usable / 2**30:.1f} GiB are usable here;"
        " choose a smaller size or a larger machine"
    )
