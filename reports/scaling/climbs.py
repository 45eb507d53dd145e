"""From evidence to climbs: one way to compute on more and more cores of one place, and what each rung brought.

Only measured and verified rungs have figures; the others stay, with their reason. Nothing here formats.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from daasbench.model import Basis, Case, Record
from daasbench.scenario.scaling_series import CasePoint, CaseSeries, Intent, breach, effort, kept, measured_series
from daasbench.statistics import Fit, Interval, Law, across_processes, fit, gain, median_interval, scaled

from ..summary.claims import Level, level, problems
from ..summary.entries import Entry, entries

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

ENOUGH = 0.5  # of the average of those before it: below, another rank is said to buy too little
APART = 10**9  # more than the numbers of the sets of one entry

LAWS = {Intent.STRONG: Law.AMDAHL, Intent.WEAK: Law.GUSTAFSON}


@dataclass(frozen=True, kw_only=True)
class MpiTimes:
    """What a rung spent in calls to MPI, as shares of a repeat.

    `share` is the mean over the ranks, with the interval across processes; `least` and `most` are of any rank.
    """

    share: Interval
    least: float
    most: float
    calls: float
    clock: float  # the share that timing the calls took itself


@dataclass(frozen=True, kw_only=True)
class Step:
    """One rung of a climb.

    `count` counts ranks, or threads of one process; `fault` says why it has no figures, None if it has.
    """

    entry: Entry
    count: int
    cores: int
    fault: str | None
    speed_up: Interval | None = None  # over the lowest rung; the work of weak scaling is counted
    efficiency: Interval | None = None  # speed-up over how many times as many cores
    gain: Interval | None = None  # what each step since the rung before brought, of the average before

    @cached_property
    def talk(self) -> MpiTimes | str:
        """Return the time in MPI, or why it is not known: it is never 0 for that."""
        return _talk(self.entry)


@dataclass(frozen=True, kw_only=True)
class Climb:
    """A ladder that was climbed at one place."""

    ladder: CaseSeries[Entry]
    intent: Intent
    steps: tuple[Step, ...]
    platform: str

    @property
    def case(self) -> Case:
        """Return the lowest rung's case."""
        return self.ladder.first

    @property
    def unit(self) -> str:
        """Return what a step adds: ``"rank"``, ``"rank of 4 threads"`` or ``"thread"``."""
        return self.ladder.step

    @cached_property
    def measured(self) -> tuple[Step, ...]:
        """Return the rungs with figures."""
        return tuple(step for step in self.steps if step.fault is None)

    @property
    def base(self) -> Step | None:
        """Return the lowest rung with figures, which all others are compared with."""
        return self.measured[0] if self.measured else None

    @cached_property
    def fit(self) -> Fit | str:
        """Return the law fitted to the measured rungs, or why there is none."""
        jobs = {_jobs(step.entry) for step in self.measured}
        speeds: dict[int, Mapping[int, float]] = {}
        for index, step in enumerate(self.measured):
            apart = APART * index if len(jobs) > 1 else 0  # sets of other runs did not take turns
            done = _effort(step.entry)
            speeds[step.count] = {one + apart: done / seconds for one, seconds in step.entry.medians.items()}
        return fit(LAWS[self.intent], speeds)

    @cached_property
    def level(self) -> Level:
        """Return the level of its claims: two rungs of several processes make an interval."""
        reached = sorted((level(step.entry) for step in self.measured), reverse=True)
        if len(reached) < 2:
            return min(reached[0], Level.VERIFIED) if reached else Level.NONE
        return min(level(self.measured[0].entry), reached[1])

    @cached_property
    def summit(self) -> Step | None:
        """Return the highest rung with figures, if there are two."""
        return self.measured[-1] if len(self.measured) > 1 else None

    @cached_property
    def end(self) -> tuple[Step, Step] | None:
        """Return the first two neighbouring rungs between which each step was seen to bring less than enough."""
        for before, after in zip(self.measured, self.measured[1:], strict=False):
            if after.gain and after.gain.high is not None and after.gain.high < ENOUGH:
                return before, after
        return None


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All climbs of the evidence, and sentences on what is none."""

    climbs: tuple[Climb, ...]
    notes: tuple[str, ...]


def survey(evidence: Evidence) -> Survey:
    """Return every climb, by kernel, problem, intent, platform and way; and what was left out, in words.

    Rungs of one ladder are of one commit of the suite; of several such ladders the newest is shown.
    """
    intents = {run: _intent(text) for run, text in evidence.scenarios.items()}
    every = [entry for problem in problems(entries(evidence)) for entry in problem.entries]
    places: dict[tuple[str, str], list[CasePoint[Entry]]] = {}
    for entry in every:
        if entry.basis is Basis.MEASURED:
            work = next((row.record.work for row in entry.rows if row.record.work), None)
            rung = CasePoint(case=entry.case, work=work, thing=entry)
            places.setdefault((entry.platform, entry.first.commit), []).append(rung)
    notes: list[str] = []
    climbs: dict[tuple[object, ...], list[Climb]] = {}
    seen: set[str] = set()
    for (platform, _), rungs in sorted(places.items()):
        for ladder in measured_series(rungs):
            seen |= {rung.case.id for rung in (*ladder.points, *ladder.on_more_nodes)}
            found = _climb(ladder, platform, intents)
            if isinstance(found, str):
                notes.append(found)
            else:
                climbs.setdefault(_order(found)[:-1], []).append(found)
    newest = [max(made, key=_started) for made in climbs.values()]
    older = sum(map(len, climbs.values())) - len(newest)
    if older:
        message = f"{older} ladder{' measured' if older == 1 else 's measured'} with an older commit of the suite"
        notes.append(f"{message} {'is' if older == 1 else 'are'} left out.")
    shown = {rung.case.id for climb in newest for rung in climb.ladder.points}
    notes += [message for climb in sorted(newest, key=_order) for message in _beside(climb, shown)]
    rest = {rung.case.id for rungs in places.values() for rung in rungs} - seen
    if rest:
        whose = "its" if len(rest) == 1 else "their"
        message = f"{_cases(len(rest))} on one number of cores only with {whose} commit of the suite"
        notes.append(f"{message}, and not part of any scaling; the same scenario run again measures all with one.")
    modelled = sum(entry.basis is not Basis.MEASURED for entry in every)
    if modelled:
        notes.append(f"{_cases(modelled)} projected or rehearsed, not measured, and not shown here.")
    return Survey(climbs=tuple(sorted(newest, key=_order)), notes=tuple(notes))


def _beside(climb: Climb, shown: Collection[str]) -> list[str]:
    """Return a sentence for each case on as many cores as a rung that is shown nowhere: a ladder has one rung each."""
    nodes = {rung.cores: rung.case.nodes for rung in climb.ladder.points}
    what = f"{climb.case.kernel} / {climb.case.implementation}, size {climb.case.size}, on {climb.platform}"
    return [
        f"{what}: {rung.cores} cores on {rung.case.nodes} nodes are not shown beside as many on {nodes[rung.cores]};"
        " the table of results has both."
        for rung in climb.ladder.on_more_nodes
        if rung.case.id not in shown
    ]


def _started(climb: Climb) -> str:
    return max(step.entry.started_at for step in climb.steps)


def _cases(count: int) -> str:
    return f"{count} case{' is' if count == 1 else 's are'}"


def _order(climb: Climb) -> tuple[object, ...]:
    case = climb.case
    problem = (
        case.size or "",
        case.input or "",
        repr(sorted(case.options.items())),
        str(case.seed),
        case.input_hash or "",
    )
    return (case.kernel, climb.intent, *problem, climb.platform, case.implementation, climb.unit, case.id)


def _intent(scenario: str) -> Intent | None:
    """Return what a scenario declares; None if nothing, or if its text is damaged."""
    try:
        return Intent(tomllib.loads(scenario).get("intent"))  # type: ignore[arg-type]  # refuses what is none
    except (tomllib.TOMLDecodeError, ValueError):
        return None


def _climb(ladder: CaseSeries[Entry], platform: str, intents: Mapping[str, Intent | None]) -> Climb | str:
    """Return the climb of a ladder; the sentence why it is none, where its work is not what was declared."""
    runs = {row.record.run for rung in ladder.points for row in rung.thing.rows}
    declared = {intent for run in runs if (intent := intents.get(run))}
    intent = kept(ladder)
    case = ladder.first
    what = f"{case.kernel} / {case.implementation}, size {case.size}, on {platform}"
    if intent is None:
        message = breach(ladder, min(declared, default=Intent.STRONG))
        return f"Not shown as scaling: {what}: the work is neither that of the whole nor that of a core: {message}."
    if not any(rung.work is not None for rung in ladder.points[1:]):
        intent = next(iter(declared), intent)  # nothing ran that could tell
    if declared and intent not in declared:
        message = breach(ladder, next(iter(declared)))
        return f"Not shown as scaling: {what}: declared as {' and '.join(sorted(declared))}, but {message}."
    return Climb(ladder=ladder, intent=intent, steps=tuple(_steps(ladder)), platform=platform)


def _steps(ladder: CaseSeries[Entry]) -> list[Step]:
    """Return the rungs with what each brought, over the lowest that has figures."""
    made: list[Step] = []
    base: Step | None = None
    before: Step | None = None
    for rung in ladder.points:
        entry, count = rung.thing, ladder.count(rung)
        fault = _fault(entry, rung.cores)
        step = Step(entry=entry, count=count, cores=rung.cores, fault=fault)
        if fault is None:
            if base is not None and before is not None:
                up, last = _faster(entry, base.entry), _faster(entry, before.entry)
                step = Step(
                    entry=entry, count=count, cores=rung.cores, fault=None, speed_up=up,
                    efficiency=up and scaled(up, base.count / count),
                    gain=last and gain(last, before.count, count),
                )  # fmt: skip
            base, before = base or step, step
        made.append(step)
    return made


def _faster(entry: Entry, base: Entry) -> Interval | None:
    """Return how many times as much work a second an entry does as another, with its interval."""
    found = entry.times_as_fast_as(base)
    return found and scaled(found, _effort(entry) / _effort(base))


def speed_of(entry: Entry) -> float | None:
    """Return the work per second of an entry, in the unit of its law's speeds; None without a figure."""
    return _effort(entry) / entry.time.value if entry.time else None


