"""Scaling series: one implementation on growing numbers of cores, and whether its work is as the scenario intends.

Strong scaling keeps the whole problem constant, weak scaling keeps the problem per core constant. All functions are
pure. Planned and measured cases are grouped by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Generic, TypeVar

from daasbench.model import Case, Work

TOLERANCE = 0.1  # allowed relative difference of the work per core: the edge of a cube is a whole number

Thing = TypeVar("Thing")


class Intent(StrEnum):
    """What a scenario keeps constant while cores are added."""

    STRONG = "strong"  # the whole work
    WEAK = "weak"  # the work per core


@dataclass(frozen=True, kw_only=True)
class CasePoint(Generic[Thing]):
    """One point of a series: a case, its work (None if not known), and an object of the caller."""

    case: Case
    work: Work | None
    thing: Thing

    @property
    def cores(self) -> int:
        """Return the cores that the case asks for, on all nodes together."""
        return self.case.ranks * self.case.threads


@dataclass(frozen=True, kw_only=True)
class CaseSeries(Generic[Thing]):
    """The points of one implementation: the fewest cores first, one point per number of cores.

    `on_more_nodes` has the cases with the same number of cores as a point but on more nodes; they are not points.
    """

    points: tuple[CasePoint[Thing], ...]
    on_more_nodes: tuple[CasePoint[Thing], ...] = ()

    @property
    def first(self) -> Case:
        """Return the case with the fewest cores."""
        return self.points[0].case

    @property
    def of_ranks(self) -> bool:
        """Return whether ranks are added from point to point; otherwise threads of one process are added."""
        return any(point.case.ranks > 1 for point in self.points)

    @property
    def step(self) -> str:
        """Return what is added from point to point: ``"rank"``, ``"rank of 4 threads"``, ``"thread"``."""
        if not self.of_ranks:
            return "thread"
        return "rank" if self.first.threads == 1 else f"rank of {self.first.threads} threads"

    def count(self, point: CasePoint[Thing]) -> int:
        """Return the number of steps of a point."""
        return point.case.ranks if self.of_ranks else point.case.threads


def counts_to(most: int) -> list[int]:
    """Return 1, 2, 4 ... up to `most`, which is included and need not be a power of two."""
    return [*(1 << power for power in range(most.bit_length()) if 1 << power < most), most]


def planned_series(points: Iterable[CasePoint[Thing]], *, across_sizes: bool = False) -> list[CaseSeries[Thing]]:
    """Return the series of the cases of one table: within a series only the resources differ.

    With `across_sizes`, sizes are paired with resources and differ from point to point. If the ranks differ, each
    number of threads per rank has a separate series. A single point is not a series.
    """
    series: list[CaseSeries[Thing]] = []
    for alike in _alike(points):
        sizes: dict[str, list[CasePoint[Thing]]] = {}
        for point in alike:
            sizes.setdefault("" if across_sizes else point.case.size or "", []).append(point)
        series += filter(None, map(_series, sizes.values()))
    return series


def measured_series(points: Iterable[CasePoint[Thing]]) -> list[CaseSeries[Thing]]:
    """Return the series among measured cases, of one scenario or of several together.

    First the series of one problem on several numbers of cores; then the series of one size that grew with the cores;
    then, from the remaining points, the series in which each number of cores has its own size. A point may belong to
    two series.
    """
    series: list[CaseSeries[Thing]] = []
    for alike in _alike(points):
        same: dict[tuple[object, ...], list[CasePoint[Thing]]] = {}
        for point in alike:
            size, grown = point.case.size or "", point.case.grown
            same.setdefault(("strong", size, grown), []).append(point)
            if any(other.case.grown > 1 and other.case.size == point.case.size for other in alike):
                same.setdefault(("weak", size, Fraction(grown, point.cores)), []).append(point)
        found = [one for one in map(_series, same.values()) if one]
        used = {id(point) for one in found for point in one.points}
        found += filter(None, [_series([point for point in alike if id(point) not in used])])
        series += found
    return series


def _alike(points: Iterable[CasePoint[Thing]]) -> list[list[CasePoint[Thing]]]:
    """Return points grouped by all fields but resources, size and growth; points with ranks also by threads."""
    groups: dict[str, list[CasePoint[Thing]]] = {}
    for point in points:
        case = point.case
        key = (case.kernel, case.implementation, case.version, case.input_hash, case.seed,
               sorted(case.options.items()), case.cache, case.start, case.gpus, case.quick)  # fmt: skip
        groups.setdefault(repr(key), []).append(point)
    parts: dict[tuple[str, int], list[CasePoint[Thing]]] = {}
    for name, group in groups.items():
        by_ranks = any(point.case.ranks > 1 for point in group)
        for point in group:
            parts.setdefault((name, point.case.threads if by_ranks else point.case.ranks), []).append(point)
    return list(parts.values())


def _series(points: Sequence[CasePoint[Thing]]) -> CaseSeries[Thing] | None:
    """Return the series of these points; of two points with equally many cores, that on fewer nodes is used."""
    ordered = sorted(points, key=lambda point: (point.cores, -point.case.nodes))
    each = tuple({point.cores: point for point in ordered}.values())
    counted = {id(point) for point in each}
    others = tuple(point for point in ordered if id(point) not in counted)
    return CaseSeries(points=each, on_more_nodes=others) if len(each) > 1 else None


def problem_amount(work: Work) -> float:
    """Return the size of a problem: the bytes of its input in memory, else other bytes, else operations, else units."""
    return work.input_bytes or work.bytes or work.flop or work.units


def effort(work: Work) -> float:
    """Return the amount of work that a speed counts per second: operations, else bytes, else units."""
    return work.flop or work.bytes or work.units


def breach(series: CaseSeries[Thing], intent: Intent) -> str | None:
    """Return how a series contradicts an intent, with the numbers; None if it agrees with it.

    Strong: units and input are equal at all points. Weak: the input per core is constant within :data:`TOLERANCE`.
    """
    counted = [(point, point.work) for point in series.points if point.work is not None]
    for point, work in counted[1:]:
        base, base_work = counted[0]
        if intent is Intent.STRONG:
            if (work.units, problem_amount(work)) != (base_work.units, problem_amount(base_work)):
                return f"{_in_words(series, base, base_work, 1)}, {_in_words(series, point, work, 1)}"
            continue
        each, base_each = problem_amount(work) / point.cores, problem_amount(base_work) / base.cores
        if not abs(each - base_each) <= TOLERANCE * base_each:
            more = each / base_each - 1
            amounts = [_in_words(series, base, base_work, base.cores), _in_words(series, point, work, point.cores)]
            return (
                f"{', '.join(amounts)} per core, {100 * abs(more):.3g} % {'more' if more > 0 else 'less'};"
                f" at most {100 * TOLERANCE:.3g} % are allowed"
            )
    return None


def kept(series: CaseSeries[Thing]) -> Intent | None:
    """Return what a series keeps constant, whatever the scenario intends; None if neither."""
    return next((intent for intent in Intent if breach(series, intent) is None), None)


def _in_words(series: CaseSeries[Thing], point: CasePoint[Thing], work: Work, cores: int) -> str:
    """Return the work of a point in words, divided by `cores`."""
    count = series.count(point)
    steps = series.step.replace("rank", "ranks", 1).replace("thread", "threads", 1) if count > 1 else series.step
    if series.step.startswith("rank of"):
        steps = f"{'ranks' if count > 1 else 'rank'} of {series.first.threads} threads"
    amount = f"{problem_amount(work) / cores:,.0f} {_measure(work)}"
    units = f" ({work.units:,.6g} x {work.unit})" if cores == 1 else ""
    return f"on {count} {steps} {amount}{units}"


def _measure(work: Work) -> str:
    return "bytes of input" if work.input_bytes else "bytes" if work.bytes else "flop" if work.flop else work.unit
