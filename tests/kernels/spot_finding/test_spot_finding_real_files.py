"""Measured frames: the ruby series' own list of spots, and a thaumatin crystal that leaves the beam."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import pytest
from daasbench.kernels.spot_finding import kernel

from daasbench.contracts import Resources


def read(path: Any, **options: Any) -> Any:
    chosen = kernel.options(**options)
    return kernel.read(path, kernel.survey(path, chosen), chosen, 1)


@pytest.mark.parametrize("panel", ["ff1", "ff2"])
@pytest.mark.parametrize("first", [100, 731])
def test_the_spots_of_the_ruby_series_are_those_of_its_published_list(
    real_file: Any, compute: Any, panel: str, first: int
) -> None:
    """Its list is of 8-connected pixels above 25, 2 to 1000 of them: row, column, ..., sum of counts."""
    problem = read(
        real_file(f"mx/ruby_hedm_{panel}_framecache.npz"),
        method="threshold", threshold=25, min_pixels=2, max_pixels=1000, first=first, frames=5,
    )  # fmt: skip
    result = compute(problem, "numba")
    with h5py.File(real_file("mx/ruby_hedm_spots_reference.h5")) as file:
        listed = [file[f"{panel}/{first + frame}"][()] for frame in range(5)]
    assert result.spots.tolist() == [len(spots) for spots in listed]
    reference = np.concatenate(listed)
    assert len(reference) > 10
    np.testing.assert_allclose(np.column_stack([result.y, result.x]), reference[:, :2], atol=1e-6)
    np.testing.assert_array_equal(result.intensity, reference[:, 8])


def test_dispersion_finds_every_published_spot_of_the_ruby_series(real_file: Any, compute: Any, verdict: Any) -> None:
    problem = read(
        real_file("mx/ruby_hedm_ff1_framecache.npz"), threshold=25, min_pixels=2, first=100, frames=2
    )  # fmt: skip
    result = compute(problem, "numba")
    assert verdict(problem, result, "numba").ok
    with h5py.File(real_file("mx/ruby_hedm_spots_reference.h5")) as file:
        listed = np.concatenate([file[f"ff1/{frame}"][:, :2] for frame in (100, 101)])
    np.testing.assert_allclose(np.column_stack([result.y, result.x]), listed, atol=0.5)


@pytest.mark.parametrize(("number", "least", "most"), [(3, 1000, 2000), (13, 400, 1000), (19, 0, 5)])
def test_a_thaumatin_crystal_diffracts_until_it_leaves_the_beam(
    real_file: Any, compute: Any, verdict: Any, number: int, least: int, most: int
) -> None:
    problem = read(real_file(f"mx/thaumatin_grid_i24_{number:04d}.cbf.bz2"))
    assert problem.blocks[0].shape == (1, 2527, 2463)
    assert problem.masked_pixels == 526_726  # the gaps, and dead pixels
    result = compute(problem, "numba")
    assert least <= result.spots[0] <= most
    found = verdict(problem, result, "numba")
    assert found.ok, found


def test_dials_marks_the_same_pixels_of_a_measured_frame(
    real_file: Any, program: Any, compute: Any, verdict: Any
) -> None:
    program("dials.find_spots", fix="apt install dials")
    problem = read(real_file("mx/thaumatin_grid_i24_0003.cbf.bz2"))
    result = compute(problem, "dials")
    np.testing.assert_array_equal(result.mask, compute(problem, "numba").mask)
    assert verdict(problem, result, "dials").ok


def test_the_same_frame_twice_gives_the_same_list(real_file: Any) -> None:
    problem = read(real_file("mx/thaumatin_grid_i24_0007.cbf.bz2"))
    twice = np.repeat(problem.blocks[0], 2, axis=0)
    result = kernel.implementations["numba"].load()(problem, Resources(threads=2))(twice)
    assert result.spots[0] == result.spots[1] > 500
    np.testing.assert_array_equal(result.y[: result.spots[0]], result.y[result.spots[0] :])
