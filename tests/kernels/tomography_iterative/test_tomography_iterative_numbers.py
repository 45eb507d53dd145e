"""Every implementation iterates to the same volume, and wrong results are detected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.tomography_iterative import definition, kernel, with_numba, with_numpy
from daasbench.kernels.tomography_iterative.definition import Reconstruction

from daasbench.contracts import Resources
from daasbench.errors import UsageError

IMPLEMENTATIONS = ["numpy", "numba"]


def error_of(result: Any, expected: Any) -> float:
    return float(np.linalg.norm(result - expected) / np.linalg.norm(expected))


def joseph(image: Any, angles: Any, centre: float) -> Any:
    """Return f64[angles, size]: each ray sampled once per row or column, as in Joseph's paper, ray by ray."""
    size = len(image)
    grid, padded = definition.pixel_grid(size), np.arange(-1, size + 1)
    sums = np.zeros((len(angles), size))
    for projection, angle in zip(sums, angles, strict=True):
        steps, lines = (np.cos(angle), np.sin(angle)), image
        if abs(steps[0]) < abs(steps[1]):
            steps, lines = steps[::-1], image.T
        for along, line in zip(grid, lines, strict=True):
            across = (np.arange(size) - centre - along * steps[1]) / steps[0] + (size - 1) / 2
            projection += np.interp(across, padded, np.pad(line.astype(float), 1)) / abs(steps[0])
    return sums


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4, 1.2, np.pi / 2, 2.0, 3 * np.pi / 4, 3.0, -0.7, 4.0])
def test_the_pixels_weights_are_the_samples_of_josephs_rays(angle: float) -> None:
    image = np.random.default_rng(2).random((17, 17))
    found = with_numpy.projector(angle, 7.3, 17) @ image.ravel()
    np.testing.assert_allclose(found, joseph(image, [angle], 7.3)[0], atol=1e-12)


@pytest.mark.parametrize(("size", "angles", "centre"), [(32, 20, 15.5), (41, 33, 17.2), (50, 7, 30.0), (9, 5, 4.0)])
def test_numbas_projector_and_back_projector_are_adjoint(size: int, angles: int, centre: float) -> None:
    rng = np.random.default_rng(3)
    directions = rng.uniform(-np.pi, np.pi, angles)
    solver = with_numba._Solver(directions, centre, size)
    solver._R[:], solver._C[:] = 1, 1
    x = rng.random((size, size, 16), np.float32)
    y = rng.random((angles, size, 16), np.float32)
    solver.image()[:] = x
    solver._project(np.zeros((1, angles, size), np.float32))
    projected = -solver._rays().astype(np.float64)
    solver._rays()[:] = y
    solver.image()[:] = 0
    solver._back_project()
    back = solver.image().astype(np.float64)
    one, other = np.einsum("akz,akz->z", projected, y), np.einsum("ijz,ijz->z", x, back)
    np.testing.assert_allclose(one, other, rtol=2e-6)
    expected = joseph(x[..., 5], directions, centre)
    assert error_of(projected[..., 5], expected) < 1e-6


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize(("slices", "angles", "detector"), [(1, 20, 32), (2, 21, 33), (17, 9, 20), (16, 10, 31)])
def test_every_implementation_is_correct_for_odd_and_even_numbers_of_everything(
    generated: Any, compute: Any, verdict: Any, name: str, slices: int, angles: int, detector: int
) -> None:
    problem = generated(slices, angles, detector)
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found


@pytest.mark.parametrize("options", [{"centre": 14.6}, {"arc_deg": 180.0}, {"arc_deg": 360.0}, {"photons": None}])
def test_axis_arc_and_noise_may_be_any(generated: Any, compute: Any, verdict: Any, options: Any) -> None:
    problem = generated(**options)
    assert verdict(problem, compute(problem, "numba"), "numba").ok


def test_every_pixel_is_the_references(generated: Any, compute: Any) -> None:
    problem = generated(18, 40, 45)
    ours, reference = compute(problem, "numba"), compute(problem, "numpy")
    assert np.abs(ours.volume - reference.volume).max() < 2e-5 * np.abs(reference.volume).max()
    np.testing.assert_allclose(ours.residuals, reference.residuals, rtol=1e-5)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_the_residual_falls_from_the_norm_of_the_sinogram_at_every_iteration(
    generated: Any, compute: Any, name: str
) -> None:
    problem = generated()
    residuals = compute(problem, name).residuals
    np.testing.assert_allclose(residuals[:, 0], np.linalg.norm(problem.blocks[0], axis=(1, 2)), rtol=1e-6)
    assert (np.diff(residuals, axis=1) < 0).all()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_scaling_and_adding_sinograms_scales_and_adds_slices(
    generated: Any, problem_of: Any, compute: Any, name: str
) -> None:
    one, other = generated(blocks=2).blocks
    volumes = [compute(problem_of(y, 9), name).volume for y in (one, other, 3 * one - 0.5 * other)]
    assert error_of(volumes[2], 3 * volumes[0] - 0.5 * volumes[1]) < 3e-6


