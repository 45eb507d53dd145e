"""Intervals of medians and ratios.

Every interval is a 95 % interval. The repeats within one process share its memory layout, its clock and its
neighbours, so they only show how well the median of *this* process is known; between platforms, commits and
implementations the unit of analysis is the process, and the interval is a t interval on logarithms.

References
----------
.. [1] T. P. Hettmansperger, S. J. Sheather, "Confidence intervals based on interpolated order statistics",
   Statistics & Probability Letters 4 (1986) 75-79, doi:10.1016/0167-7152(86)90021-0
.. [2] B. L. Welch, "The generalization of Student's problem when several different population variances are
   involved", Biometrika 34 (1947) 28-35, doi:10.1093/biomet/34.1-2.28
.. [3] T. Kalibera, R. Jones, "Rigorous benchmarking in reasonable time", ISMM 2013,
   doi:10.1145/2491894.2464160
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
_T_OF_FEW = (12.706204736432095, 4.302652729911275, 3.182446305284263, 2.7764451051977934)  # 1-4 degrees
ORDER_STATISTICS_FROM = 6  # fewest samples whose extremes cover the median with 95 %: 1 - 2 / 2**6
LEAST_PROCESSES = 3  # fewest whose medians give an interval: of two, t spans the 12.7-fold of their standard error
LEAST_SAMPLES = 3  # and of the repeats of one process
ENOUGH_PROCESSES, MANY_PROCESSES = 5, 10  # to ask for where there is no interval, and where that of so few is too wide
WIDEST = 3.0  # above this ratio of the bounds, an interval compares nothing

Floats = NDArray[np.float64]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A value and its 95 % interval; the bounds are None where the samples give none.

    `least` and `greatest` are the smallest and the largest median (or ratio) across processes: the range, which is no
    interval. They are None for one process, and within a process.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    method: str  # order statistics, t on logarithms, paired t on log ratios, Welch on log ratios, range, none
    least: float | None = None
    greatest: float | None = None


def median_interval(samples: Sequence[float]) -> Interval:
    """Return the median of the repeats within one process, with its 95 % interval.

    Six samples and more: order statistics, interpolated after Hettmansperger and Sheather (reference 1), which assume
    nothing about the distribution. Three to five: a t interval on logarithms, which assumes one mode; it always
    encloses the median. One or two samples, or a sample that is not positive among fewer than six: no bounds.

    Raises
    ------
    ValueError
        If there is no sample, or a sample is not finite.
    """
    values = np.asarray(samples, np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("a median needs at least one sample, and all samples finite")
    value, low, high = (float(column[0]) for column in median_intervals(values, np.array([len(values)])))
    if np.isnan(low):
        return Interval(value=value, low=None, high=None, n=len(values), method="none")
    method = "order statistics" if len(values) >= ORDER_STATISTICS_FROM else "t on logarithms"
    return Interval(value=value, low=low, high=high, n=len(values), method=method)


def median_intervals(values: Floats, lengths: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Return medians, low and high bounds of many records at once.

    Parameters
    ----------
    values
        The samples of all records, record after record.
    lengths
        How many samples each record has; the same rules as in :func:`median_interval`.

    Returns
    -------
    tuple of arrays of float64, one element per record; NaN where the samples give no value.
    """
    medians, lows, highs = (np.full(len(lengths), np.nan) for _ in range(3))
    for rows, samples in _by_length(values, lengths):
        n = samples.shape[1]
        median = _middle(samples)
        if n >= ORDER_STATISTICS_FROM:
            low, high = _order_statistics(samples)
        else:
            low, high = _t_on_logarithms(samples)
        medians[rows] = median
        lows[rows] = np.minimum(low, median)  # rounding must not put the median outside
        highs[rows] = np.maximum(high, median)
    return medians, lows, highs


def medians(values: Floats, lengths: NDArray[np.int64]) -> Floats:
    """Return the medians of many records, laid out as in :func:`median_intervals`; NaN for no samples."""
    result = np.full(len(lengths), np.nan)
    for rows, samples in _by_length(values, lengths):
        result[rows] = _middle(samples)
    return result


