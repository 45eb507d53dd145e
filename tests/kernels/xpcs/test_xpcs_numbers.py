"""Every implementation finds the known dynamics, and wrong results are detected."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest
from daasbench.kernels.xpcs import kernel, speckle, with_numba, with_numpy
from daasbench.kernels.xpcs.definition import Schedule, Sums, added, level_averages
from daasbench.kernels.xpcs.oracle import linear_g2
from daasbench.kernels.xpcs.parts import Joined, part_of

from daasbench.contracts import Resources
from daasbench.model import Work

IMPLEMENTATIONS = ["numpy", "numba"]


def brute_force(frames: Any, labels: Any, schedule: Schedule) -> Any:
    """Return g2 by its definition, with means of frames, one lag after the other."""
    rings = range(1, labels.max() + 1)
    g2 = np.empty((schedule.lags.size, len(rings)))
    for index, (level, channel) in enumerate(zip(schedule.level, schedule.channel, strict=True)):
        m = 2**level
        rows = frames[: len(frames) // m * m].astype(float).reshape(-1, m, *labels.shape).mean(axis=1)
        past, future = rows[: len(rows) - channel], rows[channel:]
        for ring in rings:
            one, other = past[:, labels == ring], future[:, labels == ring]
            g2[index, ring - 1] = (one * other).mean() / (one.mean() * other.mean())
    return g2


def test_the_lags_are_those_of_eight_a_level_as_far_as_there_is_a_pair() -> None:
    assert Schedule.of(40).lags.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32]
    assert Schedule.of(40).pairs.tolist() == [40, 39, 38, 37, 36, 35, 34, 33, 16, 15, 14, 13, 6, 5, 4, 3, 1]
    assert Schedule.of(40, 2).lags.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14]
    assert Schedule.of(3).lags.tolist() == [0, 1, 2]
    assert Schedule.of(1).lags.tolist() == [0]


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize(
    ("frames", "shape"),
    [(1, (2, 3)), (2, (1, 1)), (7, (3, 5)), (31, (1, 16)), (32, (1, 17)), (33, (4, 4)), (63, (5, 7)), (64, (3, 3)),
     (65, (9, 2)), (130, (2, 40)), (257, (17, 19)), (1031, (5, 7))],
)  # fmt: skip
def test_every_implementation_is_correct_for_any_number_of_frames_and_pixels(
    problem_of: Any, compute: Any, name: str, frames: int, shape: tuple[int, int]
) -> None:
    chance = np.random.default_rng(frames)
    series = chance.poisson(4, (frames, *shape)) + 1
    labels = chance.integers(0, 4, shape)
    labels.flat[:3] = np.arange(1, 4)[: labels.size]
    problem = problem_of(series, np.unique(labels, return_inverse=True)[1].reshape(shape) + (labels.min() > 0))
    expected = brute_force(series, problem.labels, problem.schedule)
    np.testing.assert_allclose(compute(problem, name), expected, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_gives_the_same(generated: Any, compute: Any, threads: int) -> None:
    problem = generated()
    import numba

    threads = min(threads, numba.config.NUMBA_NUM_THREADS)
    np.testing.assert_array_equal(compute(problem, "numba", threads=threads), compute(problem, "numba", threads=1))


@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_levels_may_be_limited(generated: Any, compute: Any, name: str, levels: int) -> None:
    limited, all_ = generated(levels=levels), generated()
    lags = 8 + 4 * (levels - 1)
    np.testing.assert_allclose(compute(limited, name), compute(all_, name)[:lags], atol=1e-12)


def test_photon_counts_are_summed_exactly_and_the_largest_counts_within_the_tolerance(
    problem_of: Any, compute: Any
) -> None:
    chance = np.random.default_rng(2)
    few = problem_of(chance.poisson(2, (700, 3, 5)))
    np.testing.assert_array_equal(compute(few, "numba"), compute(few, "numpy"))
    constant = np.broadcast_to(chance.integers(200, 65_534, (1, 1, 64)), (2000, 1, 64))
    for counts in (constant, chance.integers(0, 65_535, (2000, 1, 64)), 40_000 + chance.poisson(9, (2000, 1, 64))):
        many = problem_of(counts, np.arange(1, 65)[None])  # every pixel alone: nothing averages out
        np.testing.assert_allclose(compute(many, "numba"), compute(many, "numpy"), atol=1e-6, rtol=0)


def test_a_speckle_field_of_known_memory_comes_out_within_three_hundredths(generated: Any, compute: Any) -> None:
    problem = generated(2000, 64, 128)
    g2 = compute(problem, "numba")
    many = 6 * problem.sample.deviation(problem.schedule) < 0.03
    lags = problem.schedule.lags[:, None]
    plain = 1 + np.exp(-2 * lags / problem.sample.tau) / speckle.MODES
    first = (problem.schedule.level[:, None] == 0) & (lags > 0)
    assert (many & first).sum() > 40
    assert np.abs(g2 - plain)[many & first].max() < 0.03
    assert np.abs(g2 - problem.sample.g2(problem.schedule))[many].max() < 0.03
    assert many.mean() > 0.6


def test_counting_photons_adds_to_lag_zero_only(generated: Any, compute: Any) -> None:
    problem = generated(2000, 64, 128)
    at_zero = compute(problem, "numba")[0]
    np.testing.assert_allclose(at_zero, 1 + 1 / speckle.MODES + 1 / problem.sample.mean, rtol=0.03)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_shuffled_frames_are_not_correlated(generated: Any, problem_of: Any, compute: Any, name: str) -> None:
    problem = generated(1000, 48, 80)
    frames = problem.blocks[0][np.random.default_rng(3).permutation(1000)]
    shuffled = problem_of(frames, problem.labels)
    error = compute(shuffled, name)[1:] - 1
    assert np.abs(error / problem.sample.deviation(problem.schedule)[1:]).max() < 4
    assert (compute(problem, name)[1] - 1).min() > 0.1


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_time_may_run_backwards_and_the_beam_be_brighter(
    generated: Any, problem_of: Any, compute: Any, name: str
) -> None:
    problem = generated(256)
    g2 = compute(problem, name)
    back = problem_of(problem.blocks[0][::-1], problem.labels)
    bright = problem_of(3 * problem.blocks[0], problem.labels)
    np.testing.assert_allclose(compute(back, name), g2, atol=1e-12)
    np.testing.assert_allclose(compute(bright, name), g2, atol=1e-12)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_a_level_is_level_zero_of_frames_added_in_pairs(
    generated: Any, problem_of: Any, compute: Any, name: str
) -> None:
    problem = generated(256)
    pairs = problem_of(problem.blocks[0].reshape(128, 2, 24, 40).sum(axis=1), problem.labels)
    g2, of_pairs = compute(problem, name), compute(pairs, name)
    np.testing.assert_allclose(of_pairs[4:], g2[8:], atol=1e-12)


def test_parts_of_the_detector_add_up_to_all_of_it(generated: Any, compute: Any) -> None:
    problem = generated()
    sums = []
    for pixels in (slice(0, 7), slice(7, 501), slice(501, 960)):
        part = part_of(problem.blocks[0], pixels)
        alone = dataclasses.replace(problem, blocks=[part])
        sums.append(with_numba.prepare_sums(alone, Resources(threads=1))(part))
    assert sums[0].pixels.sum() == np.count_nonzero(problem.labels.ravel()[:7])
    np.testing.assert_allclose(Joined(problem.schedule)(sums), compute(problem, "numpy"), atol=1e-12)
    assert added(sums).pixels.sum() == np.count_nonzero(problem.labels)


def test_a_ring_without_a_photon_is_zero(problem_of: Any, compute: Any) -> None:
    frames = np.zeros((20, 2, 8), np.uint16)
    frames[:, 0] = 2
    labels = np.repeat([[1], [2]], 8, axis=1)
    for name in IMPLEMENTATIONS:
        g2 = compute(problem_of(frames, labels), name)
        assert (g2[:, 0] == 1).all()
        assert (g2[:, 1] == 0).all()


def test_averaging_a_line_over_a_level_changes_nothing_and_at_lag_zero_is_itself() -> None:
    schedule = Schedule.of(200)
    line = 3.0 - 0.01 * np.arange(300)
    np.testing.assert_allclose(level_averages(line, schedule), 3.0 - 0.01 * schedule.lags)


def test_normalising_frame_by_frame_is_the_product_of_neighbours() -> None:
    counts = np.array([[1, 2], [3, 4], [5, 7]], np.uint16)
    expected = (1 * 3 + 2 * 4 + 3 * 5 + 4 * 7) / 2 / (1.5 * 3.5 + 3.5 * 6)
    assert linear_g2(counts, np.arange(2))[1] == pytest.approx(expected)


# --- mutants: wrong results that look right ---------------------------------------------------------------


def by_the_mean_squared(sums: Sums, schedule: Schedule) -> Any:
    counts = np.multiply.outer(schedule.pairs, sums.pixels)
    return sums.product / counts / (sums.past[0] / counts[0] / 1.0) ** 2 / (1 << 2 * schedule.level)[:, None]


def test_normalising_by_the_mean_of_all_frames_is_caught(generated: Any, verdict: Any) -> None:
    problem = generated()
    counts, labels = problem.blocks[0].reshape(300, -1), problem.labels.ravel()
    sums = with_numpy.sums_of(counts, labels, range(1, problem.rings + 1), problem.schedule)
    mutant = by_the_mean_squared(sums, problem.schedule)
    assert np.abs(mutant - sums.g2(problem.schedule))[1:8].max() < 0.02  # it looks right
    assert not verdict(problem, mutant, "numba").ok
    assert verdict(problem, sums.g2(problem.schedule), "numba").ok


def test_a_lag_that_is_off_by_one_and_a_level_that_is_missing_are_caught(
    generated: Any, compute: Any, verdict: Any
) -> None:
    problem = generated()
    g2 = compute(problem, "numba")
    assert not verdict(problem, np.roll(g2, 1, axis=0), "numba").ok
    assert not verdict(problem, g2[:-1], "numba").ok
    assert not verdict(problem, g2.astype(np.float32), "numba").ok
    exchanged = g2[:, [1, 0, *range(2, problem.rings)]]
    assert not verdict(problem, exchanged, "numpy").ok


def test_above_a_gigabyte_some_rings_are_compared_anew_each_time(
    generated: Any, compute: Any, verdict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daasbench.kernels.xpcs import oracle

    monkeypatch.setattr(oracle, "LARGE_BLOCK_BYTES", 1000)
    problem = dataclasses.replace(generated(), sample=None)  # or the known dynamics would come closer to failing
    g2 = compute(problem, "numba")
    right = verdict(problem, g2, "numba")
    assert right.ok, right
    assert "rings" in right.message
    g2[5] += 2e-6
    assert not verdict(problem, g2, "numba").ok


def test_work_counts_pixels_in_rings_and_some_twelve_fused_operations_a_frame() -> None:
    work = kernel.work(kernel.sizes["medium"], kernel.options())
    pixels = np.count_nonzero(speckle.random_sample((257, 515), 8).labels)
    assert work.units == 4000 * pixels
    assert work.flop / work.units == pytest.approx(2 * 12 + 2, rel=0.01)
    assert work.bytes == 2 * work.units
    assert work.input_bytes == 2 * 4000 * 257 * 515
    assert msgspec.json.decode(msgspec.json.encode(work), type=Work) == work  # no numpy numbers in it


@pytest.mark.parametrize("rings", [1, 3, 12])
def test_rings_are_chosen_and_none_is_empty(generated: Any, rings: int) -> None:
    problem = generated(20, 40, 60, rings=rings)
    assert problem.rings == rings
    assert (np.bincount(problem.labels.ravel()) > 0).all()
