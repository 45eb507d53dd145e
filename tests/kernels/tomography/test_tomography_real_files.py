"""Measured scans: the centre is where it was found by others, and the object is where it is dense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.tomography import definition, kernel

SCANS = {"tooth.h5": (295.5, 2, 640), "dls_24737_subset.h5": (85.75, 16, 160)}


@pytest.mark.parametrize("name", SCANS)
def test_the_rotation_centre_is_found(real_file: Any, name: str) -> None:
    centre, slices, detector = SCANS[name]
    path, options = real_file(f"tomography/{name}"), kernel.options()
    parameters = kernel.survey(path, options)
    assert (parameters["slices"], parameters["detector"]) == (slices, detector)
    assert kernel.read(path, parameters, options, 1).centre == pytest.approx(centre, abs=0.15)


def test_a_tooth_is_dense_in_the_middle_and_there_is_air_around_it(real_file: Any, compute: Any, verdict: Any) -> None:
    path, options = real_file("tomography/tooth.h5"), kernel.options()
    problem = kernel.read(path, kernel.survey(path, options), options, 1)
    volume = compute(problem, "numba")
    assert verdict(problem, volume, "numba").ok
    assert verdict(problem, compute(problem, "nufft"), "nufft").ok
    grid = definition.pixel_grid(640)
    radius = np.hypot(grid[:, None], grid)
    for image in volume:
        tooth, air = image[radius < 90].mean(), image[(radius > 200) & (radius < 280)].mean()
        assert tooth > 0.003  # per pixel
        assert abs(air) < 0.02 * tooth


@pytest.mark.parametrize("peer", ["algotom", "astra", "skimage"])
def test_a_peer_sees_the_same_in_a_measured_scan(
    needs: Any, real_file: Any, compute: Any, verdict: Any, peer: str
) -> None:
    needs(peer)
    path, options = real_file("tomography/dls_24737_subset.h5"), kernel.options(rows="60:62")
    problem = kernel.read(path, kernel.survey(path, options), options, 1)
    found = verdict(problem, compute(problem, peer, threads=1), peer)  # algotom's two threads race: `wrong` at times
    assert found.ok, found
    assert found.verified_by == "oracle"
