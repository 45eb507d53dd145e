"""From evidence to scaling series: one implementation on more and more cores of one platform.

Only measured and verified points have figures; the others remain, with their reason. Nothing here formats.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from daasbench.evidence.claims import EvidenceLevel, ProblemResults, level
from daasbench.evidence.entries import Entry
from daasbench.model import Basis, Case, Record
from daasbench.scenario.scaling_series import CasePoint, CaseSeries, Intent, breach, effort, kept, measured_series
from daasbench.statistics import Fit, Interval, Law, across_processes, fit, gain, median_interval, scaled

from ..blocks.claims_in_words import on

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

ENOUGH = 0.5  # of the average of those before it: below it, the incremental efficiency is too low
OVERSUBSCRIBED = "oversubscribed"
SETS_OF_A_POINT = 10**9  # more than any has

LAWS = {Intent.STRONG: Law.AMDAHL, Intent.WEAK: Law.GUSTAFSON}


@dataclass(frozen=True, kw_only=True)
class Communication:
    """The time of a point in calls to MPI, as shares of a repeat.

    `share` is the mean over the ranks, with the interval across processes; `least` and `most` are of any rank.
    """

    share: Interval
    least: float
    most: float
    calls: float
    clock: float  # the share that timing the calls took itself


@dataclass(frozen=True, kw_only=True)
class SeriesPoint:
    """One number of cores of a series.

    `count` counts ranks, or threads of one process; `fault` says why it has no figures, None if it has.
    """

    entry: Entry
    count: int
    cores: int
    fault: str | None
    speed_up: Interval | None = None  # over the first point; the work of weak scaling is counted
    efficiency: Interval | None = None  # speed-up over how many times as many cores
    step: Interval | None = None  # times the speed of the point before
    gain: Interval | None = None  # incremental efficiency: speed per rank added, over that per rank before

    @property
    def oversubscribed(self) -> bool:
        """Return whether it ran on more cores than the machine has."""
        return (self.fault or "").startswith(OVERSUBSCRIBED)

    @cached_property
    def communication(self) -> Communication | str:
        """Return the time in MPI, or why it is not known: it is never 0 for that."""
        return _communication(self.entry)


@dataclass(frozen=True, kw_only=True)
class ScalingSeries:
    """Points on more and more cores of one platform: one problem and implementation."""

    case_series: CaseSeries[Entry]
    intent: Intent
    points: tuple[SeriesPoint, ...]
    platform: str

    @property
    def case(self) -> Case:
        """Return the first point's case."""
        return self.case_series.first

    @property
    def unit(self) -> str:
        """Return what a point adds: ``"rank"``, ``"rank of 4 threads"`` or ``"thread"``."""
        return self.case_series.step

    @cached_property
    def measured(self) -> tuple[SeriesPoint, ...]:
        """Return the points with figures."""
        return tuple(point for point in self.points if point.fault is None)

    @property
    def base(self) -> SeriesPoint | None:
        """Return the first point with figures, which all others are compared with."""
        return self.measured[0] if self.measured else None

    @cached_property
    def fit(self) -> Fit | str:
        """Return the law fitted to the measured points, or why there is none."""
        jobs = {_jobs(point.entry) for point in self.measured}
        speeds: dict[int, Mapping[int, float]] = {}
        for index, point in enumerate(self.measured):
            apart = SETS_OF_A_POINT * index if len(jobs) > 1 else 0  # sets of other runs did not run alternately
            done = _effort(point.entry)
            speeds[point.count] = {one + apart: done / seconds for one, seconds in point.entry.medians.items()}
        return fit(LAWS[self.intent], speeds)

    @cached_property
    def level(self) -> EvidenceLevel:
        """Return the level of its claims: two points of several processes make an interval."""
        reached = sorted((level(point.entry) for point in self.measured), reverse=True)
        if len(reached) < 2:
            return min(reached[0], EvidenceLevel.VERIFIED) if reached else EvidenceLevel.NONE
        return min(level(self.measured[0].entry), reached[1])

    @cached_property
    def largest(self) -> SeriesPoint | None:
        """Return the point on the most cores with figures, if there are two."""
        return self.measured[-1] if len(self.measured) > 1 else None

    @cached_property
    def end(self) -> tuple[SeriesPoint, SeriesPoint] | None:
        """Return the first two neighbouring points between which the incremental efficiency is too low."""
        for before, after in zip(self.measured, self.measured[1:], strict=False):
            if after.gain and after.gain.high is not None and after.gain.high < ENOUGH:
                return before, after
        return None


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All scaling series of the evidence, and sentences on what is none."""

    series: tuple[ScalingSeries, ...]
    notes: tuple[str, ...]


def survey(evidence: Evidence, problems: Sequence[ProblemResults]) -> Survey:
    """Return every series, by kernel, problem, intent, platform and implementation; and what is not shown, in words.

    Points of one series are of one commit of the suite; of several such series the newest is shown.
    """
    intents = {run: _intent(text) for run, text in evidence.scenarios.items()}
    every = [entry for problem in problems for entry in problem.entries]
    points_of: dict[tuple[str, str], list[CasePoint[Entry]]] = {}
    for entry in every:
        if entry.basis is Basis.MEASURED:
            work = next((row.record.work for row in entry.rows if row.record.work), None)
            case_point = CasePoint(case=entry.case, work=work, thing=entry)
            points_of.setdefault((entry.platform, entry.first.commit), []).append(case_point)
    notes: list[str] = []
    grouped: dict[tuple[object, ...], list[ScalingSeries]] = {}
    seen: set[str] = set()
    for (platform, _), case_points in sorted(points_of.items()):
        for case_series in measured_series(case_points):
            seen |= {case_point.case.id for case_point in (*case_series.points, *case_series.on_more_nodes)}
            found = _series_of(case_series, platform, intents)
            if isinstance(found, str):
                notes.append(found)
            else:
                grouped.setdefault(_order(found)[:-1], []).append(found)
    newest = [max(made, key=_started) for made in grouped.values()]
    older = sum(map(len, grouped.values())) - len(newest)
    if older:
        verb = "is" if older == 1 else "are"
        notes.append(f"{older} series measured with an older version of daasbench {verb} excluded.")
    shown = {case_point.case.id for one in newest for case_point in one.case_series.points}
    notes += [note for one in sorted(newest, key=_order) for note in _on_as_many_cores(one, shown)]
    rest = {case_point.case.id for case_points in points_of.values() for case_point in case_points} - seen
    if rest:
        whose = "its" if len(rest) == 1 else "their"
        where = f"{_cases(len(rest))} measured on one core count only with {whose} version of daasbench, and excluded"
        notes.append(f"{where}. Run the scenario again to measure all with the same version.")
    modelled = sum(entry.basis is not Basis.MEASURED for entry in every)
    if modelled:
        notes.append(f"{_cases(modelled)} projected or rehearsed, not measured, and not shown here.")
    return Survey(series=tuple(sorted(newest, key=_order)), notes=tuple(notes))


def _on_as_many_cores(series: ScalingSeries, shown: Collection[str]) -> list[str]:
    """Return a sentence for each case that is not shown because its series has a point on as many cores."""
    nodes = {case_point.cores: case_point.case.nodes for case_point in series.case_series.points}
    what = f"{series.case.kernel} / {series.case.implementation}, size {series.case.size}, {on(series.platform)}"
    return [
        f"{what}: {case_point.cores} cores on {case_point.case.nodes} nodes are not shown, because as many on"
        f" {nodes[case_point.cores]} are; the table of results has both."
        for case_point in series.case_series.on_more_nodes
        if case_point.case.id not in shown
    ]


def _started(series: ScalingSeries) -> str:
    return max(point.entry.started_at for point in series.points)


def _cases(count: int) -> str:
    return f"{count} case{' is' if count == 1 else 's are'}"


def _order(series: ScalingSeries) -> tuple[object, ...]:
    case = series.case
    problem = (
        case.size or "",
        case.input or "",
        repr(sorted(case.options.items())),
        str(case.seed),
        case.input_hash or "",
    )
    return (case.kernel, series.intent, *problem, series.platform, case.implementation, series.unit, case.id)


def _intent(scenario: str) -> Intent | None:
    """Return what a scenario declares; None if nothing, or if its text is damaged."""
    try:
        return Intent(tomllib.loads(scenario).get("intent"))  # type: ignore[arg-type]  # refuses what is none
    except (tomllib.TOMLDecodeError, ValueError):
        return None


def _series_of(
    case_series: CaseSeries[Entry], platform: str, intents: Mapping[str, Intent | None]
) -> ScalingSeries | str:
    """Return the series of a series of cases, or the sentence why it is none: its work is not what was declared."""
    runs = {row.record.run for case_point in case_series.points for row in case_point.thing.rows}
    declared = {intent for run in runs if (intent := intents.get(run))}
    intent = kept(case_series)
    case = case_series.first
    what = f"{case.kernel} / {case.implementation}, size {case.size}, {on(platform)}"
    if intent is None:
        reason = breach(case_series, min(declared, default=Intent.STRONG))
        return f"Not shown as scaling: {what}: the work is constant neither in total nor per core: {reason}."
    if not any(case_point.work is not None for case_point in case_series.points[1:]):
        intent = next(iter(declared), intent)  # nothing ran that could tell
    if declared and intent not in declared:
        reason = breach(case_series, next(iter(declared)))
        return f"Not shown as scaling: {what}: declared as {' and '.join(sorted(declared))}, but {reason}."
    return ScalingSeries(case_series=case_series, intent=intent, points=tuple(_points(case_series)), platform=platform)


def _points(case_series: CaseSeries[Entry]) -> list[SeriesPoint]:
    """Return the points with their speed-up over the first that has figures."""
    made: list[SeriesPoint] = []
    base: SeriesPoint | None = None
    before: SeriesPoint | None = None
    for case_point in case_series.points:
        entry, count = case_point.thing, case_series.count(case_point)
        fault = _fault(entry, case_point.cores)
        point = SeriesPoint(entry=entry, count=count, cores=case_point.cores, fault=fault)
        if fault is None:
            if base is not None and before is not None:
                up, last = _faster(entry, base.entry), _faster(entry, before.entry)
                point = SeriesPoint(
                    entry=entry, count=count, cores=case_point.cores, fault=None, speed_up=up,
                    efficiency=up and scaled(up, base.count / count), step=last,
                    gain=last and gain(last, before.count, count),
                )  # fmt: skip
            base, before = base or point, point
        made.append(point)
    return made


def _faster(entry: Entry, base: Entry) -> Interval | None:
    """Return how many times as much work per second an entry does as another, with its interval."""
    found = entry.times_as_fast_as(base)
    return found and scaled(found, _effort(entry) / _effort(base))


def speed_of(entry: Entry) -> float | None:
    """Return the work per second of an entry, in the unit of its law's speeds; None without a figure."""
    return _effort(entry) / entry.time.value if entry.time else None


def _effort(entry: Entry) -> float:
    work = next((row.record.work for row in entry.counted if row.record.work), None)
    return (effort(work) if work else 0.0) or 1.0


def _fault(entry: Entry, cores: int) -> str | None:
    """Return why an entry has no figures in a series: none is verified, or it ran on more cores than there are."""
    if level(entry) < EvidenceLevel.VERIFIED:
        return "no correct result"
    machine, case = entry.machine, entry.case
    if machine and not entry.first.workers and cores > machine.usable_cores * case.nodes:
        usable = machine.usable_cores * case.nodes
        return f"{OVERSUBSCRIBED}: {cores} cores on a machine with {usable}; ranks that share a core show no scaling"
    return None


def _communication(entry: Entry) -> Communication | str:
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
    return Communication(
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