def test_the_object_appears_and_less_of_it_with_fewer_angles(generated: Any, compute: Any) -> None:
    errors = []
    for arc in (180.0, 140.0, 90.0):
        problem = generated(2, 60, 64, arc_deg=arc)
        truth = [problem.phantoms[0].density(one, 64) for one in np.eye(2)]
        errors.append(error_of(compute(problem, "numba").volume, np.stack(truth)))
    assert errors[0] < 0.2
    assert errors == sorted(errors)


def test_sinograms_are_the_line_integrals_of_the_phantom(generated: Any) -> None:
    problem = generated(2, 24, 96, photons=None, centre=44.0)
    for z, one in enumerate(np.eye(2)):
        pixels = problem.phantoms[0].density(one, 96)
        assert error_of(joseph(pixels, problem.angles, 44.0), problem.blocks[0][z]) < 0.02


def test_a_pixel_that_no_ray_passes_stays_empty(problem_of: Any, compute: Any) -> None:
    problem = problem_of(np.ones((1, 1, 20)), 3, angles=np.array([0.0]), centre=2.0)  # the left 8 columns fall outside
    for name in IMPLEMENTATIONS:
        volume = compute(problem, name).volume
        assert (volume[..., :7] == 0).all()
        assert (volume[..., 9:] > 0).all()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_the_next_block_does_not_change_the_last_result(generated: Any, name: str) -> None:
    problem = generated(blocks=2)
    run = kernel.implementations[name].load()(problem, Resources(threads=2))
    first = run(problem.blocks[0])
    kept = [array.copy() for array in first]
    run(problem.blocks[1])
    for one, array in zip(first, kept, strict=True):
        np.testing.assert_array_equal(one, array)
    for one, array in zip(run(problem.blocks[0]), kept, strict=True):
        np.testing.assert_array_equal(one, array)


def test_work_counts_slices_and_iterations() -> None:
    work = kernel.work(kernel.sizes["medium"], kernel.options(iterations=5))
    assert (work.unit, work.units) == ("slice·iteration", 80)
    assert work.flop == 8 * 512**2 * 180 * 80


@pytest.mark.parametrize("options", [{"dataset": "a"}, {"angles": "b"}, {"centre": -1.0}])
def test_options_that_do_not_fit_generated_inputs_are_refused(options: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        kernel.make(kernel.sizes["tiny"], kernel.options(**options), 1, 1)


# --- mutants: each must be called wrong --------------------------------------------------------------------------


def mutant(generated: Any, change: Any) -> Any:
    """Return a problem and its result by numba with a changed solver."""
    problem = generated(4)
    solver = with_numba._Solver(problem.angles, problem.centre, 40)
    change(solver)
    residuals = np.zeros((4, problem.iterations))
    solver.solve(problem.blocks[0], residuals)
    return problem, Reconstruction(solver.image()[..., :4].transpose(2, 0, 1).copy(), residuals)


def swapped_axes(solver: Any) -> None:
    solver._angles = solver._angles[:, ::-1].copy()
    solver._batches = with_numba._batches(solver._angles, 4)


def nothing(solver: Any) -> None:
    pass


def no_column_weights(solver: Any) -> None:
    solver._C[:] = solver._C.mean()


def no_row_weights(solver: Any) -> None:
    solver._R[:] = solver._R.min()


def half_a_pixel(solver: Any) -> None:
    solver._centre += 0.5


@pytest.mark.parametrize(
    ("change", "right"),
    [
        (nothing, True),
        (swapped_axes, False),
        (no_column_weights, False),
        (no_row_weights, False),
        (half_a_pixel, False),
    ],
)
@pytest.mark.parametrize("judged_as", ["numba", "astra"])
def test_a_mutant_is_called_wrong(generated: Any, verdict: Any, change: Any, right: bool, judged_as: str) -> None:
    problem, made = mutant(generated, change)
    assert verdict(problem, made, judged_as).ok is right


@pytest.mark.parametrize("what", ["a slice", "an iteration less", "residuals", "first residuals", "one pixel", "shape"])
def test_a_result_that_is_wrong_in_one_place_is_called_wrong(
    generated: Any, compute: Any, verdict: Any, what: str
) -> None:
    problem = generated(16, 12, 32)
    volume, residuals = compute(problem, "numba")
    if what == "a slice":
        volume[[3, 4]] = volume[[4, 3]]
    elif what == "an iteration less":
        volume, _ = compute(generated(16, 12, 32, iterations=29), "numba")
    elif what == "residuals":
        residuals[:, 5] *= 1.01
    elif what == "first residuals":
        residuals[7, 0] = 0
    elif what == "one pixel":
        volume[9, 3, 3] += 1
    else:
        residuals = residuals[:, 1:]
    assert not verdict(problem, Reconstruction(volume, residuals), "numba").ok


def test_a_second_call_that_starts_from_the_last_image_is_wrong(
    generated: Any, verdict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = generated()
    solver = with_numba._Solver(problem.angles, problem.centre, 40)
    residuals = np.zeros((3, 30))
    solver.solve(problem.blocks[0], residuals)
    elsewhere = np.zeros(solver.image().shape, np.float32)
    monkeypatch.setattr(solver, "image", lambda: elsewhere)  # is emptied in its place
    solver.solve(problem.blocks[0], residuals)
    image = with_numba._Solver.image(solver)[..., :3].transpose(2, 0, 1).copy()
    assert not verdict(problem, Reconstruction(image, residuals), "numba").ok
