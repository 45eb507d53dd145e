"""Sinograms are read from a file without change; an unusable file is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from daasbench.kernels.tomography_iterative import kernel

from daasbench.errors import InputError, UsageError


@pytest.fixture
def sinogram_file(hdf5_file: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes sinograms with changed datasets (``__`` for ``/``; None: omitted)."""

    def write(**changes: Any) -> Path:
        made = kernel.make({"slices": 5, "angles": 12, "detector": 20}, kernel.options(), 3, 1)
        datasets = {"entry/sinograms": made.blocks[0], "entry/theta": np.rad2deg(made.angles)}
        return hdf5_file("scan.h5", datasets, **changes)

    return write


def read(path: Path, blocks: int = 1, **options: Any) -> Any:
    chosen = kernel.options(**options)
    return kernel.read(path, kernel.survey(path, chosen), chosen, blocks)


def test_sinograms_are_read_as_they_were_made_and_are_right(sinogram_file: Any, compute: Any, verdict: Any) -> None:
    made = kernel.make({"slices": 5, "angles": 12, "detector": 20}, kernel.options(), 3, 1)
    problem = read(sinogram_file())
    np.testing.assert_array_equal(problem.blocks[0], made.blocks[0])
    np.testing.assert_allclose(problem.angles, made.angles)
    assert (problem.centre, problem.phantoms, problem.iterations) == (9.5, None, 30)
    assert verdict(problem, compute(problem, "numba"), "numba").ok


def test_blocks_are_successive_slices_as_many_as_there_are(sinogram_file: Any) -> None:
    problem = read(sinogram_file(), blocks=3, slices=2, centre=8.0)
    whole = read(sinogram_file()).blocks[0]
    for block, part in zip(problem.blocks, (whole[:2], whole[2:4]), strict=True):
        np.testing.assert_array_equal(block, part)
    assert problem.centre == 8.0


def test_angles_may_be_in_radian(sinogram_file: Any) -> None:
    path = sinogram_file()
    with h5py.File(path, "a") as file:
        file["entry/theta"][...] = np.deg2rad(file["entry/theta"][()])
        file["entry/theta"].attrs["units"] = "rad"
    assert np.ptp(read(path).angles) == pytest.approx(np.deg2rad(140 * 11 / 12))


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"entry__sinograms": None}, {}, "dataset=PATH"),
        ({"entry__other": np.zeros((2, 2, 2))}, {}, "several datasets that could be the sinograms"),
        ({"entry__theta": None}, {}, "angles=PATH"),
        ({"entry__theta": np.zeros(11)}, {}, "one finite angle for each of the 12"),
        ({"entry__theta": np.full(12, np.nan)}, {}, "one finite angle for each of the 12"),
        ({"entry__sinograms": np.full((5, 12, 20), np.nan)}, {}, "not finite"),
        ({"entry__sinograms": np.zeros((5, 12, 20), complex)}, {}, "sinograms must be numbers"),
        ({}, {"dataset": "nowhere"}, "no dataset at dataset = 'nowhere'"),
        ({}, {"dataset": "entry/theta"}, "in the shape"),
        ({}, {"centre": 20.0}, "0 to 19"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(
    sinogram_file: Any, changes: Any, options: Any, message: str
) -> None:
    path = sinogram_file(**changes)
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_unit_that_is_no_angle_is_refused(sinogram_file: Any) -> None:
    path = sinogram_file()
    with h5py.File(path, "a") as file:
        file["entry/theta"].attrs["units"] = "mm"
    with pytest.raises(InputError, match="degree or radian"):
        read(path)


def test_a_truncated_file_is_refused(sinogram_file: Any) -> None:
    path = sinogram_file()
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(InputError, match="truncated"):
        read(path)


@pytest.mark.parametrize("options", [{"arc_deg": 90.0}, {"photons": None}])
def test_what_generated_inputs_are_made_with_is_refused_for_a_file(sinogram_file: Any, options: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        read(sinogram_file(), **options)
