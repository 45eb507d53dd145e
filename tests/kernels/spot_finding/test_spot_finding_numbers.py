"""Every implementation finds the simulated spots, and wrong results are detected."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.spot_finding import kernel, oracle, with_numba
from daasbench.kernels.spot_finding.definition import Criteria, FoundSpots
from scipy import ndimage

from daasbench.errors import UsageError

IMPLEMENTATIONS = ["numpy", "numba", "scipy"]


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("seed", [2, 3])
def test_planted_spots_are_found_where_they_are(
    generated: Any, compute: Any, verdict: Any, name: str, seed: int
) -> None:
    problem = generated("small", seed=seed)
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found
    assert found.verified_by == "truth"


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize(
    "criteria",
    [
        {"min_pixels": 1},
        {"min_pixels": 2, "max_pixels": 4},
        {"min_pixels": 1, "nsig_b": 0.0, "nsig_s": 0.0},
        {"min_pixels": 1, "nsig_b": 1.3, "nsig_s": 0.7, "min_count": 40},
        {"min_pixels": 1, "threshold": 60},
        {"min_pixels": 1, "method": "threshold", "threshold": 25},
        {"min_pixels": 1, "method": "threshold"},
    ],
)
def test_edges_gaps_and_counts_of_any_size_give_the_same_everywhere(
    problem_of: Any, compute: Any, verdict: Any, trouble: Any, name: str, criteria: dict[str, Any]
) -> None:
    problem = problem_of(*trouble, **criteria)
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 3), (6, 9), (7, 64), (8, 65), (500, 5), (241, 63)])
def test_frames_smaller_than_a_window_and_larger_than_a_band_are_searched(
    problem_of: Any, compute: Any, verdict: Any, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(5)
    frames = rng.poisson(0.7, (3, *shape)).astype(np.int32)
    frames[rng.random(frames.shape) < 0.02] += 20
    problem = problem_of(frames, min_pixels=1)
    for name in IMPLEMENTATIONS:
        found = verdict(problem, compute(problem, name), name)
        assert found.ok, (name, found)


def test_a_pixel_exactly_at_the_threshold_is_not_strong(problem_of: Any, compute: Any) -> None:
    frame = np.ones((1, 15, 15), np.int32)
    frame[0, 7, 7] = 4
    # the window has x = 52; without the second inequality's tie at p: m p - x = nsig_s sqrt(m x)
    m, x = 49, 52
    tie = (m * 4 - x) / np.sqrt(m * x)
    for name in IMPLEMENTATIONS:
        for nsig_s in (tie * (1 + 1e-12), tie * (1 - 1e-12)):
            problem = problem_of(frame, min_pixels=1, nsig_b=0.0, nsig_s=nsig_s)
            frame_mask = compute(problem, name).mask
            assert frame_mask[0, 7, 7] == 0, name  # such a window is less dispersed than noise
        spread = frame.copy()
        spread[0, 4:11, 4:11] = 0
        spread[0, 7, 6:9] = (2, 4, 2)
        value = (m * 4 - 8) / np.sqrt(m * 8)
        for nsig_s, strong in ((value * (1 + 1e-12), 0), (value * (1 - 1e-12), 1)):
            problem = problem_of(spread, min_pixels=1, nsig_b=1.0, nsig_s=nsig_s)
            assert compute(problem, name).mask[0, 7, 7] == strong, name


def test_more_strong_pixels_than_there_is_room_for_are_listed_all_the_same(
    problem_of: Any, compute: Any, verdict: Any
) -> None:
    frames = np.random.default_rng(1).integers(0, 2, (2, 300, 90)).astype(np.int32)
    problem = problem_of(frames, method="threshold", min_pixels=1, max_pixels=10**6)
    assert frames.mean() > 2 / with_numba.ROOM
    found = verdict(problem, compute(problem, "numba"), "numba")
    assert found.ok, found


def test_spots_are_connected_components_of_any_shape(problem_of: Any, compute: Any) -> None:
    rng = np.random.default_rng(7)
    for share in (0.3, 0.41, 0.6):  # near the percolation threshold
        frames = (rng.random((2, 70, 90)) < share).astype(np.int32) * rng.integers(1, 9, (2, 70, 90))
        problem = problem_of(frames, method="threshold", min_pixels=1, max_pixels=10**6)
        result = compute(problem, "numba")
        for frame, count in zip(frames, result.spots, strict=True):
            assert count == ndimage.label(frame > 0, np.ones((3, 3)))[1]
        assert result.pixels.sum() == np.count_nonzero(frames)
        assert result.intensity.sum() == frames.sum()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_counts_of_strong_pixels_are_shared_out_among_spots(generated: Any, compute: Any, name: str) -> None:
    problem = generated(min_pixels=1, max_pixels=10**6)
    result = compute(problem, name)
    strong = result.mask == 1
    assert result.intensity.sum() == problem.blocks[0][strong].sum()
    assert result.pixels.sum() == strong.sum()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_rotating_the_frames_rotates_the_spots(generated: Any, problem_of: Any, compute: Any, name: str) -> None:
    problem = generated()
    rotated = problem_of(problem.blocks[0].transpose(0, 2, 1)[:, ::-1], problem.mask.T[::-1])
    plain, other = compute(problem, name), compute(rotated, name)
    np.testing.assert_array_equal(plain.mask.transpose(0, 2, 1)[:, ::-1], other.mask)
    np.testing.assert_array_equal(plain.spots, other.spots)
    here = sorted(zip(plain.y.round(6), plain.x.round(6), plain.intensity, strict=True))
    there = zip(other.x.round(6), (problem.mask.shape[1] - 1 - other.y).round(6), other.intensity, strict=True)
    assert here == sorted(there)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_what_masked_pixels_hold_changes_nothing(generated: Any, problem_of: Any, compute: Any, name: str) -> None:
    problem = generated()
    other = problem.blocks[0].copy()
    other[:, problem.mask] = np.random.default_rng(0).integers(-5, 10**9, (len(other), int(problem.mask.sum())))
    one, two = compute(problem, name), compute(problem_of(other, problem.mask), name)
    np.testing.assert_array_equal(one.mask, two.mask)
    np.testing.assert_array_equal(one.intensity, two.intensity)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_flat_frames_and_empty_ones_have_no_spots(problem_of: Any, compute: Any, verdict: Any, name: str) -> None:
    for frames in (np.zeros((2, 30, 30)), np.full((2, 30, 30), 7), np.full((2, 30, 30), -1)):
        problem = problem_of(frames)
        result = compute(problem, name)
        assert not result.mask.any()
        assert result.spots.tolist() == [0, 0]
        assert result.y.size == result.pixels.size == 0
        assert verdict(problem, result, name).ok


def test_noise_makes_next_to_no_spots(generated: Any, compute: Any) -> None:
    problem = generated("small")
    quiet = dataclasses.replace(problem, blocks=[np.random.default_rng(4).poisson(3.0, (8, 619, 487)).astype(np.int32)])
    assert compute(quiet, "numba").spots.sum() <= 1


def test_options_that_leave_nothing_or_describe_a_file_are_refused() -> None:
    for options, said in (
        ({"min_pixels": 5, "max_pixels": 4}, "no spot could be found"),
        ({"first": 2}, "--input"),
        ({"frames": 2}, "--input"),
        ({"dataset": "x"}, "--input"),
    ):
        with pytest.raises(UsageError, match=said):
            kernel.make(kernel.sizes["tiny"], kernel.options(**options), 1, 1)


# --- mutants: each must be called wrong --------------------------------------------------------------------------


def altered(result: FoundSpots, **columns: Any) -> FoundSpots:
    return dataclasses.replace(result, **columns)


@pytest.mark.parametrize(
    "mutant",
    [
        {"nsig_s": 3.01},
        {"nsig_b": 6.05},
        {"min_pixels": 2},
        {"threshold": 8},
    ],
)
def test_slightly_other_criteria_are_wrong(generated: Any, compute: Any, verdict: Any, mutant: dict[str, Any]) -> None:
    problem = generated("small")
    other = dataclasses.replace(problem, criteria=Criteria(**mutant))
    assert not verdict(problem, compute(other, "numba"), "numba").ok


def test_one_pixel_more_or_less_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    result = compute(problem, "numpy")
    for value, new in ((0, 1), (1, 0), (1, 2)):
        mask = result.mask.copy()
        mask.ravel()[np.flatnonzero(mask == value)[0]] = new
        assert not verdict(problem, altered(result, mask=mask)).ok


def test_a_spot_that_is_moved_brightened_exchanged_or_lost_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    result = compute(problem, "numpy")
    assert verdict(problem, result).ok
    for change in (
        altered(result, y=result.y + 1e-6),
        altered(result, x=np.where(np.arange(result.x.size) == 3, np.nan, result.x)),
        altered(result, intensity=result.intensity + (np.arange(result.y.size) == 0)),
        altered(result, pixels=result.pixels[::-1]),
        altered(result, spots=result.spots[::-1] + np.array([1, 0, 0, -1], np.int32)),
        altered(result, **{name: getattr(result, name)[:-1] for name in ("y", "x", "intensity", "pixels")}),
        altered(result, mask=result.mask.astype(bool)),
        altered(result, mask=result.mask[:2]),
    ):
        assert not verdict(problem, change).ok


def test_spots_joined_by_edges_only_are_wrong_where_corners_count(problem_of: Any, compute: Any, verdict: Any) -> None:
    frames = np.zeros((1, 20, 20), np.int32)
    frames[0, [5, 6, 7], [5, 6, 7]] = 100
    problem = problem_of(frames, method="threshold", min_pixels=1)
    four = oracle._spots(problem.blocks[0], frames > 0, problem.criteria, 4)
    result = compute(problem, "numba")
    assert (result.spots.tolist(), four.spots.tolist()) == ([1], [3])
    apart = altered(result, **{name: getattr(four, name) for name in ("spots", "y", "x", "intensity", "pixels")})
    assert not verdict(problem, apart, "numba").ok
    assert verdict(problem, apart, "dials").ok


def test_frames_whose_spots_lie_elsewhere_do_not_pass_as_found(generated: Any, verdict: Any, compute: Any) -> None:
    problem = generated("small")
    moved = dataclasses.replace(problem.planted[0], x=problem.planted[0].x + 0.3)
    elsewhere = dataclasses.replace(problem, planted=[moved])
    found = verdict(elsewhere, compute(problem, "numpy"))
    assert found.verified_by == "truth"
    assert not found.ok


def test_work_counts_frames_and_the_bytes_of_counts_mask_and_result() -> None:
    work = kernel.work(kernel.sizes["medium"], kernel.options())
    assert (work.unit, work.units) == ("frame", 8)
    assert work.bytes == (8 * 5 + 1) * 2167 * 2070
