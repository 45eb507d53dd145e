"""The intervals are those of scipy, which computes them from the same papers by other code.

Seeded samples of the shapes that times have: skewed, with outliers, in steps of a clock, nearly all alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.stats.mstats import median_cihs

from daasbench.statistics.intervals import across_processes, median_interval, median_intervals, ratio

Floats = NDArray[np.float64]
SHAPES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "skewed": lambda chance, n: chance.lognormal(-3.0, 0.3, n),
    "outliers": lambda chance, n: 0.02 + 0.001 * np.abs(chance.standard_cauchy(n)),
    "steps of a clock": lambda chance, n: chance.integers(1, 6, n) * 1e-6,
    "nearly alike": lambda chance, n: 1.0 + 1e-9 * chance.standard_normal(n),
    "two modes": lambda chance, n: chance.normal(chance.choice([1.0, 3.0], n), 0.01),
}


def draws(shape: str, *sizes: int) -> Iterator[tuple[Floats, ...]]:
    """Yield seeded samples of such sizes; samples that are all alike have no variance, of which scipy warns."""
    for seed in range(20):
        chance = np.random.default_rng(seed)
        drawn = tuple(SHAPES[shape](chance, size) for size in sizes)
        if all(np.ptp(one) > 0 for one in drawn):
            yield drawn


every_shape = pytest.mark.parametrize("shape", SHAPES)


@every_shape
@pytest.mark.parametrize("n", [*range(6, 40), 64, 99, 100, 257, 1000])
def test_the_interval_of_the_median_is_that_of_scipy(shape: str, n: int) -> None:
    """Hettmansperger and Sheather, doi:10.1016/0167-7152(86)90021-0."""
    for (samples,) in draws(shape, n):
        found = median_interval(list(samples))
        assert found.method == "order statistics"
        assert (found.low, found.high) == pytest.approx(median_cihs(samples, alpha=0.05), rel=1e-12)


@every_shape
def test_the_intervals_of_many_records_at_once_are_those_of_scipy(shape: str) -> None:
    chance = np.random.default_rng(1)
    records = [SHAPES[shape](chance, int(n)) for n in chance.integers(6, 60, 300)]
    _, lows, highs = median_intervals(np.concatenate(records), np.array([len(one) for one in records]))
    expected = np.array([median_cihs(one, alpha=0.05) for one in records])
    assert np.column_stack([lows, highs]) == pytest.approx(expected, rel=1e-12)


@every_shape
@pytest.mark.parametrize("n", range(3, 6))
def test_the_interval_of_a_few_samples_is_students_on_logarithms(shape: str, n: int) -> None:
    for (samples,) in draws(shape, n):
        found = median_interval(list(samples))
        low, high = np.exp(stats.ttest_1samp(np.log(samples), 0.0).confidence_interval(0.95))
        value = float(np.median(samples))  # always enclosed, which the interval of the mean need not do
        assert found.method == "t on logarithms"
        assert (found.low, found.high) == pytest.approx((min(low, value), max(high, value)), rel=1e-9)


@every_shape
@pytest.mark.parametrize("n", [3, 4, 5, 10, 30])
def test_the_interval_across_processes_is_students_on_logarithms(shape: str, n: int) -> None:
    for (samples,) in draws(shape, n):
        found = across_processes(list(samples))
        assert found.value == pytest.approx(stats.gmean(samples), rel=1e-12)
        expected = np.exp(stats.ttest_1samp(np.log(samples), 0.0).confidence_interval(0.95))
        assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-9)


@every_shape
@pytest.mark.parametrize(("n", "m"), [(4, 3), (3, 4), (5, 8), (10, 3), (30, 31)])
def test_the_interval_of_a_ratio_of_separate_processes_is_welchs(shape: str, n: int, m: int) -> None:
    for old, new in draws(shape, n, m):
        found = ratio(dict(enumerate(old)), dict(enumerate(new)))
        assert found.method == "Welch on log ratios"
        welch = stats.ttest_ind(np.log(new), np.log(old), equal_var=False)
        assert (found.low, found.high) == pytest.approx(tuple(np.exp(welch.confidence_interval(0.95))), rel=1e-9)


@every_shape
@pytest.mark.parametrize("n", [3, 4, 8, 30])
def test_the_interval_of_a_ratio_of_processes_of_the_same_sets_is_that_of_pairs(shape: str, n: int) -> None:
    for old, drift in draws(shape, n, n):
        new = old * drift
        found = ratio(dict(enumerate(old)), dict(enumerate(new)))
        assert found.method == "paired t on log ratios"
        paired = stats.ttest_rel(np.log(new), np.log(old)).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx(tuple(np.exp(paired)), rel=1e-9)


def test_samples_that_are_all_alike_have_an_interval_of_no_width() -> None:
    for n in (3, 5, 6, 30):
        found = [median_interval([0.3] * n), across_processes([0.3] * n)]
        found.append(ratio(dict.fromkeys(range(n), 0.3), dict.fromkeys(range(1, n + 1), 0.3)))
        for one in found:
            assert (one.low, one.high) == pytest.approx((one.value, one.value), rel=1e-12)
