"""Azimuthal integration gives the right numbers, and a wrong result gets the outcome wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest
from daasbench.kernels.azimuthal_integration import kernel, oracle, powder
from daasbench.kernels.azimuthal_integration.integrated import Integrated
from daasbench.kernels.azimuthal_integration.pixels import split, unsplit
from daasbench.kernels.azimuthal_integration.powder import DUMMY
from hypothesis import given, settings
from hypothesis import strategies as st

from daasbench.contracts import Resources

OURS = ("numpy", "numba")
MODES = ("nosplit", "split")


# --- oracles -------------------------------------------------------------------------------------------------


def test_unsplit_sums_of_integers_are_exactly_those_of_bincount(tiny: Any, compute: Any) -> None:
    problem = tiny(mode="nosplit")
    table = problem.pixel_bins
    for name in OURS:
        signal = compute(problem, name).signal
        assert signal.dtype == np.uint64
        for frame, row in zip(problem.blocks[0], signal, strict=True):
            ok = (table.count.reshape(frame.shape) > 0) & (frame != DUMMY)
            want = np.bincount(table.first.reshape(frame.shape)[ok], weights=frame[ok], minlength=table.bins)
            np.testing.assert_array_equal(row, want)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OURS)
def test_no_photon_is_lost(tiny: Any, compute: Any, name: str, mode: str) -> None:
    problem = tiny(mode=mode)
    found = compute(problem, name).signal.sum(axis=1)
    for frame, total in zip(problem.blocks[0], found, strict=True):
        photons = int(frame[~problem.mask & (frame != DUMMY)].sum(dtype=np.uint64))
        assert total == (photons if mode == "nosplit" else pytest.approx(photons, rel=1e-7))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OURS)
def test_the_known_profile_is_found_within_its_error(tiny: Any, compute: Any, name: str, mode: str) -> None:
    problem = tiny(blocks=4, mode=mode)
    trusted = problem.pixel_bins.norm(problem.solid_angle.ravel()) > 10
    results = [compute(problem, name, block) for block in range(4)]
    pulls = np.concatenate([((r.intensity - problem.truth)[:, trusted]) / r.sigma[:, trusted] for r in results])
    assert 0.9 < np.mean(pulls**2) < 1.1
    assert abs(np.mean(pulls)) < 0.1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OURS)
def test_a_frame_that_follows_the_solid_angle_gives_a_constant(
    problem_of: Any, compute: Any, name: str, mode: str
) -> None:
    flat = problem_of(np.zeros((1, 40, 40), np.float32), mode, rot1=0.3, rot2=-0.2)
    frames = (100 * flat.solid_angle)[None].astype(np.float32)
    result = compute(dataclasses.replace(flat, blocks=[frames]), name)
    np.testing.assert_allclose(result.intensity, 100, rtol=1e-6)


def test_each_verdict_names_what_verified_the_implementation(tiny: Any, compute: Any) -> None:
    for mode in MODES:
        problem = tiny(blocks=2, mode=mode)
        expectation = kernel.expect(problem, kernel.options(mode=mode))
        for name in ("numpy", "numba", "scipy", "bincount"):
            for block in (0, 1):
                verdict = kernel.verify(
                    problem, expectation, block, compute(problem, name, block), kernel.implementations[name].judged_as
                )
                assert verdict.ok, (name, mode, verdict)
                assert verdict.verified_by == "truth"  # the counting noise comes closest to failing


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("threads", [1, 2])
def test_few_frames_are_shared_by_the_threads_with_the_same_result(
    tiny: Any, compute: Any, mode: str, threads: int
) -> None:
    problem = tiny(mode=mode)
    single = dataclasses.replace(problem, blocks=[problem.blocks[0][:1]])
    want = compute(single, "numpy")
    got = compute(single, "numba", threads=threads)
    np.testing.assert_allclose(got.intensity, want.intensity, rtol=1e-6)
    np.testing.assert_allclose(got.sigma, want.sigma, rtol=1e-6)


# --- laws ----------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    poni=st.tuples(st.floats(-5e-3, 2e-2), st.floats(-5e-3, 2e-2)),
    rotation=st.tuples(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6)),
    bins=st.integers(1, 60),
)
def test_the_shares_of_a_pixel_sum_to_one_wherever_the_detector_is(
    problem_of: Any, poni: tuple[float, float], rotation: tuple[float, float], bins: int
) -> None:
    problem = problem_of(
        np.zeros((1, 9, 11), np.uint32),
        bins=bins,
        poni1_m=poni[0],
        poni2_m=poni[1],
        rot1=rotation[0],
        rot2=rotation[1],
    )
    table = split(problem.axis, problem.geometry, problem.mask)
    pixel, bin_, share = table.entries()
    assert table.count.min() > 0
    assert bin_.max() < bins
    assert share.min() > -1e-6
    np.testing.assert_allclose(np.bincount(pixel, weights=share), 1, rtol=1e-9)
    assert unsplit(problem.axis, problem.geometry, problem.mask).count.sum() == problem.mask.size


def test_integration_is_linear_in_the_counts(tiny: Any, compute: Any) -> None:
    problem = tiny(mode="split")
    block = np.where(problem.blocks[0] == DUMMY, DUMMY, problem.blocks[0] * 3).astype(np.uint32)
    once, thrice = compute(problem, "numba"), compute(dataclasses.replace(problem, blocks=[block]), "numba")
    np.testing.assert_allclose(thrice.intensity, 3 * once.intensity, rtol=1e-12)
    np.testing.assert_allclose(thrice.sigma, np.sqrt(3) * once.sigma, rtol=1e-9)


def test_sectors_add_up_to_the_whole_circle(tiny: Any, compute: Any) -> None:
    whole = compute(tiny(mode="nosplit"), "numba").signal
    problem = tiny(mode="nosplit", azimuthal_bins=12)
    for name in OURS:
        sectors = compute(problem, name).signal
        assert sectors.shape == (3, 12 * 150)
        np.testing.assert_array_equal(sectors.reshape(3, 12, 150).sum(axis=1), whole)


def test_fast_poisson_variates_have_the_mean_variance_and_skewness_of_the_law() -> None:
    for mean in (12.0, 60.0, 400.0):
        drawn = powder.poisson(np.full(400_000, mean, np.float32), np.random.default_rng(3)).astype(float)
        assert drawn.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / drawn.size))
        assert drawn.var() == pytest.approx(mean, rel=0.012)
        assert np.mean(((drawn - mean) / np.sqrt(mean)) ** 3) == pytest.approx(mean**-0.5, abs=0.02)


def test_a_seed_and_a_block_name_the_frames_however_many_are_made(tiny: Any) -> None:
    two, three = tiny(blocks=2), tiny(blocks=3)
    np.testing.assert_array_equal(two.blocks[1], three.blocks[1])
    np.testing.assert_array_equal(two.mask, three.mask)
    assert (two.blocks[0] != two.blocks[1]).mean() > 0.9
    assert (tiny(seed=2).blocks[0] != two.blocks[0]).mean() > 0.9


# --- edges ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OURS)
def test_bins_that_no_pixel_touches_are_zero(problem_of: Any, compute: Any, name: str, mode: str) -> None:
    result = compute(problem_of(np.full((2, 6, 6), 7, np.uint32), mode, bins=500), name)
    assert (result.intensity == 0).any()
    assert np.isfinite(result.intensity).all()
    assert np.isfinite(result.sigma).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OURS)
def test_a_detector_of_one_pixel_gives_one_number(problem_of: Any, compute: Any, name: str, mode: str) -> None:
    problem = problem_of(np.full((1, 1, 1), 9, np.uint32), mode, bins=1)
    result = compute(problem, name)
    np.testing.assert_allclose(result.intensity, [[9 / problem.solid_angle[0, 0]]])
    np.testing.assert_allclose(result.sigma, [[3 / problem.solid_angle[0, 0]]])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OURS)
def test_a_detector_that_is_masked_wholly_gives_nothing(problem_of: Any, compute: Any, name: str, mode: str) -> None:
    problem = problem_of(np.full((2, 5, 5), 9, np.uint32), mode, mask=np.ones((5, 5), bool))
    result = compute(problem, name)
    assert not result.intensity.any()
    assert not result.sigma.any()
    assert kernel.verify(
        problem, kernel.expect(problem, kernel.options(mode=mode)), 0, result, kernel.implementations[name].judged_as
    ).ok


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("nothing", [np.uint32(DUMMY), np.float32("nan")])
def test_values_without_data_in_one_frame_go_to_no_bin_of_that_frame(
    problem_of: Any, compute: Any, name: str, mode: str, nothing: Any
) -> None:
    rng = np.random.default_rng(5)
    frames = rng.integers(1, 50, (2, 90, 91)).astype(nothing.dtype)
    lost = rng.random((90, 91)) < 0.1
    frames[1][lost] = nothing
    one_by_one = [
        compute(problem_of(frames[:1], mode), name),
        compute(problem_of(frames[1:], mode, mask=lost), name),
    ]
    together = compute(problem_of(frames, mode), name)
    for i, alone in enumerate(one_by_one):
        np.testing.assert_allclose(together.intensity[i], alone.intensity[0], rtol=1e-6)
        np.testing.assert_allclose(together.sigma[i], alone.sigma[0], rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_frame_without_any_data_is_zero_and_not_nan(problem_of: Any, compute: Any, mode: str) -> None:
    problem = problem_of(np.full((1, 30, 30), DUMMY, np.uint32), mode)
    for name in OURS:
        assert not compute(problem, name).intensity.any()


def test_the_pixel_around_the_beam_keeps_its_photons(problem_of: Any, compute: Any) -> None:
    frames = np.zeros((1, 5, 5), np.uint32)
    frames[0, 2, 1] = 1000  # poni1 2.3 mm, poni2 1.2 mm: the beam goes through this pixel
    for mode in MODES:
        assert compute(problem_of(frames, mode, bins=20), "numba").signal.sum() == pytest.approx(1000)


# --- mutants: a wrong result must be found -----------------------------------------------------------------


def _racy(problem: Any) -> Any:
    """Be right in the first call; lose some photons by a race in later calls."""
    right = kernel.implementations["numba"].load()(problem, Resources())
    calls = []

    def compute(frames: Any) -> Integrated:
        result = right(frames)
        calls.append(1)
        if len(calls) > 1:
            intensity = result.intensity.copy()
            intensity[-1, 70] *= 0.99
            return dataclasses.replace(result, intensity=intensity)
        return result

    return compute


def _neighbour_bin(problem: Any) -> Any:
    table = problem.pixel_bins
    moved = dataclasses.replace(table, first=np.where(table.first < table.bins - 3, table.first + 1, table.first))
    return _with_table(problem, moved)


def _forgotten_mask(problem: Any) -> Any:
    table = (split if problem.mode == "split" else unsplit)(problem.axis, problem.geometry, np.zeros_like(problem.mask))
    return _with_table(problem, table)


def _with_table(problem: Any, table: Any) -> Any:
    changed = dataclasses.replace(problem)
    changed.__dict__["pixel_bins"] = dataclasses.replace(table, first=table.first.astype(np.uint16))
    return kernel.implementations["numpy"].load()(changed, Resources())


def _one_nan(problem: Any) -> Any:
    right = kernel.implementations["numba"].load()(problem, Resources())

    def compute(frames: Any) -> Integrated:
        result = right(frames)
        sigma = result.sigma.copy()
        sigma[0, 60] = np.nan
        return dataclasses.replace(result, sigma=sigma)

    return compute


@pytest.mark.parametrize("name", ["numba", "numpy"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("mutant", [_racy, _neighbour_bin, _forgotten_mask, _one_nan])
def test_a_mutant_is_caught(tiny: Any, mutant: Any, mode: str, name: str) -> None:
    problem = tiny(blocks=2, mode=mode)
    expectation = kernel.expect(problem, kernel.options(mode=mode))
    compute = mutant(problem)
    verdicts = [
        kernel.verify(problem, expectation, b, compute(problem.blocks[b]), kernel.implementations[name].judged_as)
        for b in (0, 1)
    ]
    assert verdicts[0].ok == (mutant is _racy)
    assert not verdicts[1].ok, verdicts[1]


def test_one_photon_too_many_is_caught(tiny: Any, compute: Any) -> None:
    problem = tiny(mode="nosplit")
    result = compute(problem, "numba")
    result.signal[2, 40] += np.uint64(1)
    verdict = kernel.verify(problem, kernel.expect(problem, kernel.options(mode="nosplit")), 0, result, "")
    assert not verdict.ok


def test_blocks_too_large_to_compare_wholly_are_sampled_anew_each_time(
    tiny: Any, compute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracle, "LARGE_BLOCK_BYTES", 1)
    problem = dataclasses.replace(
        tiny(mode="split"), truth=None
    )  # otherwise the known profile would come closer to failing
    expectation = kernel.expect(problem, kernel.options(mode="split"))
    assert expectation.reference is None
    result = compute(problem, "numba")
    verdicts = [kernel.verify(problem, expectation, 0, result, "") for _ in range(12)]
    assert all(verdict.ok for verdict in verdicts)
    assert len({verdict.message for verdict in verdicts}) > 1
    wrong = dataclasses.replace(result, intensity=result.intensity * (1 + 1e-4), signal=None)
    assert not kernel.verify(problem, expectation, 0, wrong, "").ok


# --- options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"azimuthal_bins": 36}, "nosplit"),
        ({"bins": 70_000}, "65000"),
        ({"radial_min": 5.0, "radial_max": 4.0}, "radial_max"),
        ({"mask": "mask.tif"}, "--input"),
        ({"radial_min": 1e6}, "radial"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], message: str) -> None:
    from daasbench.errors import UsageError

    with pytest.raises(UsageError, match=message):
        kernel.make(kernel.sizes["tiny"], kernel.options(**options), 1, 1)


def test_misspelt_options_are_refused_by_the_type() -> None:
    with pytest.raises(msgspec.ValidationError, match="nosplitt"):
        msgspec.convert({"mode": "nosplitt"}, kernel.options)


def test_a_narrower_range_excludes_the_pixels_outside(tiny: Any, compute: Any) -> None:
    for mode in MODES:
        problem = tiny(mode=mode, radial_min=10.0, radial_max=20.0)
        expectation = kernel.expect(problem, kernel.options(mode=mode))
        for name in OURS:
            assert kernel.verify(
                problem, expectation, 0, compute(problem, name), kernel.implementations[name].judged_as
            ).ok


def test_importing_the_kernel_imports_no_heavy_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from daasbench.kernels.azimuthal_integration import kernel; kernel.options(); "
        "print({'numpy', 'numba', 'h5py', 'fabio', 'cupy'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