def _effort(entry: Entry) -> float:
    work = next((row.record.work for row in entry.counted if row.record.work), None)
    return (effort(work) if work else 0.0) or 1.0


def _fault(entry: Entry, cores: int) -> str | None:
    """Return why an entry is no rung: without a verified figure, or on more cores than there are."""
    if level(entry) < Level.VERIFIED:
        return "no verified figure"
    machine, case = entry.machine, entry.case
    if machine and not entry.first.workers and cores > machine.usable_cores * case.nodes:
        there = machine.usable_cores * case.nodes
        return f"oversubscribed: {cores} asked of {there} cores; ranks that share a core are no scaling"
    return None


def _talk(entry: Entry) -> MpiTimes | str:
    records = [row.record for row in entry.counted]
    parts = [part for record in records if (part := _parts(record))]
    if len(parts) < len(records) or not parts:
        seen = any(record.samples and record.samples.mpi_s for record in records)
        if seen:
            return "some of its processes were measured by a version that did not time MPI"
        spread = entry.case.ranks > 1 or "mpi" in entry.case.implementation
        return "its ranks' time in MPI was not measured" if spread else "it does not use MPI"
    calls = max(part[3] for part in parts)
    if calls == 0:
        return "no call to MPI through mpi4py in a repeat"
    shares = [part[0] for part in parts if part[0] > 0]
    if len(shares) < len(parts):
        return "its time in MPI is shorter than the clock can see"
    share = across_processes(shares)
    if share.high is not None:
        share = msgspec.structs.replace(share, high=min(share.high, 1.0))  # no share is more than the whole
    return MpiTimes(
        share=share,
        least=min(part[1] for part in parts),
        most=max(part[2] for part in parts),
        calls=calls,
        clock=max(part[4] for part in parts),
    )


def _parts(record: Record) -> tuple[float, float, float, float, float] | None:
    """Return the medians over the counted repeats: shares of the mean, least and most rank, calls, clock's share."""
    samples = record.samples
    if samples is None or len(samples.mpi_s) != len(samples.seconds) or not samples.seconds:
        return None
    columns: Sequence[Sequence[float]] = (
        samples.mpi_s, samples.mpi_least_s, samples.mpi_most_s, samples.mpi_calls, samples.mpi_timer_s,
    )  # fmt: skip
    found = []
    for name, column in enumerate(columns):
        rows = zip(samples.seconds, samples.flags, column, strict=True)
        values = [value if name == 3 else value / seconds for seconds, flag, value in rows if flag == 0]
        if not values or not all(map(math.isfinite, values)):
            return None
        found.append(median_interval(values).value)
    return found[0], found[1], found[2], found[3], found[4]


def _jobs(entry: Entry) -> frozenset[tuple[str, str]]:
    return frozenset((row.record.run, row.record.job) for row in entry.counted)