def relative_half_width(interval: Interval) -> float | None:
    """Return half the width of the interval as a fraction of its value; None without bounds or at zero."""
    if interval.low is None or interval.high is None or interval.value == 0:
        return None
    return (interval.high - interval.low) / (2 * interval.value)


def too_uncertain(interval: Interval) -> bool:
    """Return whether the interval of a positive quantity is too wide to compare with: high is over 3 times low."""
    if interval.low is None or interval.high is None:
        return False
    return interval.high > WIDEST * interval.low


def processes_needed(seen: int) -> int:
    """Return how many processes to ask for, where `seen` processes gave no interval or one that is too wide."""
    return ENOUGH_PROCESSES if seen < ENOUGH_PROCESSES else max(MANY_PROCESSES, 2 * seen)


def across_processes(medians: Sequence[float]) -> Interval:
    """Return the geometric mean of the medians of processes, with its t interval on logarithms.

    Below three processes there are no bounds. Two have their range (method ``range``); one has none: its repeats do
    not show how the next process differs (reference 3).

    Raises
    ------
    ValueError
        If there is no median, or a median is not positive and finite.
    """
    logs = _logarithms(medians)
    return _exponential(_mean(logs), _half_width(logs), len(logs), "t on logarithms", _ends(logs))


def phase_interval(seconds: Sequence[float]) -> Interval:
    """Return the seconds of a phase across processes, as :func:`across_processes`.

    A phase that took 0 s in some process has no logarithm: its value is the median, without an interval.

    Raises
    ------
    ValueError
        If there is no value, or a value is not finite.
    """
    if seconds and min(seconds) > 0:
        return across_processes(seconds)
    return Interval(value=median_interval(seconds).value, low=None, high=None, n=len(seconds), method="none")


def ratio(base: Mapping[int, float], new: Mapping[int, float]) -> Interval:
    """Return how many times `base` the medians of `new` are, with the 95 % interval.

    Parameters
    ----------
    base, new
        Median of each process, by the index of its set of processes. Where both have the same indices, both were
        measured in alternating rounds of the same sets: drift affects both, and the logarithms of the ratios are
        paired. Otherwise the two means of logarithms are compared after Welch (reference 2). With fewer than three
        processes on a side there are no bounds, only the range of the ratios.

    Raises
    ------
    ValueError
        If either is empty, or a median is not positive and finite.
    TypeError
        If either is not a mapping: a column of a table does not say which process a median is of.
    """
    _check_mapping(base)
    _check_mapping(new)
    if base.keys() == new.keys():
        order = sorted(base)
        logs = _logarithms([new[i] for i in order]) - _logarithms([base[i] for i in order])
        return _exponential(_mean(logs), _half_width(logs), len(logs), "paired t on log ratios", _ends(logs))
    old, now = _logarithms(list(base.values())), _logarithms(list(new.values()))
    difference = _mean(now) - _mean(old)
    ends = None if len(old) == len(now) == 1 else (float(now.min() - old.max()), float(now.max() - old.min()))
    return _exponential(difference, _welch(old, now), min(len(old), len(now)), "Welch on log ratios", ends)


def _check_mapping(medians: object) -> None:
    """Raise TypeError for a column of a table, which does not say which process a median is of."""
    if not isinstance(medians, Mapping):
        message = f"ratio takes two mappings from process to median, not {type(medians).__name__}"
        raise TypeError(f'{message}; for a table of daasbench.load: daasbench.ratio(table, base="numpy")')


