"""Files of the field are read with their geometry, and other files are refused with one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.integration_pipeline import kernel
from daasbench.kernels.integration_pipeline.powder import NO_DATA

from daasbench.errors import InputError

POSE = {"distance_m": 0.2, "pixel_m": 1e-3, "wavelength_m": 1e-10, "beam_row": 12.0, "beam_column": 17.5}
DECTRIS = {
    "detector_distance": (200.0, "mm"),
    "x_pixel_size": (1e-3, "m"),
    "incident_wavelength": 1.0,  # angstrom, where no unit is written
    "beam_center_x": (17.5, "pixel"),
    "beam_center_y": (12.0, "pixel"),
}


def read(path: Path, blocks: int = 1, **options: Any) -> Any:
    chosen = kernel.options(**{"bins": 50, **options})
    return kernel.read(path, kernel.survey(path, chosen), chosen, blocks)


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as raised:
        read(path, **options)
    assert str(path) in str(raised.value)
    return str(raised.value)


def frames_of(count: int = 3, dtype: str = "u4") -> Any:
    frames = np.random.default_rng(1).poisson(20, (count, 30, 41)).astype(dtype)
    if dtype == "u4":
        frames[:, 5:8] = NO_DATA
        frames[1, 20, 20] = NO_DATA
    return frames


def test_the_geometry_is_taken_from_the_file_or_from_the_user(packed_file: Any) -> None:
    given = read(packed_file(frames_of()), **POSE).geometry
    found = read(packed_file(frames_of(), **DECTRIS)).geometry
    assert found.distance_m == pytest.approx(given.distance_m)
    assert found.wavelength_m == pytest.approx(given.wavelength_m)
    assert (found.beam_row, found.beam_column, found.pixel_m) == (12.0, 17.5, 1e-3)
    assert read(packed_file(frames_of(), **DECTRIS), beam_row=3.0).geometry.beam_row == 3.0


def test_pixels_without_data_in_all_frames_are_the_mask(packed_file: Any, compute: Any, verdict: Any) -> None:
    problem = read(packed_file(frames_of(), **DECTRIS))
    assert int(problem.mask.sum()) == 3 * 41
    for name in ("numpy", "numba"):
        found = verdict(problem, compute(problem, name), name)
        assert found.ok, found


def test_blocks_take_the_next_frames_until_there_are_no_more(packed_file: Any, compute: Any) -> None:
    path = packed_file(frames_of(5), **DECTRIS)
    problem, whole = read(path, blocks=3, frames=2), read(path)
    every = compute(whole, "numba").signal
    assert len(problem.blocks) == 2
    for block, first in ((0, 0), (1, 2)):
        np.testing.assert_array_equal(compute(problem, "numba", block).signal, every[first : first + 2])


def test_what_cannot_be_integrated_is_refused(packed_file: Any, tmp_path: Path) -> None:
    assert "does not state distance_m and pixel_m" in refused(packed_file(frames_of()))
    assert "--set wavelength_m=NUMBER" in refused(packed_file(frames_of()), **{**POSE, "wavelength_m": None})
    assert "detector_distance" not in refused(packed_file(frames_of(), **{**DECTRIS, "detector_distance": -1.0}))
    assert "uint16" in refused(packed_file(frames_of(dtype="u2"), **DECTRIS))
    empty = np.full((2, 30, 41), NO_DATA, np.uint32)
    assert "no pixel has data in any of 2 frames" in refused(packed_file(empty, **DECTRIS))
    assert "no such file" in refused(tmp_path / "none.h5")


def test_the_measured_eiger_frame_is_integrated(needs: Any, real_file: Any, compute: Any, verdict: Any) -> None:
    needs("pyFAI")
    path = real_file("hdf5_io/eiger4m_bslz4_1frame.h5")
    pose = {"distance_m": 0.2, "pixel_m": 7.5e-5, "wavelength_m": 1e-10, "beam_row": 1066.7, "beam_column": 1026.7}
    problem = read(path, bins=1000, **pose)
    assert int(problem.mask.sum()) == 251_302
    for name, judge in (("numpy", "peer"), ("numba", "oracle"), ("pyfai_threads", "oracle")):
        found = verdict(problem, compute(problem, name), name)
        assert found.ok, found
        assert found.verified_by == judge
