"""The verdict on a scaling series: up to how many ranks or threads it is worth going, or what voids that answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from daasbench.statistics import too_uncertain

from ..blocks.caveats import Caveat, Voids, caveat, uncertain
from ..blocks.numbers import number
from .scaling_series import ENOUGH, ScalingSeries, SeriesPoint

TREND = 3  # points: two cannot show where a curve bends


@dataclass(frozen=True, kw_only=True)
class ScalingVerdict:
    """What a series answers.

    Attributes
    ----------
    best
        The largest point up to which every step is worth it, by intervals; the first point if none is.
    worse
        The first point whose step is not worth it, by its interval; None if there is none.
    unsure
        The first point of which this cannot be told; None if there is none.
    caveat
        What voids the verdict; then the others are None.
    """

    series: ScalingSeries
    best: SeriesPoint | None = None
    worse: SeriesPoint | None = None
    unsure: SeriesPoint | None = None
    caveat: Caveat | None = None

    @cached_property
    def limit(self) -> SeriesPoint | None:
        """Return the point before the first that is not worth it: more than that many are too many."""
        if self.worse is None:
            return None
        return self.series.measured[self.series.measured.index(self.worse) - 1]

    @property
    def lacking(self) -> Caveat | None:
        """Return what voids the verdict, or else what leaves its next step open."""
        if self.caveat or self.unsure is None:
            return self.caveat
        measured = self.series.measured
        return _scatter(self.unsure, measured[measured.index(self.unsure) - 1])


def is_trend(series: ScalingSeries) -> bool:
    """Return whether there are enough points to recommend a number of ranks or threads."""
    return len(series.measured) >= TREND


def verdict(series: ScalingSeries) -> ScalingVerdict:
    """Return up to which point more ranks or threads are worth it; whatever voids this is looked at here."""
    found = _caveat(series)
    if found:
        return ScalingVerdict(series=series, caveat=found)
    best = first = series.measured[0]
    worse: SeriesPoint | None = None
    unsure: SeriesPoint | None = None
    for point in series.measured[1:]:
        low, high = bounds(point)
        if high < ENOUGH:
            worse = point
            break
        if low < ENOUGH:
            unsure = unsure or point
        elif unsure is None:
            best = point
    if unsure and best is first and worse is None and (is_trend(series) or _holds_one(unsure)):
        return ScalingVerdict(series=series, caveat=_scatter(unsure, first))
    return ScalingVerdict(series=series, best=best, worse=worse, unsure=unsure)


def _caveat(series: ScalingSeries) -> Caveat | None:
    if series.base is None or series.largest is None:
        return _too_short(series)
    records = [row.record for point in series.measured for row in point.entry.counted]
    first = series.measured[1]  # a later step without an interval leaves the first ones
    return caveat([first.step] if first.step else [], records)


def _too_short(series: ScalingSeries) -> Caveat:
    """Return the caveat of a series without two points to compare."""
    which = "No core count" if series.base is None else "Only one core count"
    kind = Voids.NOTHING if series.base is None else Voids.POINTS
    if any(point.oversubscribed for point in series.points):
        why = "the others have more ranks than the machine has cores"
        return Caveat(kind=kind, sentence=f"{which} can be used: {why}.", fix="Measure on a machine with more cores")
    return Caveat(kind=kind, sentence=f"{which} has a correct result.", fix="The table gives the reason for each")


def bounds(point: SeriesPoint) -> tuple[float, float]:
    """Return the ends of what a step is worth; infinite where that is too uncertain."""
    step, gain = point.step, point.gain
    if step is None or too_uncertain(step) or gain is None or gain.low is None or gain.high is None:
        return -math.inf, math.inf
    return gain.low, gain.high


def _holds_one(point: SeriesPoint) -> bool:
    step = point.step
    return step is None or step.low is None or step.high is None or step.low <= 1 <= step.high


def _scatter(point: SeriesPoint, before: SeriesPoint) -> Caveat:
    """Return the caveat of a first step whose interval decides nothing."""
    step = point.step
    between = f": {number(step.low)} to {number(step.high)} times the speed" if step and step.low and step.high else ""
    sentence = f"Whether {point.count} are worth it instead of {before.count} is not clear{between}."
    return uncertain(sentence, step.n if step else 0)
