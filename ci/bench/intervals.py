"""Simulate how often a 95 % interval contains the true median.

    python ci/bench/intervals.py

The target is 93 to 97 % in 2000 simulated sessions each of 3, 5 and 10 processes. Times vary by 3 % between processes
and by 2 % within a process of 10 repeats; the seed is fixed. The same is printed for the interval of a ratio of two
implementations in the same sets of processes, and for the interval of the median within one process.
"""

from __future__ import annotations

import numpy as np

from daasbench.statistics.intervals import Interval, across_processes, median_intervals, ratio

SEED = 20261122
SESSIONS = 2000
REPEATS = 10
BETWEEN, WITHIN = 0.03, 0.02
TRUTH_S = 0.4
SPEEDUP = 1.5


def medians(chance: np.random.Generator, processes: int, truth_s: float) -> list[float]:
    """Return the median of each process of one session."""
    own = chance.lognormal(0, BETWEEN, (processes, 1))
    median: list[float] = np.median(truth_s * own * chance.lognormal(0, WITHIN, (processes, REPEATS)), axis=1).tolist()
    return median


def covers(interval: Interval, truth: float) -> bool:
    """Return whether the truth lies within the bounds."""
    return interval.low is not None and interval.high is not None and interval.low <= truth <= interval.high


def main() -> None:
    """Print how many of the intervals contain the truth, in per cent."""
    chance = np.random.default_rng(SEED)
    for processes in (3, 5, 10):
        hits = pairs = 0
        for _ in range(SESSIONS):
            base = medians(chance, processes, TRUTH_S)
            hits += covers(across_processes(base), TRUTH_S)
            new = medians(chance, processes, SPEEDUP * TRUTH_S)
            pairs += covers(ratio(dict(enumerate(base)), dict(enumerate(new))), SPEEDUP)
        share, pair = 100 * hits / SESSIONS, 100 * pairs / SESSIONS
        print(f"{processes:2} processes: median {share:.1f} %, ratio {pair:.1f} %   (target: 93-97 %)")
    for repeats in (3, 5, 6, 10, 30):
        flat = TRUTH_S * chance.lognormal(0, WITHIN, SESSIONS * repeats)
        _, low, high = median_intervals(flat, np.full(SESSIONS, repeats))
        print(f"{repeats:2} repeats of one process: {100 * np.mean((low <= TRUTH_S) & (high >= TRUTH_S)):.1f} %")


if __name__ == "__main__":
    main()
