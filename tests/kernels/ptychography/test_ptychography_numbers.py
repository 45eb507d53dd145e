"""Every implementation finds the true object, and wrong results are detected."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.ptychography import definition, kernel, oracle, scene
from daasbench.kernels.ptychography.layout import lay_out

from daasbench.contracts import Resources
from daasbench.errors import UsageError
from daasbench.testing.ranks import results_on_ranks

IMPLEMENTATIONS = ["numpy", "numba", "scipy"]


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize(("frames", "pixels", "scan"), [(25, 32, "spiral"), (30, 64, "raster")])
def test_every_implementation_finds_the_object_and_ends_at_the_noise(
    generated: Any, compute: Any, verdict: Any, name: str, frames: int, pixels: int, scan: str
) -> None:
    problem = generated(frames, pixels, 25, 40, scan=scan)
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found
    assert found.verified_by == "truth"


@pytest.mark.parametrize("name", ["numba", "scipy"])
@pytest.mark.parametrize("pixels", [16, 32, 64, 128, 256])
@pytest.mark.parametrize("frames", [1, 7])
def test_an_implementation_agrees_with_the_reference_for_every_size(
    generated: Any, compute: Any, name: str, pixels: int, frames: int
) -> None:
    problem = generated(frames, pixels, 4, 2)
    reference, result = compute(problem, "numpy"), compute(problem, name)
    np.testing.assert_allclose(result.r, reference.r, atol=1e-5)
    light = np.abs(reference.probe).max()
    assert np.abs(result.probe - reference.probe).max() < 1e-3 * light
    seen = slice(pixels // 2 - 2, 2 - pixels // 2)  # where the beam's middle has been
    assert np.abs(result.object - reference.object)[seen, seen].max() < 1e-3


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_pixels_that_were_not_measured_do_not_count(generated: Any, compute: Any, verdict: Any, name: str) -> None:
    problem = generated()
    problem.blocks[0][:, 5:7, :] = -1
    problem.blocks[0][3, 16, 16] = -1
    result = compute(problem, name)
    assert verdict(problem, result, name).ok
    other = dataclasses.replace(problem, blocks=[np.where(problem.blocks[0] < 0, -9, problem.blocks[0])])
    np.testing.assert_array_equal(compute(other, name).object, result.object)


def test_counts_may_be_integers(generated: Any, compute: Any) -> None:
    problem = generated(iterations=4, finish=2, photons=1e5)
    whole = dataclasses.replace(problem, blocks=[problem.blocks[0].astype(np.uint16)])
    for name in IMPLEMENTATIONS:
        np.testing.assert_array_equal(compute(whole, name).object, compute(problem, name).object)


@pytest.mark.parametrize("threads", [1, 2, 3, 40])
def test_any_number_of_threads_gives_the_same_and_so_does_every_call(
    generated: Any, compute: Any, threads: int
) -> None:
    import numba

    problem = generated(iterations=6, finish=6, blocks=2)
    run = kernel.implementations["numba"].load()(
        problem, Resources(threads=min(threads, numba.config.NUMBA_NUM_THREADS))
    )
    first = run(problem.blocks[0])
    kept = first.object.copy()
    run(problem.blocks[1])
    np.testing.assert_array_equal(first.object, kept)
    np.testing.assert_array_equal(run(problem.blocks[0]).object, kept)
    np.testing.assert_allclose(first.r, compute(problem, "numpy").r, atol=3e-6)


@pytest.mark.parametrize("chunks", [1, 3, 16, 99])
def test_chunks_have_all_frames_once_and_their_sums_cover_the_windows(generated: Any, chunks: int) -> None:
    layout = lay_out(generated().corners, 32, None, chunks)
    assert sorted(layout.frames) == list(range(25))
    assert (layout.bounds[0], layout.bounds[-1]) == (0, 25)
    for chunk, (top, bottom) in enumerate(layout.tops):
        rows = layout.corners[layout.bounds[chunk] : layout.bounds[chunk + 1], 0]
        assert top <= rows.min()
        assert bottom >= rows.max() + 32
        assert layout.starts[chunk + 1] - layout.starts[chunk] == (bottom - top) * 3 * layout.width


def test_the_law_of_scaling_four_times_the_light_is_twice_the_probe(generated: Any, compute: Any) -> None:
    problem = generated(iterations=6, finish=6)
    brighter = dataclasses.replace(problem, blocks=[4 * problem.blocks[0]], probe=2 * problem.probe)
    for name in IMPLEMENTATIONS:
        one, other = compute(problem, name), compute(brighter, name)
        np.testing.assert_allclose(other.object, one.object, atol=1e-5)
        np.testing.assert_allclose(other.probe, 2 * one.probe, atol=1e-5 * np.abs(one.probe).max())
        np.testing.assert_allclose(other.r, one.r, rtol=1e-5)


def test_the_truth_itself_has_the_r_of_the_noise_and_no_error(generated: Any) -> None:
    problem = generated()
    truth = problem.truths[0]
    own = oracle.r_factor(problem.blocks[0], problem.corners, truth.probe, truth.object)
    assert own == pytest.approx(truth.floor, rel=1e-3)
    expected = kernel.expect(problem, kernel.options())[0]
    y, x = np.indices(problem.shape)
    with_linear_phase = truth.object * (0.7 * np.exp(1j * (0.4 + 0.031 * y - 0.0173 * x))).astype(np.complex64)
    assert oracle.object_error(with_linear_phase, truth.object, expected.light) < 1e-3
    bent = truth.object * np.exp(3e-3j * (y - 20) ** 2).astype(np.complex64)
    assert oracle.object_error(bent, truth.object, expected.light) > oracle.OBJECT_TOLERANCE


def test_a_generated_frame_has_the_photons_that_were_asked_for() -> None:
    problem = kernel.make(kernel.sizes["tiny"], kernel.options(photons=5e5), 3, 1)
    assert 0.3 * 5e5 < problem.blocks[0].sum(axis=(1, 2)).mean() < 5e5  # the object absorbs
    assert np.sum(np.abs(scene.focused_probe(32, 5e5)) ** 2) == pytest.approx(5e5, rel=1e-5)


@pytest.mark.parametrize(("frames", "ranks"), [(3, (4,)), (25, (3,))])
def test_ranks_add_up_to_the_reference_also_where_one_has_no_frame(
    generated: Any, compute: Any, frames: int, ranks: tuple[int, ...]
) -> None:
    problem = generated(frames, iterations=4, finish=4)
    for results in results_on_ranks("ptychography", "mpi", problem, ranks=ranks).values():
        np.testing.assert_allclose(results[0].r, compute(problem, "numpy").r, atol=3e-6)


def test_work_counts_two_transforms_a_frame_and_iteration() -> None:
    work = kernel.work(kernel.sizes["small"], kernel.options())
    assert (work.unit, work.units) == ("frame·iteration", 100 * 100)
    assert work.flop == work.units * 128**2 * (10 * 14 + 60)
    assert work.bytes == work.units * 28 * 128**2
    assert kernel.work(kernel.sizes["small"], kernel.options(iterations=3, finish=0)).units == 300


def test_options_of_a_file_and_no_iterations_at_all_are_refused() -> None:
    with pytest.raises(UsageError, match="--input FILE"):
        kernel.make(kernel.sizes["tiny"], kernel.options(frames="0:5"), 0, 1)
    with pytest.raises(UsageError, match="at least one"):
        kernel.make(kernel.sizes["tiny"], kernel.options(iterations=0, finish=0), 0, 1)


# --- mutants: each must be called wrong --------------------------------------------------------------------------


def test_updating_object_and_probe_at_the_same_time_is_wrong(
    generated: Any, compute: Any, verdict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = generated()
    sequential = definition._object
    last: list[Any] = []

    def remember(library: Any, waves: Any, light: Any, image: Any, *rest: Any) -> Any:
        last[:] = [image]
        return sequential(library, waves, light, image, *rest)

    probe = definition._probe
    monkeypatch.setattr(definition, "_object", remember)
    monkeypatch.setattr(definition, "_probe", lambda lib, w, light, _image, b: probe(lib, w, light, last[0], b))
    result = compute(problem, "numpy")
    monkeypatch.undo()
    assert not verdict(problem, result).ok


def test_updating_the_probe_from_the_first_iteration_is_wrong(
    generated: Any, compute: Any, verdict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = generated()
    monkeypatch.setattr(definition, "PROBE_FROM", 1)
    result = compute(problem, "numpy")
    monkeypatch.undo()
    assert not verdict(problem, result).ok


@pytest.mark.parametrize("shift", [(0, 1), (1, 0)])
def test_one_frame_in_five_misplaced_by_a_pixel_is_wrong(
    generated: Any, compute: Any, verdict: Any, shift: tuple[int, int]
) -> None:
    problem = generated()
    corners = problem.corners.copy()
    corners[::5] += np.array(shift, np.int32)
    corners = np.minimum(corners, problem.corners.max(axis=0)).astype(np.int32)
    result = compute(dataclasses.replace(problem, corners=corners), "numba")
    assert not verdict(problem, result).ok


def test_lost_updates_of_a_race_are_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(blocks=2)
    result = compute(problem, "numba")
    assert verdict(problem, result).ok
    assert not verdict(problem, result, block=1).ok  # the other block's
    raced = result.object.copy()
    raced[18:26, 16:32] *= np.float32(0.8)  # rows to which another thread wrote meanwhile
    assert not verdict(problem, result._replace(object=raced)).ok
    misfits = result.r.copy()
    misfits[-1] *= 0.9
    assert not verdict(problem, result._replace(r=misfits)).ok


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("part", ["object", "probe", "r"])
@pytest.mark.parametrize("steps", [(2, 0), (20, 20)])
def test_a_result_that_is_not_finite_is_wrong(
    generated: Any, compute: Any, verdict: Any, bad: float, part: str, steps: tuple[int, int]
) -> None:
    problem = generated(iterations=steps[0], finish=steps[1])
    result = compute(problem, "numba")
    spoilt = getattr(result, part).copy()
    spoilt.flat[spoilt.size // 2 if part != "r" else -1] = bad
    assert not verdict(problem, result._replace(**{part: spoilt})).ok


def test_a_result_of_another_shape_or_type_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(iterations=2, finish=1)
    result = compute(problem, "numpy")
    assert verdict(problem, result).ok
    assert not verdict(problem, result._replace(object=result.object[1:])).ok
    assert "complex128" in verdict(problem, result._replace(probe=result.probe.astype(np.complex128))).message
