"""What a scaling series says, in sentences that claim no more than its points."""

from __future__ import annotations

import math
from collections.abc import Sequence

from daasbench.evidence.claims import EvidenceLevel
from daasbench.model import Case
from daasbench.scenario.scaling_series import Intent
from daasbench.statistics import Fit, Interval

from ..blocks.claims_in_words import details as problem_details
from ..blocks.claims_in_words import on
from ..blocks.comparison_table import why
from ..blocks.numbers import factor, joined, listed, number, percent
from ..blocks.ratios import times
from .scaling_series import ENOUGH, ScalingSeries, SeriesPoint
from .verdict import TREND

HALF = f"{100 * ENOUGH:g} %"
WHOLE = {Intent.STRONG: "as fast as", Intent.WEAK: "the work per second of"}
NAMES = {
    Intent.STRONG: ("strong scaling", "the same problem for all core counts"),
    Intent.WEAK: ("weak scaling", "a problem that grows with the cores"),
}


def steps(count: int, unit: str) -> str:
    """Return a number of ranks or threads in words: ``"4 ranks of 2 threads"``."""
    noun, _, rest = unit.partition(" ")
    return f"{count} {noun if count == 1 else noun + 's'}{' ' + rest if rest else ''}"


def noun(series: ScalingSeries) -> str:
    """Return what the series adds, singular: ``"rank"``."""
    return series.unit.partition(" ")[0]


def name(series: ScalingSeries) -> str:
    """Return the implementation, and what its points add: ``"mpi, by ranks of 2 threads"``."""
    return f"{series.case.implementation}, by {steps(2, series.unit).partition(' ')[2]}"


def details(series: ScalingSeries) -> str:
    """Return which problem is scaled, how and on which platform."""
    of = "" if series.intent is Intent.STRONG else " for each core"
    return f"{_problem(series.case)}{of}, {NAMES[series.intent][0]} {on(series.platform)}"


def _problem(case: Case) -> str:
    import msgspec

    return problem_details(msgspec.structs.replace(case, nodes=1, grown=1))


def as_factor(found: Interval) -> tuple[str, str]:
    """Return a speed-up and its interval."""
    return factor(found.value, found.low, found.high)


def as_percent(found: Interval) -> tuple[str, str]:
    """Return a share and its interval."""
    return percent(found.value, found.low, found.high)


def sentences(series: ScalingSeries) -> list[str]:
    """Return what follows from a series beside its verdict: the law, and the communication."""
    return [sentence for sentence in (law(series), communication(series)) if sentence]


def reached(series: ScalingSeries) -> str:
    """Return speed-up and efficiency of the largest point, with intervals where there are enough processes."""
    who, base, largest = name(series), series.base, series.largest
    if base is None:
        return f"{who}: no core count has a correct result: {_faults(series.points, series)}."
    if largest is None or largest.speed_up is None or largest.efficiency is None:
        others = [point for point in series.points if point is not base]
        return f"{who}: only {steps(base.count, series.unit)} gave a correct result; {_faults(others, series)}."
    if series.level < EvidenceLevel.INTERVAL:
        return f"{who}: no speed-up is given: too few processes for an interval, or they differ too much."
    first = "" if base is series.points[0] else ", the first with a correct result"
    verb = "do" if series.intent is Intent.WEAK else "are"
    return (
        f"{who}: {steps(largest.count, series.unit)} {verb} {times(largest.speed_up)}"
        f" {WHOLE[series.intent]} {steps(base.count, series.unit)}{first}; the efficiency is"
        f" {joined(as_percent(largest.efficiency))}."
    )


def law(series: ScalingSeries) -> str:
    """Return what the law projects, or why none is fitted."""
    if series.largest is None:
        return ""
    found = series.fit
    if isinstance(found, str):
        few = len(series.measured) < TREND
        return "No prediction: measure at least 3 core counts." if few else f"No prediction: {found}."
    serial, one = found.serial, noun(series)
    missing = (
        " The points differ from this law by more than their processes differ; the range allows for that."
        if found.lack_of_fit
        else ""
    )
    below = " (below 0: faster than ideal)" if serial.value < 0 else ""
    start = (
        f"Projected by {found.law}'s law, not measured: a serial fraction of {joined(as_percent(serial))}{below}"
        f" from {found.points} core counts"
    )
    return f"{start}; {_beyond(found, one)}.{missing}"


def _beyond(found: Fit, one: str) -> str:
    count, least, most = found.enough(ENOUGH)
    if math.isinf(least):
        return f"the gain of one more {one} stays above {HALF} for any number of {one}s"
    if math.isinf(count):
        return f"the gain of one more {one} stays above {HALF} up to at least {whole(least)} {one}s"
    ends = f" ({whole(least)} to {whole(most)})" if whole(least) != whole(most) else ""
    return f"the gain of one more {one} falls below {HALF} beyond {whole(count)} {one}s{ends}"


def whole(count: float) -> str:
    """Return a number of ranks or threads; beyond a million it is rounded."""
    if math.isinf(count):
        return "any number"
    return f"{math.ceil(count):d}" if count < 1e6 else number(count, 2)


def communication(series: ScalingSeries) -> str:
    """Return the share of MPI at the largest point, or why it is not known."""
    largest = series.largest or series.base
    if largest is None:
        return ""
    found = largest.communication
    if isinstance(found, str):
        return f"Communication: not measured, because {found}."
    return (
        f"Communication, measured with {steps(largest.count, series.unit)}: {joined(as_percent(found.share))} of the"
        f" time is spent in calls to MPI, waiting included (least {percent(found.least)[0]}, most"
        f" {percent(found.most)[0]} of any rank); timing these calls takes {percent(found.clock, None, None)[0]}."
    )


def fault(point: SeriesPoint) -> str:
    """Return why a point has no figures: its outcome's sentence, or that it was oversubscribed."""
    return why(point.entry) or (point.fault or "")


def _faults(points: Sequence[SeriesPoint], series: ScalingSeries) -> str:
    found = [f"{steps(point.count, series.unit)}: {fault(point)}" for point in points if point.fault]
    return listed(dict.fromkeys(found)) or "the others did not run"
