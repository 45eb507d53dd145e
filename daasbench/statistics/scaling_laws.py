"""How speed grows with cores: the laws of Amdahl and Gustafson fitted to what was measured, and what they project.

Pure. A fit is a projection: it says how sure its one number is, and refuses to where it cannot know.

References
----------
.. [1] G. M. Amdahl, "Validity of the single processor approach to achieving large scale computing capabilities",
   AFIPS 1967, doi:10.1145/1465482.1465560
.. [2] J. L. Gustafson, "Reevaluating Amdahl's law", Commun. ACM 31 (1988) 532-533, doi:10.1145/42411.42415
.. [3] D. M. Bates, D. G. Watts, Nonlinear Regression Analysis and Its Applications (1988),
   doi:10.1002/9780470316757: intervals where the sum of squares passes a threshold, and lack of fit
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import fdtri

from daasbench.statistics.intervals import CONFIDENCE, Interval

LEAST_RUNGS = 3  # two points fit any law of two numbers
LOWEST, HIGHEST = -10.0, 10.0  # of a serial fraction: below 0 faster than ideal, above 1 slower than one core
STEPS = 80  # of each part of the search for the least sum of squares, before it is refined

Floats = NDArray[np.float64]


class Law(StrEnum):
    """How the speed on p steps depends on the serial fraction s, in units of the speed on one."""

    AMDAHL = "Amdahl"  # the work is fixed: 1 / (s + (1 - s) / p)
    GUSTAFSON = "Gustafson"  # the work grows with p: s + (1 - s) p

    def speed(self, steps: Floats, serial: float) -> Floats:
        """Return the speed on each number of steps; not a number where the law has none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if self is Law.AMDAHL:
                below = serial + (1 - serial) / steps
                return np.where(below > 0, 1 / below, np.nan)
            speeds = serial + (1 - serial) * steps
            return np.where(speeds > 0, speeds, np.nan)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A law with its serial fraction.

    Attributes
    ----------
    one
        The speed on one step that the fit found, in the unit of the measured speeds: where the curve stands.
    lacks
        Whether the rungs depart from the law by more than their own scatter; the interval is then that of the
        departures.
    """

    law: Law
    serial: Interval
    one: float
    rungs: int
    missing: bool

    def speed(self, steps: Sequence[float]) -> list[float]:
        """Return the speed on each number of steps, as the fit projects it."""
        return [float(one) for one in self.one * self.law.speed(np.asarray(steps, np.float64), self.serial.value)]

    def enough(self, worth: float) -> tuple[float, float, float]:
        """Return beyond how many steps another one brings less than `worth` of what each brings on average until there.

        For the fraction found, then for the upper and the lower end of its interval: N, the least N, the most N;
        infinite where it never falls so low. By Amdahl the next of N steps brings (1 - s) / (1 + s N) of the
        average of the N before, by Gustafson N (1 - s) / (s + (1 - s) N).
        """
        ends = (self.serial.value, self.serial.high, self.serial.low)
        found, least, most = (self._enough(math.nan if end is None else end, worth) for end in ends)
        return found, least, most

    def _enough(self, serial: float, worth: float) -> float:
        serial = max(serial, 0.0)  # a fraction below 0 is none: nothing serial is seen
        if self.law is Law.GUSTAFSON:
            return 1.0 if 1 - serial < worth else math.inf
        return max(1.0, ((1 - serial) / worth - 1) / serial) if serial > 0 else math.inf


def fit(law: Law, speeds: Mapping[int, Mapping[int, float]]) -> Fit | str:
    """Return the law fitted to measured speeds, or the sentence why there is none.

    Parameters
    ----------
    speeds
        By number of steps, then by set of processes: work per second, in any unit, positive. Where each rung has
        the same sets, a set's common drift is taken out; otherwise all are taken as independent.

    Notes
    -----
    Least squares on the logarithms. The interval holds the fractions whose sum of squares is within the F
    threshold of the least. Where rungs lie off the law by more than their processes scatter (lack of fit, 95 %),
    the scatter of the rungs around the law takes the place of that of the processes.
    """
    rungs = {steps: sets for steps, sets in sorted(speeds.items()) if sets}
    if len(rungs) < LEAST_RUNGS:
        message = f"{len(rungs)} numbers of cores were measured, and two points fit any law"
        return f"{message}: it takes {LEAST_RUNGS} or more"
    if min(len(sets) for sets in rungs.values()) < 2:
        return "a rung ran in one process only, which says nothing of its scatter: it takes two or more of each"
    points = _Points(law, rungs)
    least, serial = points.best()
    error, degrees, missing = points.scatter(least)
    threshold = least + error * float(fdtri(1, degrees, CONFIDENCE))
    low, high = points.crossing(serial, LOWEST, threshold), points.crossing(serial, HIGHEST, threshold)
    if low is None or high is None:
        return "the rungs scatter so much that any serial fraction would do: measure more processes"
    found = Interval(
        value=serial, low=low, high=high, n=len(rungs), method="profile of the sum of squares of logarithms"
    )
    return Fit(law=law, serial=found, one=points.one(serial), rungs=len(rungs), missing=missing)


class _Points:
    """The logarithms of all speeds, and what is left of them when a law has taken its part."""

    def __init__(self, law: Law, rungs: Mapping[int, Mapping[int, float]]) -> None:
        self.law = law
        pairs = [(steps, one, speed) for steps, sets in rungs.items() for one, speed in sorted(sets.items())]
        self.steps: Floats = np.array([pair[0] for pair in pairs], np.float64)
        self.logs: Floats = np.log(np.array([pair[2] for pair in pairs], np.float64))
        together = len({frozenset(sets) for sets in rungs.values()}) == 1
        names = [pair[1] if together else 0 for pair in pairs]
        self.sets = np.unique(names, return_inverse=True)[1]
        self.rung = np.unique(self.steps, return_inverse=True)[1]
        self.count, self.levels = len(pairs), int(self.sets.max()) + 1

    def squares(self, serial: float) -> float:
        """Return the sum of squares that a serial fraction leaves; infinite where the law has no speed."""
        speeds = self.law.speed(self.steps, serial)
        if not np.isfinite(speeds).all():
            return math.inf
        return float((self._within_sets(self.logs - np.log(speeds)) ** 2).sum())

    def one(self, serial: float) -> float:
        """Return the speed on one step."""
        return float(np.exp((self.logs - np.log(self.law.speed(self.steps, serial))).mean()))

    def best(self) -> tuple[float, float]:
        """Return the least sum of squares and its serial fraction."""
        grid = np.concatenate(
            [np.linspace(LOWEST, -1, STEPS), np.linspace(-1, 2, STEPS), np.linspace(2, HIGHEST, STEPS)]
        )
        values = [self.squares(float(one)) for one in grid]
        at = int(np.argmin(values))
        around = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, len(grid) - 1)])
        found = minimize_scalar(self.squares, bounds=around, method="bounded", options={"xatol": 1e-10})
        return min((float(found.fun), float(found.x)), (values[at], float(grid[at])))

    def scatter(self, least: float) -> tuple[float, float, bool]:
        """Return the variance around the law, its degrees of freedom, and whether the law does not fit."""
        rungs = int(self.rung.max()) + 1
        pure, pure_degrees = self._pure(), self.count - self.levels - (rungs - 1)
        off, off_degrees = max(least - pure, 0.0), rungs - 2
        off_mean, pure_mean = off / off_degrees, pure / pure_degrees
        if off_mean > pure_mean * float(fdtri(off_degrees, pure_degrees, CONFIDENCE)):
            return off_mean, off_degrees, True
        return least / (pure_degrees + off_degrees), pure_degrees + off_degrees, False

    def crossing(self, serial: float, end: float, threshold: float) -> float | None:
        """Return where, from the best fraction towards `end`, the sum of squares passes the threshold."""
        span, step = end - serial, 1e-9
        inside = serial
        while step < 1:
            outside = serial + span * step
            if self.squares(outside) > threshold:
                return self._root(inside, outside, threshold)
            inside, step = outside, step * 1.5
        return None

    def _root(self, inside: float, outside: float, threshold: float) -> float:
        while not math.isfinite(self.squares(outside)):  # where the law ends: a fraction below is within
            middle = (inside + outside) / 2
            if middle in (inside, outside):
                return inside
            inside, outside = (middle, outside) if self.squares(middle) <= threshold else (inside, middle)
        return float(brentq(lambda one: self.squares(one) - threshold, inside, outside, xtol=1e-12))

    def _pure(self) -> float:
        """Return the sum of squares of the processes around their own rung, whatever the law."""
        left = self.logs
        for _ in range(2):  # exact after one round where every rung has the same sets, or there is one set
            left = self._within_sets(left)
            left = left - _means(left, self.rung)[self.rung]
        return float((left**2).sum())

    def _within_sets(self, values: Floats) -> Floats:
        rest: Floats = values - _means(values, self.sets)[self.sets]
        return rest


def _means(values: Floats, groups: NDArray[np.int64]) -> Floats:
    means: Floats = np.bincount(groups, values) / np.bincount(groups)
    return means


def gain(ratio: Interval, before: int, after: int) -> Interval:
    """Return what each step from `before` to `after` brought, in units of the average of those before.

    `ratio`: the speed after over the speed before, with its interval. 1 is ideal, 0 is no gain.
    """
    more = after / before - 1

    def worth(one: float | None) -> float | None:
        return None if one is None else (one - 1) / more

    return Interval(
        value=(ratio.value - 1) / more, low=worth(ratio.low), high=worth(ratio.high), n=ratio.n, method=ratio.method
    )


def scaled(interval: Interval, factor: float) -> Interval:
    """Return the interval times a factor, which is known."""
    low, high = (None if end is None else end * factor for end in (interval.low, interval.high))
    return Interval(value=interval.value * factor, low=low, high=high, n=interval.n, method=interval.method)
