"""How speed grows with cores: the laws of Amdahl and Gustafson, fitted to measured speeds, and their projections.

Pure. A fit has one number, the serial fraction, with its interval; where the data do not determine it, there is no fit.

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import fdtri

from daasbench.statistics.intervals import CONFIDENCE, LEAST_PROCESSES, Interval

LEAST_POINTS = 3  # any law with two parameters fits two points
LOWEST, HIGHEST = -10.0, 10.0  # of a serial fraction: below 0 faster than ideal, above 1 slower than one core
STEPS = 80  # in each part of the search for the minimum of the sum of squares, before it is refined

Floats = NDArray[np.float64]


class Law(StrEnum):
    """How the speed on p steps depends on the serial fraction s, in units of the speed on one."""

    AMDAHL = "Amdahl"  # the work is fixed: 1 / (s + (1 - s) / p)
    GUSTAFSON = "Gustafson"  # the work grows with p: s + (1 - s) p

    def speed(self, steps: Floats, serial: float) -> Floats:
        """Return the speed on each number of steps; NaN where the law gives none."""
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
    single
        The fitted speed on one step, in the unit of the measured speeds.
    points
        The number of points that were fitted.
    lack_of_fit
        Whether the points deviate from the law by more than the scatter of their processes; the interval is then
        that of the deviations.
    """

    law: Law
    serial: Interval
    single: float
    points: int
    lack_of_fit: bool

    def speed(self, steps: Sequence[float]) -> list[float]:
        """Return the speed on each number of steps, as the fit projects it."""
        relative = self.law.speed(np.asarray(steps, np.float64), self.serial.value)
        return [float(speed) for speed in self.single * relative]

    def enough(self, worth: float) -> tuple[float, float, float]:
        """Return the number of steps N at which the incremental efficiency falls below `worth`.

        The incremental efficiency is the speed that the next step adds, over the average speed per step of the N
        steps before: by Amdahl (1 - s) / (1 + s N), by Gustafson N (1 - s) / (s + (1 - s) N).

        Returns
        -------
        N for the fitted fraction, then the smallest and the largest N for the ends of its interval; infinite where
        the incremental efficiency stays above `worth`.
        """
        ends = (self.serial.value, self.serial.high, self.serial.low)
        found, least, most = (self._enough(math.nan if end is None else end, worth) for end in ends)
        return found, least, most

    def _enough(self, serial: float, worth: float) -> float:
        serial = max(serial, 0.0)  # a fraction below 0: no serial part was seen
        if self.law is Law.GUSTAFSON:
            return 1.0 if 1 - serial < worth else math.inf
        return max(1.0, ((1 - serial) / worth - 1) / serial) if serial > 0 else math.inf


def fit(law: Law, speeds: Mapping[int, Mapping[int, float]]) -> Fit | str:
    """Return the law fitted to measured speeds, or the sentence that says why there is no fit.

    Parameters
    ----------
    speeds
        By number of steps, then by set of processes: work per second, in any unit, positive. Where all points have
        the same sets, the common drift of a set is removed; otherwise all speeds are taken as independent.

    Notes
    -----
    Least squares on the logarithms. The interval holds the fractions whose sum of squares is within the F
    threshold of the minimum. Where points deviate from the law by more than the scatter of their processes (lack
    of fit, 95 %), the scatter of the points around the law replaces that of the processes.
    """
    measured = {steps: sets for steps, sets in sorted(speeds.items()) if sets}
    if len(measured) < LEAST_POINTS:
        message = f"{len(measured)} numbers of cores were measured, and two points fit any law"
        return f"{message}: a fit needs {LEAST_POINTS} or more"
    if min(len(sets) for sets in measured.values()) < LEAST_PROCESSES:
        message = f"a point was measured in fewer than {LEAST_PROCESSES} processes, so its scatter is not known"
        return f"{message}: a fit needs {LEAST_PROCESSES} or more per point"
    points = _Points(law, measured)
    least, serial = points.best()
    error, degrees, lack_of_fit = points.scatter(least)
    threshold = least + error * float(fdtri(1, degrees, CONFIDENCE))
    low, high = points.crossing(serial, LOWEST, threshold), points.crossing(serial, HIGHEST, threshold)
    if low is None or high is None:
        return "the points scatter so much that every serial fraction fits: measure more processes"
    method = "profile of the sum of squares of logarithms"
    interval = Interval(value=serial, low=low, high=high, n=len(measured), method=method)
    single = points.single(serial)
    return Fit(law=law, serial=interval, single=single, points=len(measured), lack_of_fit=lack_of_fit)


