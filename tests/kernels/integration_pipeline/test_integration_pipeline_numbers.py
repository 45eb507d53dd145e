"""Every implementation finds every photon, and a wrong result is found."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.integration_pipeline import definition, kernel, with_numba, with_numpy
from daasbench.kernels.integration_pipeline.powder import NO_DATA
from daasbench.kernels.integration_pipeline.profiles import read_back

from daasbench.errors import InputError
from daasbench.formats.chunks import FileImage, chunks_of

IMPLEMENTATIONS = ["numpy", "numba"]
PEERS = ["pyfai", "pyfai_threads"]


def direct_sums(frames: Any, problem: Any) -> Any:
    """Return u64[frames, bins] by the simplest loop."""
    sums = np.zeros((len(frames), problem.bins + 1), np.uint64)
    for row, frame in zip(sums, frames, strict=True):
        values = np.where(frame == NO_DATA, 0, frame).ravel().astype(np.uint64)
        np.add.at(row, problem.bin_of_pixel, values)
    return sums[:, : problem.bins]


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("frames", [1, 3, 16, 19])
@pytest.mark.parametrize("threads", [1, 2])
def test_every_implementation_is_right_for_any_number_of_frames(
    generated: Any, compute: Any, verdict: Any, name: str, frames: int, threads: int
) -> None:
    problem = generated(frames=frames, ny=61, nx=67)
    found = verdict(problem, compute(problem, name, threads=threads), name)
    assert found.ok, found
    assert found.verified_by == ("peer" if name == "numpy" else "truth")


@pytest.mark.parametrize("name", PEERS)
def test_pyfai_agrees(needs: Any, generated: Any, compute: Any, verdict: Any, name: str) -> None:
    needs("pyFAI")
    problem = generated()
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 3), (8, 8), (5, 13), (64, 40), (91, 45)])
@pytest.mark.parametrize("most", [2, 300, 70_000, 2**32 - 1])
def test_sums_are_exact_for_counts_of_any_size_and_detectors_of_any_shape(
    problem_of: Any, compute: Any, name: str, shape: tuple[int, int], most: int
) -> None:
    rng = np.random.default_rng(4)
    frames = rng.integers(0, most, (3, *shape), np.uint32)
    frames[rng.random(frames.shape) < 0.02] = NO_DATA
    frames[rng.random(frames.shape) < 0.02] = 2**32 - 2
    problem = problem_of(frames, mask=rng.random(shape) < 0.1)
    result = compute(problem, name)
    np.testing.assert_array_equal(result.signal, direct_sums(frames, problem))


def test_sums_do_not_overflow_where_all_pixels_are_bright_and_in_one_bin(problem_of: Any, compute: Any) -> None:
    frames = np.full((2, 300, 300), 65_535, np.uint32)  # 90 000 pixels: above 2**32 together
    result = compute(problem_of(frames, bins=1), "numba")
    assert result.signal.tolist() == [[300 * 300 * 65_535]] * 2


def test_no_photon_is_lost(generated: Any, compute: Any) -> None:
    problem = generated()
    result = compute(problem, "numba")
    for row, frame in zip(result.signal, with_numpy.frames_of(problem.blocks[0], "here"), strict=True):
        counted = frame[~problem.mask & (frame != NO_DATA)]
        assert int(row.sum()) == int(counted.sum(dtype=np.uint64))


def test_a_flat_frame_gives_the_inverse_of_the_solid_angle(problem_of: Any, compute: Any) -> None:
    frames = np.full((1, 40, 50), 1000, np.uint32)
    problem = problem_of(frames, bins=12)
    result = compute(problem, "numba")
    count = np.bincount(problem.bin_of_pixel, minlength=13)[:12]
    np.testing.assert_allclose(result.intensity[0] * problem.norm, 1000 * count, rtol=1e-12)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_a_pixel_without_data_is_excluded_from_both_sums(problem_of: Any, compute: Any, name: str) -> None:
    frames = np.full((2, 30, 30), 7, np.uint32)
    frames[1, 10:14] = NO_DATA
    problem = problem_of(frames, bins=6)
    result = compute(problem, name)
    weights = problem.solid_angle.copy()
    weights[(frames[1] == NO_DATA).ravel()] = 0
    norm = np.bincount(problem.bin_of_pixel, weights=weights, minlength=7)[:6]
    np.testing.assert_allclose(result.intensity[1] * norm, result.signal[1], rtol=1e-12)
    assert int(result.signal[1].sum()) == 7 * 26 * 30


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_a_bin_without_pixels_is_zero(problem_of: Any, compute: Any, name: str) -> None:
    frames = np.full((1, 4, 5), 3, np.uint32)
    result = compute(problem_of(frames, bins=500), name)
    assert np.isfinite(result.intensity).all()
    assert (result.intensity[result.signal == 0] == 0).all()


def test_the_file_holds_the_result(generated: Any, compute: Any) -> None:
    problem = generated()
    result = compute(problem, "numba")
    intensity, q = read_back(result)
    np.testing.assert_array_equal(intensity, result.intensity)
    assert 0 < q[0] < q[-1] < problem.geometry.q_max()


def test_every_wrong_result_is_found(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    right = compute(problem, "numba")
    assert verdict(problem, right).ok
    one_more = right.signal.copy()
    one_more[2, 40] += 1
    assert "sums of integers" in verdict(problem, dataclasses.replace(right, signal=one_more)).message
    brighter = dataclasses.replace(right, intensity=right.intensity * (1 + 1e-4))
    assert "does not contain the result" in verdict(problem, brighter).message
    cut = dataclasses.replace(right, file=right.file[:500])
    assert "cannot be read" in verdict(problem, cut).message
    few = dataclasses.replace(right, intensity=right.intensity[:2])
    assert "has shape" in verdict(problem, few).message


def test_a_peer_that_is_a_little_off_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    from daasbench.kernels.integration_pipeline.profiles import written

    problem = generated()
    right = compute(problem, "numba")
    for factor, ok in ((1 + 5e-6, True), (1 + 2e-5, False), (np.nan, False)):
        assert verdict(problem, written(right.intensity * factor, None, problem.q), "pyfai").ok is ok


def test_a_mutant_that_counts_pixels_without_data_is_caught(generated: Any, compute: Any, monkeypatch: Any) -> None:
    problem = generated()
    expectation = kernel.expect(problem, kernel.options())
    assert kernel.verify(problem, expectation, 0, compute(problem, "numpy"), "reference").ok
    monkeypatch.setattr(definition, "NO_DATA", 0)
    found = kernel.verify(problem, expectation, 0, compute(problem, "numpy"), "reference")
    assert not found.ok
    assert "sums of integers" in found.message


@pytest.mark.parametrize("name", ["numba", "numpy", "pyfai_threads"])
def test_a_damaged_chunk_is_an_error(needs: Any, generated: Any, compute: Any, name: str) -> None:
    needs("pyFAI" if name.startswith("pyfai") else "numpy")
    problem = generated()
    image = problem.blocks[0]
    content = image.content.copy()
    at = int(chunks_of(image).offset[3])
    content[at + 16 : at + 24] = 255
    broken = dataclasses.replace(problem, blocks=[FileImage(content=content, frames=image.frames)])
    with pytest.raises(InputError, match="frame 3"):
        compute(broken, name)


def test_frames_are_processed_sixteen_at_a_time() -> None:
    assert with_numba.FRAMES == 16
    assert with_numba.FLUSH * with_numba.LOW < 2**32
