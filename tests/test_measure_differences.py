"""Two results are as far apart as their furthest numbers; what cannot be compared is infinitely far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from daasbench.measure import differences
from daasbench.measure.differences import fingerprint, largest_difference

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("got", "expected", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.5], [1.0, 2.0], 0.25),
        ([0.5, 0.0], [0.0, 0.0], 0.5),
        ([1.0, NAN], [1.0, NAN], 0.0),
        ([1.5, NAN], [1.0, NAN], 0.5),
        ([1.0, NAN], [1.0, 2.0], INF),
        ([1.0, 2.0], [1.0, NAN], INF),
        ([1.0, INF], [1.0, INF], 0.0),
        ([1.5, INF], [1.0, INF], 0.5),
        ([1.0, INF], [1.0, 2.0], INF),
        ([1.0, -INF], [1.0, INF], INF),
        ([1.0, 2.0], [1.0, INF], INF),
        ([1 + 1j, 2j], [1 + 1j, 1j], 1 / 2**0.5),
        ([], [], 0.0),
        ([], [1.0], INF),
        ([True, False], [True, True], 1.0),
        (["a"], ["b"], INF),
    ],
)
def test_a_difference_is_relative_to_the_largest_finite_magnitude(got: Any, expected: Any, difference: float) -> None:
    assert largest_difference(np.array(got), np.array(expected)) == pytest.approx(difference)


def test_unsigned_numbers_do_not_wrap_around() -> None:
    zero, one = np.array([0], "u1"), np.array([1], "u1")
    assert largest_difference(zero, one) == 1.0
    assert largest_difference(np.array([255, 10], "u1"), np.array([0, 10], "u1")) == 25.5
    assert largest_difference(np.array([127], "i1"), np.array([-128], "i1")) == pytest.approx(255 / 128)


def test_neighbours_beyond_double_precision_still_differ() -> None:
    assert largest_difference(np.array([2**60 + 1], "u8"), np.array([2**60], "u8")) > 0


def test_structure_counts_and_nests_are_walked() -> None:
    here = {"a": np.ones(3), "b": (np.zeros((2, 2)), [np.float32(4)])}
    there = {"a": np.ones(3), "b": (np.zeros((2, 2)), [np.float32(5)])}
    assert largest_difference(here, there) == pytest.approx(0.2)
    assert largest_difference(here, {"a": np.ones(3)}) == INF
    assert largest_difference(np.zeros((2, 3)), np.zeros((3, 2))) == INF
    spots = np.array([(1, 2.0), (3, NAN)], [("y", "i4"), ("x", "f8")])
    moved = spots.copy()
    moved["y"][0] = 4
    assert largest_difference(spots, spots.copy()) == 0
    assert largest_difference(moved, spots) == 1.0


def test_a_difference_is_found_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "CHUNK", 7)
    expected = np.arange(1.0, 51.0).reshape(5, 10)
    for place in np.ndindex(expected.shape):
        got = expected.copy()
        got[place] += 25
        assert largest_difference(got, expected) == 0.5
        assert largest_difference(got.T, expected.T) == 0.5


def test_of_large_results_other_positions_are_compared_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "SAMPLED_ABOVE_BYTES", 1000)
    monkeypatch.setattr(differences, "SAMPLED_POSITIONS", 100)
    expected = [np.ones(1000), np.zeros(0)]
    got = [np.ones(1000), np.zeros(0)]
    got[0][::10] = 2
    one_wrong = [np.ones(1000), np.zeros(0)]
    one_wrong[0][0] = 2
    seen = {largest_difference(one_wrong, expected, seed=seed) for seed in range(60)}
    assert seen == {0.0, 1.0}
    assert largest_difference(got, expected, seed=1) == 1.0
    assert largest_difference(expected, expected, seed=1) == 0.0


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8", "c16", "U3"])
def test_inputs_that_are_written_or_reordered_have_another_fingerprint(dtype: str) -> None:
    frames = np.random.default_rng(3).permutation(2000).astype(dtype).reshape(20, 100)
    before = fingerprint({"frames": frames})
    assert fingerprint({"frames": frames.copy()}) == before
    frames.view("u1").reshape(-1)[-1] ^= 1
    after = fingerprint({"frames": frames})
    assert after != before
    frames.reshape(-1).sort()
    assert fingerprint({"frames": frames}) != after


def test_any_array_has_a_fingerprint() -> None:
    odd = [np.zeros(0), np.array(3.0), np.zeros((3, 4, 5), order="F")[:, ::2], np.array([{}], object)]
    assert fingerprint(odd) == fingerprint([one.copy() for one in odd])