class _Points:
    """The logarithms of all speeds, and their deviations from a law."""

    def __init__(self, law: Law, measured: Mapping[int, Mapping[int, float]]) -> None:
        self.law = law
        speeds = [(steps, index, speed) for steps, sets in measured.items() for index, speed in sorted(sets.items())]
        self.steps: Floats = np.array([steps for steps, _, _ in speeds], np.float64)
        self.logs: Floats = np.log(np.array([speed for _, _, speed in speeds], np.float64))
        together = len({frozenset(sets) for sets in measured.values()}) == 1
        names = [index if together else 0 for _, index, _ in speeds]
        self.sets = np.unique(names, return_inverse=True)[1]
        self.point = np.unique(self.steps, return_inverse=True)[1]
        self.count, self.levels = len(speeds), int(self.sets.max()) + 1

    def squares(self, serial: float) -> float:
        """Return the sum of squared deviations for a serial fraction; infinite where the law gives no speed."""
        speeds = self.law.speed(self.steps, serial)
        if not np.isfinite(speeds).all():
            return math.inf
        return float((self._within_sets(self.logs - np.log(speeds)) ** 2).sum())

    def single(self, serial: float) -> float:
        """Return the fitted speed on one step."""
        return float(np.exp((self.logs - np.log(self.law.speed(self.steps, serial))).mean()))

    def best(self) -> tuple[float, float]:
        """Return the minimum of the sum of squares and its serial fraction."""
        grid = np.concatenate(
            [np.linspace(LOWEST, -1, STEPS), np.linspace(-1, 2, STEPS), np.linspace(2, HIGHEST, STEPS)]
        )
        values = [self.squares(float(serial)) for serial in grid]
        at = int(np.argmin(values))
        around = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, len(grid) - 1)])
        found = minimize_scalar(self.squares, bounds=around, method="bounded", options={"xatol": 1e-10})
        return min((float(found.fun), float(found.x)), (values[at], float(grid[at])))

    def scatter(self, least: float) -> tuple[float, float, bool]:
        """Return the variance around the law, its degrees of freedom, and whether the law does not fit."""
        points = int(self.point.max()) + 1
        pure, pure_degrees = self._pure(), self.count - self.levels - (points - 1)
        off, off_degrees = max(least - pure, 0.0), points - 2
        off_mean, pure_mean = off / off_degrees, pure / pure_degrees
        if off_mean > pure_mean * float(fdtri(off_degrees, pure_degrees, CONFIDENCE)):
            return off_mean, off_degrees, True
        return least / (pure_degrees + off_degrees), pure_degrees + off_degrees, False

    def crossing(self, serial: float, end: float, threshold: float) -> float | None:
        """Return the fraction between the best and `end` at which the sum of squares reaches the threshold."""
        span, step = end - serial, 1e-9
        inside = serial
        while step < 1:
            outside = serial + span * step
            if self.squares(outside) > threshold:
                return self._root(inside, outside, threshold)
            inside, step = outside, step * 1.5
        return None

    def _root(self, inside: float, outside: float, threshold: float) -> float:
        while not math.isfinite(self.squares(outside)):  # beyond the end of the law; a smaller fraction is within
            middle = (inside + outside) / 2
            if middle in (inside, outside):
                return inside
            inside, outside = (middle, outside) if self.squares(middle) <= threshold else (inside, middle)
        return float(brentq(lambda fraction: self.squares(fraction) - threshold, inside, outside, xtol=1e-12))

    def _pure(self) -> float:
        """Return the sum of squares of the processes around the mean of their point, for any law."""
        rest = self.logs
        for _ in range(2):  # exact after one pass where all points have the same sets, or there is one set
            rest = self._within_sets(rest)
            rest = rest - _means(rest, self.point)[self.point]
        return float((rest**2).sum())

    def _within_sets(self, values: Floats) -> Floats:
        rest: Floats = values - _means(values, self.sets)[self.sets]
        return rest


def _means(values: Floats, groups: NDArray[np.int64]) -> Floats:
    means: Floats = np.bincount(groups, values) / np.bincount(groups)
    return means


def gain(ratio: Interval, before: int, after: int) -> Interval:
    """Return the incremental efficiency from `before` to `after` steps: 1 is ideal, 0 is no gain.

    It is the speed that each added step brought, in units of the average speed per step before. `ratio`: the speed
    after over the speed before, with its interval.
    """
    more = after / before - 1
    return _each_end(ratio, lambda end: (end - 1) / more)


def scaled(interval: Interval, factor: float) -> Interval:
    """Return the interval times a factor that is known exactly."""
    return _each_end(interval, lambda end: end * factor)


def _each_end(interval: Interval, change: Callable[[float], float]) -> Interval:
    """Return the interval with value, bounds and range changed by an increasing function."""
    ends = (interval.low, interval.high, interval.least, interval.greatest)
    low, high, least, greatest = (None if end is None else change(end) for end in ends)
    value, n, method = change(interval.value), interval.n, interval.method
    return Interval(value=value, low=low, high=high, n=n, method=method, least=least, greatest=greatest)
