"""A measured Siemens star (Velociprobe, APS; shipped with tike) is resolved."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.ptychography import kernel
from scipy.ndimage import map_coordinates

STAR = "ptychography/siemens-star-small.npz.bz2"
SPOKES = 30


def spokes(image: Any, radius: float) -> tuple[int, float]:
    """Return how many spokes a circle around the star's centre crosses, and their share of the phase's variation."""
    middle = image[100:350, 100:350].mean()
    phase = np.angle(image * np.exp(-1j * np.angle(middle)))
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    around = map_coordinates(phase, [225 + radius * np.sin(angle), 205 + radius * np.cos(angle)], order=1)
    strength = np.abs(np.fft.rfft(around - around.mean()))[8:]  # slower variations are no spokes
    return int(strength.argmax()) + 8, float(strength.max() / np.linalg.norm(strength))


@pytest.fixture(scope="module")
def star(real_file: Any) -> Any:
    """Return the scan, which is read only once: unpacking takes longer than the reconstruction."""
    path, options = real_file(STAR), kernel.options(iterations=20, finish=20)
    return kernel.read(path, kernel.survey(path, options), options, 1)


def test_the_spokes_of_a_measured_siemens_star_are_resolved(star: Any, compute: Any, verdict: Any) -> None:
    assert (star.blocks[0].shape, star.shape) == ((516, 128, 128), (460, 457))
    result = compute(star, "numba")
    found = verdict(star, result, "numba")
    assert found.ok, found
    assert result.r[-1] < 0.17  # 28 photons a pixel: noise alone leaves more than 0.1
    for radius in (60, 90, 120):
        count, share = spokes(result.object, radius)
        assert count == SPOKES
        assert share > 0.6


@pytest.mark.parametrize(("swapped", "fits"), [(False, True), (True, False)])
def test_the_star_fits_only_where_positions_run_as_they_did(star: Any, compute: Any, swapped: bool, fits: bool) -> None:
    corners = star.corners[:200, ::-1] if swapped else star.corners[:200]
    some = dataclasses.replace(
        star, blocks=[star.blocks[0][:200]], corners=np.ascontiguousarray(corners), iterations=10, finish=10
    )
    assert (compute(some, "numba").r[-1] < 0.2) == fits
