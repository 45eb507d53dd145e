"""What a scaling series says, in sentences that claim no more than its points."""

from __future__ import annotations

import math
from collections.abc import Sequence

from daasbench.evidence.claims import EvidenceLevel
from daasbench.model import Case
from daasbench.scenario.scaling_series import Intent
from daasbench.statistics import Fit, Interval

from ..blocks.claims_in_words import details as problem_details
from ..blocks.comparison_table import why
from ..blocks.numbers import factor, joined, listed, number, percent
from .scaling_series import ENOUGH, ScalingSeries, SeriesPoint

HALF = f"{100 * ENOUGH:g} %"
WHOLE = {Intent.STRONG: "as fast as", Intent.WEAK: "as much work per second as"}
NAMES = {
    Intent.STRONG: ("strong scaling", "the same problem at all points"),
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
    return f"{_problem(series.case)}{of}, {NAMES[series.intent][0]} on {series.platform}"


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
    """Return what a series shows: what was reached, incremental efficiency, the law, the communication."""
    return [sentence for sentence in (reached(series), worth(series), law(series), communication(series)) if sentence]


def reached(series: ScalingSeries) -> str:
    """Return speed-up and efficiency of the largest point, with intervals where there are several processes."""
    who, base, largest = name(series), series.base, series.largest
    if base is None:
        return f"{who}: no point has a verified figure: {_faults(series.points, series)}."
    if largest is None or largest.speed_up is None or largest.efficiency is None:
        others = [point for point in series.points if point is not base]
        return f"{who}: a verified figure only on {steps(base.count, series.unit)}; {_faults(others, series)}."
    first = "" if base is series.points[0] else ", the first point with a verified figure"
    start = f"{who}: on {steps(largest.count, series.unit)} "
    if series.level < EvidenceLevel.INTERVAL:
        return f"{start}no speed-up is claimed: one process gives no interval."
    return (
        f"{start}{joined(as_factor(largest.speed_up))} {WHOLE[series.intent]} on"
        f" {steps(base.count, series.unit)}{first}, an efficiency of {joined(as_percent(largest.efficiency))}."
    )


def worth(series: ScalingSeries) -> str:
    """Return up to how many ranks or threads adding more was seen to be efficient; measured points alone."""
    if series.largest is None or series.level < EvidenceLevel.INTERVAL:
        return ""
    if series.end:
        before, after = series.end
        found = joined(as_percent(after.gain)) if after.gain else ""
        return (
            f"Measured: the incremental efficiency falls below {HALF} beyond {steps(before.count, series.unit)}: from"
            f" {before.count} to {after.count}, {found}."
        )
    last = series.measured[-1].gain
    if last is None or last.low is None or last.high is None:
        return ""
    before, after = series.measured[-2:]
    between = f"from {before.count} to {after.count}, {joined(as_percent(last))}"
    if last.low >= ENOUGH:
        return (
            f"Measured: the incremental efficiency is above {HALF} up to {steps(after.count, series.unit)}: {between}."
        )
    return f"Measured: it cannot be told yet whether the incremental efficiency is below {HALF}: {between}."


def law(series: ScalingSeries) -> str:
    """Return what the law projects, or why none is fitted."""
    if series.largest is None:
        return ""
    found = series.fit
    if isinstance(found, str):
        return f"Projected: nothing, because no law is fitted: {found}."
    serial, one = found.serial, noun(series)
    missing = (
        " The points are further from this law than their processes scatter; its interval is that of the points."
        if found.lack_of_fit
        else ""
    )
    below = " (below 0: faster than ideal)" if serial.value < 0 else ""
    start = (
        f"Projected by {found.law}'s law, not measured: a serial fraction of {joined(as_percent(serial))}{below}"
        f" over {found.points} points"
    )
    return f"{start}; {_beyond(found, one)}.{missing}"


def _beyond(found: Fit, one: str) -> str:
    count, least, most = found.enough(ENOUGH)
    if math.isinf(least):
        return f"by it the incremental efficiency is above {HALF} for any number of {one}s"
    ends = f"[{whole(least)}, {whole(most)}]"
    if math.isinf(count):
        return (
            f"by it the incremental efficiency is above {HALF} up to at least {whole(least)} {one}s; no upper end is"
            " found"
        )
    return f"by it the incremental efficiency falls below {HALF} beyond {whole(count)} {ends} {one}s"


def whole(count: float) -> str:
    """Return a number of ranks or threads; beyond a million it is rounded."""
    if math.isinf(count):
        return "no bound"
    return f"{math.ceil(count):d}" if count < 1e6 else number(count, 2)


def communication(series: ScalingSeries) -> str:
    """Return the share of MPI at the largest point, or why it is not known."""
    largest = series.largest or series.base
    if largest is None:
        return ""
    found = largest.communication
    if isinstance(found, str):
        return f"Communication: not given, {found}."
    return (
        f"Communication, measured: on {steps(largest.count, series.unit)} {joined(as_percent(found.share))} of a repeat"
        f" passes in calls to MPI, waiting included (rank with the least {percent(found.least)[0]}, with the most"
        f" {percent(found.most)[0]}); timing these calls takes {percent(found.clock, None, None)[0]}."
    )


def fault(point: SeriesPoint) -> str:
    """Return why a point has no figures: its outcome's sentence, or that it was oversubscribed."""
    return why(point.entry) or (point.fault or "")


def _faults(points: Sequence[SeriesPoint], series: ScalingSeries) -> str:
    found = [f"{steps(point.count, series.unit)}: {fault(point)}" for point in points if point.fault]
    return listed(dict.fromkeys(found)) or "the others did not run"
