"""Every implementation reconstructs the object, and wrong results are detected."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.tomography import definition, kernel, with_numpy
from daasbench.kernels.tomography.options import TomographyOptions
from daasbench.kernels.tomography.oracle import BANDLIMITED, expect, truth_tolerance

from daasbench.authoring.folder import FolderKernel, implementation
from daasbench.contracts import Implementation, Resources
from daasbench.errors import PluginError

IMPLEMENTATIONS = ["numpy", "numba", "nufft"]
DIRECT = ["numpy", "numba"]


def error_of(result: Any, expected: Any) -> float:
    return float(np.linalg.norm(result - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize(("slices", "angles", "detector"), [(1, 40, 32), (2, 41, 33), (17, 30, 40), (16, 30, 31)])
def test_every_implementation_is_correct_for_odd_and_even_numbers_of_everything(
    generated: Any, compute: Any, verdict: Any, name: str, slices: int, angles: int, detector: int
) -> None:
    problem = generated(slices, angles, detector)
    found = verdict(problem, compute(problem, name), name)
    assert found.ok, found


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_the_rotation_axis_may_lie_anywhere_on_the_detector(
    generated: Any, compute: Any, verdict: Any, name: str
) -> None:
    for centre in (20.0, 25.37):
        problem = generated(centre=centre)
        assert verdict(problem, compute(problem, name), name).ok


@pytest.mark.slow
@pytest.mark.parametrize("name", ["numba", "nufft"])
def test_a_known_object_comes_out_within_an_eighth_at_512_pixels_and_720_angles(
    generated: Any, compute: Any, verdict: Any, name: str
) -> None:
    problem = generated(2, 720, 512)
    volume = compute(problem, name)
    (expected,) = expect(problem, TomographyOptions())
    assert expected.truth.error(volume) <= truth_tolerance(512) <= 0.125
    assert verdict(problem, volume, name).ok


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_a_point_stays_a_point(compute: Any, problem_of: Any, name: str) -> None:
    angles, detector, row, column = 90, 49, 30, 17
    theta = np.arange(angles) * np.pi / angles
    t = (column - 24) * np.cos(theta) + (row - 24) * np.sin(theta) + 24
    shadow = np.maximum(0, 1 - np.abs(np.arange(detector) - t[:, None]))
    image = compute(problem_of(shadow[None]), name)[0]
    assert np.unravel_index(image.argmax(), image.shape) == (row, column)
    around = np.abs(np.add.outer(np.arange(49) - row, 1j * (np.arange(49) - column))) > 2.5
    assert np.abs(image[around]).max() < 0.1 * image.max()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_scaling_and_adding_sinograms_scales_and_adds_slices(
    generated: Any, problem_of: Any, compute: Any, name: str
) -> None:
    one, other = (block for block in generated(blocks=2).blocks)
    parts = compute(problem_of(one), name), compute(problem_of(other), name)
    whole = compute(problem_of(3 * one - 0.5 * other), name)
    rounding = 5e-4 if kernel.implementations[name].judged_as == BANDLIMITED else 2e-6
    assert error_of(whole, 3 * parts[0] - 0.5 * parts[1]) < rounding


def test_the_mean_of_the_image_is_kept(generated: Any, compute: Any) -> None:
    problem = generated(1, 120, 96)
    projected = problem.blocks[0].sum(axis=2).mean()
    inside = np.hypot(*np.meshgrid(definition.pixel_grid(96), definition.pixel_grid(96))) < 47
    assert compute(problem, "numpy")[0][inside].sum() == pytest.approx(projected, rel=0.02)


def test_a_projection_is_the_line_integral_of_its_phantom(generated: Any) -> None:
    problem = generated(2, 4, 64)
    x, y = np.meshgrid(definition.pixel_grid(64), definition.pixel_grid(64))
    for z in range(2):
        density = problem.phantoms[0].density(np.full(x.size, z), x.ravel(), y.ravel()).reshape(64, 64)
        down_the_rows, along_them = problem.blocks[0][z, 0], problem.blocks[0][z, 2]
        assert error_of(density.sum(axis=0), down_the_rows) < 0.02
        assert error_of(density.sum(axis=1), along_them) < 0.02


@pytest.mark.parametrize("name", DIRECT)
def test_one_angle_smears_its_filtered_projection(problem_of: Any, compute: Any, name: str) -> None:
    sinogram = np.random.default_rng(1).random((1, 1, 32))
    image = compute(problem_of(sinogram), name)[0]
    np.testing.assert_allclose(image, np.broadcast_to(image[0], image.shape), atol=1e-5)
    kernel_1d = definition.ramp(np.arange(-31, 32))
    filtered = np.pi * np.convolve(sinogram[0, 0], kernel_1d)[31:63]
    np.testing.assert_allclose(image[0], filtered, atol=1e-5)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_the_next_block_does_not_change_the_last_result(generated: Any, name: str) -> None:
    problem = generated(blocks=2)
    run = kernel.implementations[name].load()(problem, Resources(threads=2))
    first = run(problem.blocks[0])
    kept = first.copy()
    run(problem.blocks[1])
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(run(problem.blocks[0]), kept)


def test_the_same_seed_gives_the_same_problem_and_blocks_differ(generated: Any) -> None:
    one, same = generated(blocks=2), generated(blocks=2)
    np.testing.assert_array_equal(one.blocks[1], same.blocks[1])
    assert not np.array_equal(one.blocks[0], one.blocks[1])


def test_work_counts_slices_and_two_fused_operations_an_update() -> None:
    work = kernel.work(kernel.sizes["medium"], kernel.options())
    assert (work.unit, work.units) == ("slice", 16)
    updates = 512**2 * 720 * 16
    assert 4 * updates < work.flop < 4.5 * updates
    assert work.bytes == 4 * (16 * 720 * 512 + 16 * 512**2)


# --- mutants: each must be called wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*IMPLEMENTATIONS, "astra"])
def test_a_centre_half_a_pixel_off_is_wrong(generated: Any, verdict: Any, name: str) -> None:
    problem, shifted = generated(angles=90, detector=64), generated(angles=90, detector=64, centre=32.0)
    implementation = name if name in IMPLEMENTATIONS else "numpy"
    result = kernel.implementations[implementation].load()(shifted, Resources())(problem.blocks[0])
    assert not verdict(problem, result, name).ok


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("factor", [np.pi, 1 / np.pi, 2.0, 1.001])
def test_a_wrong_normalisation_is_wrong(generated: Any, compute: Any, verdict: Any, name: str, factor: float) -> None:
    problem = generated()
    if kernel.implementations[name].judged_as == BANDLIMITED and factor == 1.001:
        factor = 1.002  # of its tolerance
    assert not verdict(problem, compute(problem, name) * np.float32(factor), name).ok


def test_a_ramp_sampled_in_fourier_space_is_wrong(
    generated: Any, compute: Any, verdict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def modulus(detector: int, angles: int) -> Any:
        length = definition.padded_length(detector)
        return (np.fft.rfftfreq(length) * np.pi / angles).astype(np.float32)

    problem = generated()
    monkeypatch.setattr(with_numpy, "ramp_response", modulus)
    assert not verdict(problem, compute(problem, "numpy")).ok


def test_a_race_in_a_later_call_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(slices=4, blocks=2)
    first, later = compute(problem, "numba"), compute(problem, "numba", block=1)
    assert verdict(problem, first).ok
    assert verdict(problem, later, block=1).ok
    later[:, 16:32, 0:32] -= first[:, 16:32, 0:32] / 50  # a tile to which another thread wrote meanwhile
    assert not verdict(problem, later, block=1).ok
    assert not verdict(problem, first, block=1).ok  # the last block's result, not yet overwritten


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_result_that_is_not_finite_is_wrong(generated: Any, compute: Any, verdict: Any, bad: float) -> None:
    for name in IMPLEMENTATIONS:
        problem = generated()
        result = compute(problem, name)
        result[0] = bad
        assert not verdict(problem, result, name).ok


def test_a_nan_in_a_sinogram_does_not_pass_as_a_result(generated: Any, compute: Any, verdict: Any) -> None:
    clean, problem = generated(), generated()
    problem.blocks[0][1, 30, 20] = np.nan
    for name in DIRECT:
        assert not verdict(clean, compute(problem, name), name).ok


def test_a_result_of_another_shape_or_type_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    result = compute(problem, "numpy")
    assert not verdict(problem, result[:2]).ok
    assert "float64" in verdict(problem, result.astype(np.float64)).message


def test_a_third_partys_band_limited_implementation_is_judged_as_such_whatever_its_name(
    generated: Any, verdict: Any
) -> None:
    def prepare(problem: Any, resources: Resources) -> Any:
        return kernel.implementations["nufft"].load()(problem, resources)

    problem = generated(2, 30, 24)
    theirs = Implementation(name="fourier_on_gpu", load=lambda: prepare, judged_as=BANDLIMITED)
    result = theirs.load()(problem, Resources())(problem.blocks[0])
    expectation = kernel.expect(problem, kernel.options())
    assert kernel.verify(problem, expectation, 0, result, theirs.judged_as).ok
    assert not kernel.verify(problem, expectation, 0, result, "").ok  # by the linear definition
    assert not kernel.verify(problem, expectation, 0, result * np.float32(1.01), theirs.judged_as).ok


def test_a_judgement_that_tomography_does_not_know_is_refused_when_the_kernel_is_loaded() -> None:
    theirs = implementation("fourier_on_gpu", judged_as="band_limited")
    message = (
        "implementation 'fourier_on_gpu' of kernel tomography: judged_as: no judgement 'band_limited'; "
        "did you mean 'bandlimited'? (known: bandlimited, own_filter)"
    )
    with pytest.raises(PluginError, match=re.escape(message)):
        FolderKernel(
            name=kernel.name,
            folder=kernel.folder,
            card=kernel.card,
            sizes=kernel.sizes,
            options=kernel.options,
            implementations=[theirs],
            judgements=kernel.judgements,
        )


def test_the_definition_agrees_with_itself_in_both_interpolations(generated: Any) -> None:
    problem = generated(1, 60, 64)
    rows, columns = np.random.default_rng(2).integers(10, 54, (2, 40))
    place = problem.angles, problem.centre
    linear = definition.linear_at(problem.blocks[0], *place, np.zeros(40, np.intp), rows, columns)
    spectral = definition.bandlimited_at(problem.blocks, *place, rows, columns)[0, 0]
    assert 1e-4 < error_of(linear, spectral) < 0.1