def _by_length(values: Floats, lengths: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Yield, for each number of samples, the rows with that number and their sorted samples, one row per record."""
    starts = np.cumsum(lengths) - lengths
    for n in np.unique(lengths):
        if n:
            rows = np.flatnonzero(lengths == n)
            samples = values[starts[rows, None] + np.arange(n)]
            samples.sort(axis=1)
            yield rows, samples


def _middle(samples: Floats) -> Floats:
    n = samples.shape[1]
    below, above = samples[:, (n - 1) // 2], samples[:, n // 2]
    middle: Floats = below + (above - below) / 2
    return middle


def _order_statistics(samples: Floats) -> tuple[Floats, Floats]:
    depth, weight = _interpolation(samples.shape[1])
    outer_low, inner_low = samples[:, depth - 1], samples[:, depth]
    outer_high, inner_high = samples[:, -depth], samples[:, -depth - 1]
    return outer_low + weight * (inner_low - outer_low), outer_high - weight * (outer_high - inner_high)


@lru_cache(maxsize=4096)
def _interpolation(n: int) -> tuple[int, float]:
    """Return the depth d whose pair of order statistics covers 95 %, and the weight of depth d + 1."""
    below = np.arange(n // 2 + 1)  # binomial: how many of n samples lie below the median
    logs = np.concatenate([[0.0], np.cumsum(np.log((n - below[:-1]) / (below[:-1] + 1)))]) - n * np.log(2)
    coverage = 1 - 2 * np.cumsum(np.exp(logs))
    depth = int(np.flatnonzero(coverage >= CONFIDENCE)[-1]) + 1
    outer, inner = float(coverage[depth - 1]), float(coverage[depth])
    share = (outer - CONFIDENCE) / (outer - inner)
    return depth, (n - depth) * share / (depth + (n - 2 * depth) * share)


def _t_on_logarithms(samples: Floats) -> tuple[Floats, Floats]:
    n = samples.shape[1]
    if n < LEAST_SAMPLES:
        nothing = np.full(len(samples), np.nan)
        return nothing, nothing
    with np.errstate(divide="ignore", invalid="ignore"):  # the logarithm of zero: NaN
        logs = np.log(samples)
        half = _t(n - 1) * logs.std(axis=1, ddof=1) / np.sqrt(n)
        low, high = np.exp(logs.mean(axis=1) - half), np.exp(logs.mean(axis=1) + half)
    return low, high


@lru_cache(maxsize=4096)
def _t(degrees: float) -> float:
    """Return the two-sided 95 % quantile of Student's t distribution."""
    if degrees in (1, 2, 3, 4):  # enough for a worker: importing scipy takes it half a second
        return _T_OF_FEW[int(degrees) - 1]
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + CONFIDENCE) / 2))


def _logarithms(medians: Sequence[float]) -> Floats:
    values = np.asarray(medians, np.float64)
    if not len(values) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError("an interval across processes needs at least one median, positive and finite")
    logs: Floats = np.log(values)
    return logs


def _mean(logs: Floats) -> float:
    return float(logs.mean())


def _ends(logs: Floats) -> tuple[float, float] | None:
    return (float(logs.min()), float(logs.max())) if len(logs) > 1 else None


def _half_width(logs: Floats) -> float | None:
    if len(logs) < LEAST_PROCESSES:
        return None
    return _t(len(logs) - 1) * float(logs.std(ddof=1)) / float(np.sqrt(len(logs)))


def _welch(old: Floats, now: Floats) -> float | None:
    if min(len(old), len(now)) < LEAST_PROCESSES:
        return None
    errors = np.array([old.var(ddof=1) / len(old), now.var(ddof=1) / len(now)])
    total = float(errors.sum())
    if total == 0:
        return 0.0
    degrees = total**2 / float((errors**2 / (np.array([len(old), len(now)]) - 1)).sum())
    return _t(degrees) * float(np.sqrt(total))


def _exponential(mean: float, half: float | None, n: int, method: str, ends: tuple[float, float] | None) -> Interval:
    value = float(np.exp(mean))
    least, greatest = (None, None) if ends is None else (float(end) for end in np.exp(ends))
    if half is None:
        method = "none" if ends is None else "range"
        return Interval(value=value, low=None, high=None, n=n, method=method, least=least, greatest=greatest)
    bounds: Any = np.exp([mean - half, mean + half])
    low, high = float(bounds[0]), float(bounds[1])
    return Interval(value=value, low=low, high=high, n=n, method=method, least=least, greatest=greatest)
