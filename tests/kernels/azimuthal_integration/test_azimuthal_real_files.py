"""Rings of known powders are at the positions that crystallography gives, in measured frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.azimuthal_integration import kernel

RealFile = Callable[[str], Path]
CEO2_A = 5.411651  # NIST SRM 674b
LAB6_A = 4.156826  # NIST SRM 660c


def ring_angles(lattice_a: float, reflections: list[int], wavelength_a: float) -> Any:
    """Return 2theta in degree of the reflections of a cubic crystal, given as h² + k² + l²."""
    return np.degrees(2 * np.arcsin(wavelength_a * np.sqrt(reflections) / (2 * lattice_a)))


def centroid(two_theta: Any, intensity: Any, near: float, half_width: float) -> float:
    """Return the centre of gravity of a peak above a straight background."""
    inside = np.abs(two_theta - near) < half_width
    x, y = two_theta[inside], intensity[inside]
    edge = max(3, x.size // 6)
    line = np.polyfit(np.r_[x[:edge], x[-edge:]], np.r_[y[:edge], y[-edge:]], 1)
    above = np.clip(y - np.polyval(line, x), 0, None)
    return float((x * above).sum() / above.sum())


@pytest.mark.parametrize("mode", ["nosplit", "split"])
def test_twelve_rings_of_ceo2_on_a_pilatus_2m(real_file: RealFile, compute: Any, mode: str) -> None:
    path = real_file("azint/ceo2_pilatus2m_aps1idc_61keV.hdf5")
    geometry = real_file("azint/ceo2_pilatus2m_geometry.json")
    options = kernel.options(mode=mode, geometry=str(geometry), bins=3000)
    problem = kernel.read(path, kernel.survey(path, options), options, 1)
    result = compute(problem, "numba")
    wavelength_a = problem.geometry.wavelength_m * 1e10
    fcc = [3, 4, 8, 11, 12, 16, 19, 20, 24, 27, 32, 35]
    for expected in ring_angles(CEO2_A, fcc, wavelength_a):
        found = centroid(problem.axis.centres(), result.intensity[0], expected, 0.09)
        assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("frame", [9, 23, 32, 43, 50])
def test_rings_of_lab6_at_every_position_of_the_goniometer(real_file: RealFile, compute: Any, frame: int) -> None:
    import h5py

    path = real_file("azint/ssrl72_lab6_pilatus300kw_tth.h5")
    geometry = real_file("azint/ssrl72_goniometer_ROBL_v1.json")
    with h5py.File(path) as file:
        position = float(file["two_theta_deg"][frame])
    options = kernel.options(geometry=str(geometry), position=position, frame=frame, bins=2500)
    problem = kernel.read(path, kernel.survey(path, options), options, 1)
    result = compute(problem, "numba")
    cubic = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22]
    low, high = problem.axis.low + 0.3, problem.axis.high - 0.3
    seen = [a for a in ring_angles(LAB6_A, cubic, problem.geometry.wavelength_m * 1e10) if low < a < high]
    errors = [centroid(problem.axis.centres(), result.intensity[0], angle, 0.25) - angle for angle in seen]
    assert errors
    assert np.max(np.abs(errors)) < 0.012


def test_a_dectris_frame_of_an_eiger_is_read(real_file: RealFile, tmp_path: Path, compute: Any) -> None:
    path = real_file("hdf5_io/eiger4m_bslz4_1frame.h5")
    poni = tmp_path / "eiger.poni"
    poni.write_text(
        "poni_version: 2.1\nDetector: Eiger4M\nDetector_config: {}\nDistance: 0.2\nPoni1: 0.08\nPoni2: 0.077\n"
        "Rot1: 0\nRot2: 0\nRot3: 0\n"
    )
    options = kernel.options(mode="nosplit", geometry=str(poni))
    problem = kernel.read(path, kernel.survey(path, options), options, 1)
    assert problem.blocks[0].shape == (1, 2167, 2070)
    assert problem.masked_pixels > 200_000  # the gaps between the modules
    photons = problem.blocks[0][0][~problem.mask].sum(dtype=np.uint64)
    assert compute(problem, "numba").signal.sum() == photons
