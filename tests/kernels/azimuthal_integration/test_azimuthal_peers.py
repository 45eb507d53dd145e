"""Azimuthal integration agrees with pyFAI: geometry, shares, intensity and uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.azimuthal_integration import kernel
from daasbench.kernels.azimuthal_integration.geometry import Geometry

from daasbench.contracts import Resources

POSE: dict[str, Any] = {
    "shape": (60, 71),
    "pixel1_m": 1e-3,
    "pixel2_m": 0.9e-3,
    "distance_m": 0.11,
    "poni1_m": 0.021,
    "poni2_m": -0.004,
    "rot1": 0.2,
    "rot2": -0.3,
    "rot3": 0.7,
    "wavelength_m": 1.1e-10,
}


@pytest.fixture(autouse=True)
def _pyfai(needs: Any) -> None:
    needs("pyFAI")


@pytest.mark.parametrize("flips", [(False, False), (True, True), (True, False), (False, True)])
def test_pixels_have_the_positions_that_pyfai_gives(flips: tuple[bool, bool]) -> None:
    from daasbench.kernels.azimuthal_integration.peers.with_pyfai import ORIENTATION
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    ours = Geometry(**POSE, flip1=flips[0], flip2=flips[1])
    detector = Detector(1e-3, 0.9e-3, max_shape=ours.shape, orientation=ORIENTATION[flips])
    names = {"dist": "distance_m", "poni1": "poni1_m", "poni2": "poni2_m", "wavelength": "wavelength_m"}
    pose = {name: POSE[names.get(name, name)] for name in (*names, "rot1", "rot2", "rot3")}
    theirs = AzimuthalIntegrator(**pose, detector=detector)
    for unit in ("2th_deg", "2th_rad", "q_nm^-1", "q_A^-1", "r_mm"):
        want = theirs.center_array(ours.shape, unit)
        np.testing.assert_allclose(ours.centres().radial(unit), want, rtol=1e-12)
    np.testing.assert_allclose(ours.solid_angle(), theirs.solidAngleArray(ours.shape), rtol=1e-6)
    np.testing.assert_allclose(ours.centres().azimuth(), theirs.chiArray(ours.shape), atol=1e-6)


@pytest.mark.parametrize("unit", ["2th_deg", "q_A^-1"])
@pytest.mark.parametrize("mode", ["nosplit", "split"])
def test_intensity_and_sigma_are_those_of_pyfai(tiny: Any, compute: Any, mode: str, unit: str) -> None:
    problem = tiny(mode=mode, unit=unit)
    theirs, trusted = compute(problem, "pyfai"), problem.pixel_bins.norm(problem.solid_angle.ravel()) > 10
    for name in ("numpy", "numba"):
        ours = compute(problem, name)
        for what in ("intensity", "sigma"):
            got, want = getattr(ours, what)[:, trusted], getattr(theirs, what)[:, trusted]
            np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("mode", ["nosplit", "split"])
def test_pixels_without_counts_have_the_same_uncertainty_in_both(problem_of: Any, compute: Any, mode: str) -> None:
    frames = np.random.default_rng(2).poisson(0.8, (2, 60, 60)).astype(np.uint32)
    frames[:, 5, 7] = 2**32 - 1
    problem = problem_of(frames, mode, bins=30)
    theirs, ours = compute(problem, "pyfai"), compute(problem, "numba")
    np.testing.assert_allclose(ours.intensity, theirs.intensity, rtol=2e-5)
    np.testing.assert_allclose(ours.sigma, theirs.sigma, rtol=2e-5)


def test_numpy_on_a_file_is_judged_by_pyfai(problem_of: Any, compute: Any) -> None:
    frames = np.random.default_rng(2).poisson(30, (2, 60, 60)).astype(np.uint32)
    for mode in ("nosplit", "split"):
        problem = problem_of(frames, mode, bins=30)
        expectation = kernel.expect(problem, kernel.options(mode=mode))
        result = compute(problem, "numpy")
        verdict = kernel.verify(problem, expectation, 0, result, "reference")
        assert (verdict.ok, verdict.verified_by) == (True, "peer")
        others = kernel.verify(problem, expectation, 0, compute(problem, "numba"), "")
        assert (others.ok, others.verified_by) == (True, "oracle")


def test_without_pyfai_numpy_on_a_file_agrees_only_with_itself(
    problem_of: Any, compute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    problem = problem_of(np.full((1, 9, 9), 4, np.uint32))
    expectation = kernel.expect(problem, kernel.options(mode="nosplit"))
    verdict = kernel.verify(problem, expectation, 0, compute(problem, "numpy"), "reference")
    assert (verdict.ok, verdict.verified_by) == (True, "agreement")
    assert "install pyFAI" in verdict.message


def test_peers_get_the_same_resources_as_our_implementations(tiny: Any) -> None:
    problem = tiny(mode="nosplit")
    for name in ("pyfai", "scipy", "bincount"):
        assert kernel.implementations[name].peer
        assert kernel.implementations[name].load()(problem, Resources(threads=2)) is not None


def test_the_bins_of_the_pixel_under_the_beam_do_not_make_a_right_result_wrong(problem_of: Any, compute: Any) -> None:
    frames = np.random.default_rng(2).poisson(100, (1, 60, 50)).astype(np.uint32)
    problem = problem_of(frames, "split", bins=200, poni1_m=0.0303, poni2_m=0.0208)
    expectation = kernel.expect(problem, kernel.options())
    assert 0 < np.count_nonzero(expectation.norm != expectation.norm_pyfai) < 12
    for name in ("numpy", "pyfai"):
        verdict = kernel.verify(problem, expectation, 0, compute(problem, name), kernel.implementations[name].judged_as)
        assert verdict.ok, verdict
    spoilt = compute(problem, "numba")
    spoilt.intensity[0, :3] *= 1.5
    assert not kernel.verify(problem, expectation, 0, spoilt, "").ok
