"""Every implementation finds the true drift, and a wrong result is found."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.motion_correction import kernel, oracle, with_cupy, with_numpy
from daasbench.kernels.motion_correction.definition import Aligned, coefficients_at, grid_of, vertex
from daasbench.kernels.motion_correction.specimen import random_drift

from daasbench.contracts import Resources
from daasbench.errors import UsageError

IMPLEMENTATIONS = ["numpy", "numba", "fftw"]
FAST = ["numba", "fftw"]


@pytest.fixture(autouse=True)
def _fftw(request: pytest.FixtureRequest, needs: Any) -> None:
    if "fftw" in request.node.name:
        needs("pyfftw")


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_a_drift_of_fractions_of_a_pixel_is_found(drifting: Any, compute: Any, verdict: Any, name: str) -> None:
    drift = [[0, 0], [0.25, -0.5], [0.4, -0.7], [1.6, -0.8]]
    problem = drifting(drift, dose=120)
    result = compute(problem, name)
    assert np.abs(result.shifts[0] - drift).max() < 0.1
    assert verdict(problem, result, name).ok


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_the_same_shift_of_all_frames_changes_no_relative_shift(
    generated: Any, without_truth: Any, compute: Any, name: str
) -> None:
    movies = generated().blocks[0]
    here, there = without_truth(movies), without_truth(np.roll(movies, (7, -12), axis=(2, 3)))
    centred, moved = compute(here, name), compute(there, name)
    np.testing.assert_allclose(centred.shifts, moved.shifts, atol=2e-4)
    rolled = np.roll(centred.sums, (7, -12), axis=(1, 2))
    assert np.abs(rolled - moved.sums).max() < 2e-4 * rolled.max()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_whole_pixels_are_moved_back_exactly(generated: Any, without_truth: Any, compute: Any, name: str) -> None:
    frame = generated().blocks[0][0, 0]
    steps = np.array([[0, 0], [3, -2], [-4, 9], [5, 5], [0, -7], [-8, 1], [2, 2], [6, -3]])
    result = compute(without_truth(np.stack([np.roll(frame, step, axis=(0, 1)) for step in steps])[None]), name)
    np.testing.assert_allclose(result.shifts[0], steps, atol=0.02)  # a share of 1/7 of what is missing a time
    spectrum = np.fft.rfft2(frame)
    spectrum[128], spectrum[:, 128] = 0, 0
    expected = len(steps) * np.fft.irfft2(spectrum)
    assert np.abs(result.sums[0] - expected).max() < 0.02 * np.ptp(expected)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize(("rows", "columns"), [(128, 256), (256, 128), (100, 150), (75, 128), (96, 33)])
def test_frames_of_any_size_are_aligned(generated: Any, without_truth: Any, compute: Any, verdict: Any, name: str, rows: int, columns: int) -> None:  # fmt: skip  # noqa: E501
    problem = without_truth(generated().blocks[0][:, :, :rows, :columns])
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found
    assert found.verified_by == "oracle"


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("kind", ["u2", "f4"])
def test_counts_of_other_types_give_the_same(
    generated: Any, without_truth: Any, compute: Any, name: str, kind: str
) -> None:
    movies = generated(frames=3).blocks[0]
    expected, result = compute(without_truth(movies), name), compute(without_truth(movies.astype(kind)), name)
    np.testing.assert_array_equal(result.shifts, expected.shifts)
    np.testing.assert_array_equal(result.sums, expected.sums)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("options", [{"band": 0.3}, {"band": 0.5, "bfactor": 400.0}, {"iterations": 1}, {"band": 0.06}])
def test_other_bands_weights_and_iterations_are_heeded(
    generated: Any, compute: Any, name: str, options: dict[str, Any]
) -> None:
    problem = generated(**options)
    result, reference = compute(problem, name), compute(problem, "numpy")
    assert np.abs(result.shifts - reference.shifts).max() < oracle.SHIFT_TOLERANCE
    default = compute(generated(), "numpy")
    assert np.abs(reference.shifts - default.shifts).max() > 2 * oracle.SHIFT_TOLERANCE


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_the_next_block_does_not_change_the_last_result(generated: Any, name: str) -> None:
    problem = generated(blocks=2)
    run = kernel.implementations[name].load()(problem, Resources(threads=2))
    first = run(problem.blocks[0])
    kept = Aligned(shifts=first.shifts.copy(), sums=first.sums.copy())
    run(problem.blocks[1])
    again = run(problem.blocks[0])
    for result, other in ((first, kept), (again, kept)):
        np.testing.assert_array_equal(result.shifts, other.shifts)
        np.testing.assert_array_equal(result.sums, other.sums)


def test_any_number_of_threads_gives_the_same(generated: Any, compute: Any) -> None:
    problem = generated()
    single, double = (compute(problem, "numba", threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(single.shifts, double.shifts)
    np.testing.assert_array_equal(single.sums, double.sums)


def test_at_few_electrons_the_drift_is_found_and_the_specimen_seen(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(frames=12, pixels=1024, dose=6.0)
    found = verdict(problem, compute(problem, "numba"), "numba")
    assert found.ok, found
    assert found.verified_by == "truth"


@pytest.mark.parametrize(("rows", "columns"), [(256, 256), (75, 128)])
def test_the_device_source_run_with_numpy_is_right(
    generated: Any, without_truth: Any, verdict: Any, rows: int, columns: int
) -> None:
    problem = without_truth(generated().blocks[0][:, :, :rows, :columns])
    found = verdict(problem, with_cupy.align(np, problem.blocks[0], problem.grid), "cupy")
    assert found.ok, found


def test_the_device_transforms_no_more_frames_together_than_fit(generated: Any, monkeypatch: Any) -> None:
    problem = generated()
    shapes: list[tuple[int, ...]] = []

    def rfft(frames: Any, axis: int) -> Any:
        shapes.append(frames.shape)
        return np.fft.rfft(frames, axis=axis)

    monkeypatch.setattr(with_cupy, "TOGETHER_BYTES", 2 * 4 * 256 * 256)
    library = SimpleNamespace(**{name: getattr(np, name) for name in dir(np) if not name.startswith("__")})
    library.fft = SimpleNamespace(rfft=rfft, fft=np.fft.fft, irfft2=np.fft.irfft2)
    with_cupy.align(library, problem.blocks[0], problem.grid)
    assert set(shapes) == {(2, 256, 256)}


def test_a_gpu_gives_the_same_if_there_is_one(needs: Any, generated: Any, verdict: Any) -> None:
    needs("cupy")
    import cupy

    if not cupy.cuda.is_available():
        pytest.skip("absent: a CUDA device")
    problem = generated()
    result = with_cupy.align(cupy, cupy.asarray(problem.blocks[0]), problem.grid)
    host = Aligned(shifts=cupy.asnumpy(result.shifts), sums=cupy.asnumpy(result.sums))
    assert verdict(problem, host, "cupy").ok


def test_the_grid_is_512_pixels_for_frames_of_2048() -> None:
    grid = grid_of((2048, 2048), band=0.125, bfactor=150.0, iterations=5)
    assert (grid.rows, grid.columns, grid.reach) == (512, 512, (12, 12))


def test_a_parabola_has_its_vertex_where_it_has() -> None:
    assert vertex(*(-((x - 0.3) ** 2) for x in (-1, 0, 1))) == pytest.approx(0.3)
    assert vertex(1, 1, 1) == 0


def test_single_coefficients_are_those_of_the_transform() -> None:
    image = np.random.default_rng(2).poisson(3, (40, 300)).astype(np.uint8)
    ky, kx = np.array([-3.0, 0, 7]), np.array([0.0, 11])
    np.testing.assert_allclose(
        coefficients_at(image, ky, kx), np.fft.fft2(image)[np.ix_([-3, 0, 7], [0, 11])], rtol=1e-9, atol=1e-6
    )


def test_a_generated_movie_holds_poisson_counts_of_the_dose(generated: Any) -> None:
    movie = generated(pixels=512, dose=1.5, frames=3).blocks[0][0]
    assert movie.mean() == pytest.approx(1.5, rel=0.01)
    assert 1.0 < movie.var() / movie.mean() < 1.1  # and the specimen


def test_a_drift_decelerates() -> None:
    track = np.mean([np.linalg.norm(random_drift(24, np.random.default_rng(seed)), axis=1) for seed in range(40)], 0)
    assert track[8] > 0.5 * track[-1]
    assert 8 < track[-1] < 20


def test_work_counts_frames_and_a_transform_for_each() -> None:
    work = kernel.work(kernel.sizes["medium"], kernel.options())
    assert (work.unit, work.units) == ("movie frame", 48)
    assert work.input_bytes == 48 * 2048**2
    assert work.output_bytes == 2 * (4 * 2048**2 + 24 * 16)
    assert work.flop > 50 * 2.5 * 2048**2 * 22


def test_generated_inputs_refuse_the_options_of_a_file() -> None:
    with pytest.raises(UsageError, match="--input"):
        kernel.make(kernel.sizes["tiny"], kernel.options(first=2), 1, 1)


# --- mutants: each must be called wrong --------------------------------------------------------------------------


def test_a_sum_that_was_not_aligned_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    plain = problem.blocks[0].sum(axis=1, dtype=np.float32)
    for name in ("numpy", "relion"):
        found = verdict(problem, dataclasses.replace(compute(problem, "numpy"), sums=plain), name)
        assert not found.ok


def test_shifts_of_the_wrong_sign_or_order_are_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    result = compute(problem, "numpy")
    for shifts in (-result.shifts, result.shifts[..., ::-1].copy(), result.shifts[:, ::-1].copy()):
        assert not verdict(problem, dataclasses.replace(result, shifts=shifts), "relion").ok


def test_a_shift_a_fifth_of_a_pixel_off_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    for name in ("numpy", "relion"):
        result = compute(problem, "numpy")
        result.shifts[0, 2] += 0.2
        assert not verdict(problem, result, name).ok


def test_a_frame_in_its_own_reference_is_wrong(
    generated: Any, verdict: Any, compute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Whole(np.ndarray):  # total - band is the total: no frame is excluded
        def __sub__(self, other: Any) -> Any:
            return np.asarray(self)

    problem = generated()
    expectation = kernel.expect(problem, kernel.options())
    sum_ = np.sum
    monkeypatch.setattr(with_numpy.np, "sum", lambda *a, **k: np.asarray(sum_(*a, **k)).view(Whole))
    result = compute(problem, "numpy")
    monkeypatch.undo()
    assert not kernel.verify(problem, expectation, 0, result, "").ok


def test_a_tile_that_another_thread_wrote_to_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    result = compute(problem, "numba")
    assert verdict(problem, result, "numba").ok
    result.sums[0, :32, 64:96] *= 1.02
    assert not verdict(problem, result, "numba").ok


def test_a_result_of_another_shape_or_type_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    result = compute(problem, "numpy")
    assert "float64" in verdict(problem, dataclasses.replace(result, sums=result.sums.astype(float))).message
    assert not verdict(problem, dataclasses.replace(result, shifts=result.shifts[:, :3])).ok
