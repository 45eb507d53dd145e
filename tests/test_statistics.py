"""Intervals: what they cover, how they scale, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtr, stdtrit

from daasbench.statistics import intervals
from daasbench.statistics.intervals import (
    Interval,
    across_processes,
    median_interval,
    ratio,
    relative_half_width,
    too_uncertain,
)

times = st.floats(1e-9, 1e6)


@given(st.lists(times, min_size=3, max_size=60))
def test_the_median_lies_within_its_interval(samples: list[float]) -> None:
    found = median_interval(samples)
    assert found.value == pytest.approx(np.median(samples), rel=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


@given(st.lists(times, min_size=3, max_size=40), st.floats(1e-3, 1e3))
def test_an_interval_in_other_units_is_the_interval_scaled(samples: list[float], factor: float) -> None:
    one, scaled = median_interval(samples), median_interval([factor * sample for sample in samples])
    for bound in ("value", "low", "high"):
        assert getattr(scaled, bound) == pytest.approx(factor * getattr(one, bound), rel=1e-9)


@given(st.lists(st.lists(times, max_size=12), max_size=12))
def test_many_records_at_once_give_what_each_gives_alone(many: list[list[float]]) -> None:
    flat = np.array([sample for samples in many for sample in samples])
    lengths = np.array([len(samples) for samples in many], np.int64)
    medians, lows, highs = intervals.median_intervals(flat, lengths)
    assert intervals.medians(flat, lengths) == pytest.approx(medians, nan_ok=True)
    for samples, *found in zip(many, medians, lows, highs, strict=True):
        if not samples:
            assert np.isnan(found).all()
            continue
        alone = median_interval(samples)
        expected = [np.nan if bound is None else bound for bound in (alone.value, alone.low, alone.high)]
        assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_six_samples_give_the_interpolated_order_statistics_of_hettmansperger_and_sheather() -> None:
    outer, inner = 1 - 2 * bdtr(0, 6, 0.5), 1 - 2 * bdtr(1, 6, 0.5)
    share = (outer - 0.95) / (outer - inner)
    weight = 5 * share / (1 + 4 * share)
    found = median_interval([6, 1, 5, 2, 4, 3])
    assert found.method == "order statistics"
    assert (found.low, found.high) == pytest.approx((1 + weight, 6 - weight))


def test_the_few_quantiles_of_t_that_are_written_down_are_those_of_scipy() -> None:
    assert [intervals._t(n) for n in (1, 2, 3, 4)] == pytest.approx(stdtrit([1, 2, 3, 4], 0.975), rel=1e-9)


def test_three_samples_give_a_t_interval_on_logarithms() -> None:
    found = median_interval([1.0, np.e, np.e**2])
    half = stdtrit(2, 0.975) / np.sqrt(3)
    assert found.method == "t on logarithms"
    assert np.log([found.low, found.high]) == pytest.approx([1 - half, 1 + half])


@pytest.mark.parametrize("samples", [[0.5], [0.5, 0.5], [0.0, 0.5, 1.0]])
def test_samples_that_cannot_give_bounds_give_none(samples: list[float]) -> None:
    found = median_interval(samples)
    assert found == Interval(value=0.5, low=None, high=None, n=len(samples), method="none")
    assert relative_half_width(found) is None


@pytest.mark.parametrize("samples", [[], [1.0, float("nan")], [float("inf")]])
def test_no_sample_and_no_number_are_refused(samples: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        median_interval(samples)


def test_the_relative_half_width_is_a_fraction_of_the_value() -> None:
    assert relative_half_width(Interval(value=2.0, low=1.9, high=2.3, n=9, method="x")) == pytest.approx(0.1)


def test_equal_samples_have_an_interval_without_width() -> None:
    for n in (3, 5, 6, 11, 2000):
        found = median_interval([0.1] * n)
        assert (found.low, found.value, found.high) == pytest.approx((0.1, 0.1, 0.1), rel=1e-12)


@pytest.mark.parametrize("n", [3, 5, 6, 7, 10, 25])
def test_the_interval_of_a_process_covers_its_true_median(n: int) -> None:
    chance = np.random.default_rng(n)
    sessions = 2000
    flat = chance.lognormal(0, 0.02, sessions * n)
    _, low, high = intervals.median_intervals(flat, np.full(sessions, n))
    assert 0.93 <= np.mean((low <= 1) & (high >= 1)) <= 0.97


@pytest.mark.parametrize("processes", [3, 5, 10])
def test_the_interval_across_processes_covers_the_true_median(processes: int) -> None:
    chance = np.random.default_rng(processes)
    hits = 0
    for _ in range(600):
        own = chance.lognormal(0, 0.03, (processes, 1)) * chance.lognormal(0, 0.02, (processes, 10))
        found = across_processes(np.median(own, axis=1).tolist())
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 1 <= found.high
    assert 0.925 <= hits / 600 <= 0.975


def test_one_process_says_nothing_of_the_next() -> None:
    assert across_processes([0.2]) == Interval(value=pytest.approx(0.2), low=None, high=None, n=1, method="none")


def test_two_processes_give_their_range_and_no_interval() -> None:
    found = across_processes([1.2, 1.0])
    assert (found.low, found.high, found.method) == (None, None, "range")
    assert (found.least, found.value, found.greatest) == pytest.approx((1.0, np.sqrt(1.2), 1.2))
    assert not too_uncertain(found)


def test_an_interval_of_three_processes_has_their_range_too() -> None:
    found = across_processes([1.0, 1.2, 1.1])
    assert found.low is not None
    assert (found.least, found.greatest) == pytest.approx((1.0, 1.2))


def test_the_range_of_two_ratios_is_that_of_the_pairs_or_of_all_that_are_possible() -> None:
    paired = ratio({0: 1.0, 1: 2.0}, {0: 2.0, 1: 5.0})
    assert (paired.low, paired.high, paired.method) == (None, None, "range")
    assert (paired.least, paired.greatest) == pytest.approx((2.0, 2.5))
    apart = ratio({0: 1.0, 1: 2.0, 2: 1.5}, {7: 2.0, 8: 5.0})
    assert (apart.low, apart.high, apart.method) == (None, None, "range")
    assert (apart.least, apart.greatest) == pytest.approx((1.0, 5.0))


def test_one_process_on_each_side_gives_a_ratio_without_interval_and_range() -> None:
    assert ratio({0: 1.0}, {1: 2.0}) == Interval(value=pytest.approx(2.0), low=None, high=None, n=1, method="none")


@pytest.mark.parametrize(("low", "high", "wide"), [(1.0, 3.0, False), (1.0, 3.01, True), (0.0, 1e-300, True)])
def test_an_interval_beyond_a_factor_of_three_is_too_uncertain(low: float, high: float, wide: bool) -> None:
    assert too_uncertain(Interval(value=1.0, low=low, high=high, n=3, method="x")) is wide


@pytest.mark.parametrize("medians", [[], [0.0, 1.0], [1.0, float("nan")]])
def test_medians_that_are_not_times_are_refused(medians: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one median"):
        across_processes(medians)


def test_processes_of_the_same_sets_are_paired_so_that_drift_cancels() -> None:
    base = {0: 1.0, 1: 2.0, 2: 4.0}  # the machine slowed down
    found = ratio(base, {i: 1.1 * median for i, median in base.items()})
    assert found.method == "paired t on log ratios"
    assert (found.low, found.value, found.high) == pytest.approx((1.1, 1.1, 1.1))


def test_processes_of_different_sets_are_compared_after_welch() -> None:
    base, new = {0: 1.0, 1: 1.1, 2: 0.9, 3: 1.0}, {0: 2.0, 1: 2.1, 2: 2.3}
    found = ratio(base, new)
    old, now = np.log(list(base.values())), np.log(list(new.values()))
    errors = np.array([old.var(ddof=1) / 4, now.var(ddof=1) / 3])
    degrees = errors.sum() ** 2 / (errors**2 / [3, 2]).sum()
    half = stdtrit(degrees, 0.975) * np.sqrt(errors.sum())
    middle = now.mean() - old.mean()
    assert found.method == "Welch on log ratios"
    assert np.log([found.low, found.value, found.high]) == pytest.approx([middle - half, middle, middle + half])


@given(st.lists(times, min_size=3, max_size=8), st.lists(times, min_size=3, max_size=8))
def test_the_ratio_the_other_way_round_is_its_inverse(left: list[float], right: list[float]) -> None:
    base, new = dict(enumerate(left)), dict(enumerate(right))
    there, back = ratio(base, new), ratio(new, base)
    assert there.value * back.value == pytest.approx(1, rel=1e-9)
    assert there.low is not None
    assert back.high is not None
    assert np.log(there.low) == pytest.approx(-np.log(back.high), rel=1e-6, abs=1e-9)


def test_one_process_against_three_has_a_ratio_without_bounds() -> None:
    found = ratio({0: 1.0}, {0: 2.0, 1: 2.0, 2: 2.0})
    assert (found.value, found.low, found.high) == (pytest.approx(2), None, None)


def test_equal_processes_have_a_ratio_without_width() -> None:
    found = ratio({0: 1.0, 1: 1.0, 2: 1.0}, {5: 2.0, 6: 2.0, 7: 2.0})
    assert (found.low, found.high) == pytest.approx((2.0, 2.0))
