"""A measured Siemens star (Velociprobe, APS; shipped with tike) is resolved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.ptychography import kernel
from scipy.ndimage import map_coordinates

STAR = "ptychography/siemens-star-small.npz.bz2"
SPOKES = 30


def spokes(image: Any, radius: float) -> tuple[int, float]:
    """Return how many spokes a circle about the star's middle crosses, and their share of the phase's variation."""
    middle = image[100:350, 100:350].mean()
    phase = np.angle(image * np.exp(-1j * np.angle(middle)))
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    around = map_coordinates(phase, [225 + radius * np.sin(angle), 205 + radius * np.cos(angle)], order=1)
    strength = np.abs(np.fft.rfft(around - around.mean()))[8:]  # slower variations are no spokes
    return int(strength.argmax()) + 8, float(strength.max() / np.linalg.norm(strength))


def test_the_spokes_of_a_measured_siemens_star_are_resolved(real_file: Any, compute: Any, verdict: Any) -> None:
    path, options = real_file(STAR), kernel.options(iterations=20, finish=20)
    problem = kernel.read(path, kernel.survey(path, options), options, 1)
    assert (problem.blocks[0].shape, problem.shape) == ((516, 128, 128), (460, 457))
    result = compute(problem, "numba")
    found = verdict(problem, result, "numba")
    assert found.ok, found
    assert result.r[-1] < 0.17  # 28 photons a pixel: noise alone leaves more than 0.1
    for radius in (60, 90, 120):
        count, share = spokes(result.object, radius)
        assert count == SPOKES
        assert share > 0.6


@pytest.mark.parametrize("orientation", ["s", "y"])
def test_the_star_does_not_fit_where_positions_run_another_way(real_file: Any, compute: Any, orientation: str) -> None:
    path, options = real_file(STAR), kernel.options(iterations=10, finish=10, orientation=orientation, frames="0:200")
    problem = kernel.read(path, kernel.survey(path, options), options, 1)
    assert compute(problem, "numba").r[-1] > 0.2
