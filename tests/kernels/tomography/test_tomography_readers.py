"""Sinograms are read from a scan; an unusable file is refused in one sentence that says what is expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from daasbench.kernels.tomography import kernel

from daasbench.errors import InputError, UsageError


def read(path: Path, blocks: int = 1, **options: Any) -> Any:
    chosen = kernel.options(**options)
    return kernel.read(path, kernel.survey(path, chosen), chosen, blocks)


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_counts_become_the_line_integrals_that_made_them(scan_file: Any) -> None:
    problem = read(scan_file(), centre=18.2)
    made = kernel.make({"slices": 5, "angles": 41, "detector": 40}, kernel.options(centre=18.2), 3, 1)
    np.testing.assert_allclose(problem.blocks[0], 0.02 * made.blocks[0], atol=1e-5)
    np.testing.assert_allclose(problem.angles, made.angles)
    assert (problem.centre, problem.repaired, problem.phantoms) == (18.2, 0, None)


@pytest.mark.parametrize("centre", [13.0, 18.2, 21.7])
def test_the_centre_is_found_from_projections_half_a_turn_apart(scan_file: Any, centre: float) -> None:
    angles = np.linspace(0, 180, 41)
    phantom = kernel.make({"slices": 5, "angles": 1, "detector": 40}, kernel.options(), 3, 1).phantoms[0]
    sinograms = phantom.sinograms(np.deg2rad(angles), centre, 40)
    frames = 100 + 800 * np.exp(-0.02 * sinograms.transpose(1, 0, 2))
    path = scan_file(exchange__data=frames, exchange__theta=angles)
    assert read(path).centre == pytest.approx(centre, abs=0.1)


def test_without_such_projections_the_centre_is_asked_for(scan_file: Any) -> None:
    assert "centre=PIXEL" in refused(scan_file(exchange__theta=np.linspace(0, 90, 41)))


def test_nxtomo_is_understood(scan_file: Any, tmp_path: Path) -> None:
    plain = read(scan_file(), centre=18.2)
    with h5py.File(scan_file()) as file:
        parts = [file[f"exchange/{name}"][()] for name in ("data_white", "data", "data_dark")]
        theta = file["exchange/theta"][()]
    path = tmp_path / "scan.nx"
    with h5py.File(path, "w") as file:
        file["entry/instrument/detector/data"] = np.concatenate(parts)
        file["entry/instrument/detector/image_key"] = [1, 1] + [0] * 41 + [2, 2]
        file["entry/sample/rotation_angle"] = np.concatenate([[0, 0], theta, [0, 0]])
    found = read(path, centre=18.2)
    np.testing.assert_allclose(found.blocks[0], plain.blocks[0], atol=1e-6)
    np.testing.assert_allclose(found.angles, plain.angles)


def test_rows_and_slices_choose_what_is_read_and_blocks_take_the_next_rows(scan_file: Any) -> None:
    whole = read(scan_file(), centre=18.0).blocks[0]
    problem = read(scan_file(), blocks=3, centre=18.0, rows="1:5", slices=2)
    for block, rows in zip(problem.blocks, (whole[1:3], whole[3:5]), strict=True):
        np.testing.assert_array_equal(block, rows)


def test_line_integrals_are_left_as_they_are(scan_file: Any) -> None:
    integrals = np.random.default_rng(1).random((41, 5, 40)).astype(np.float32)
    path = scan_file(exchange__data=integrals, exchange__data_white=None, exchange__data_dark=None)
    problem = read(path, minus_log=False, centre=20.0)
    np.testing.assert_array_equal(problem.blocks[0], integrals.transpose(1, 0, 2))


def test_intensities_that_are_normalised_need_no_flats(scan_file: Any) -> None:
    shadow = np.full((41, 5, 40), np.exp(-1.0))
    path = scan_file(exchange__data=shadow, exchange__data_white=None, exchange__data_dark=None)
    np.testing.assert_allclose(read(path, flats="", centre=20.0).blocks[0], 1.0, rtol=1e-6)


def test_dead_pixels_are_repaired_and_counted(scan_file: Any) -> None:
    flat = np.full((2, 5, 40), 900.0)
    flat[:, 2, 17] = 50.0  # below the dark
    with h5py.File(scan_file()) as file:
        frames = file["exchange/data"][()]
    frames[7, 0, 3], frames[8, 1, 0] = np.nan, 0.0
    problem = read(scan_file(exchange__data=frames, exchange__data_white=flat), centre=18.2)
    assert problem.repaired == 41 + 2
    sinograms = problem.blocks[0]
    assert np.isfinite(sinograms).all()
    np.testing.assert_allclose(sinograms[2, :, 17], (sinograms[2, :, 16] + sinograms[2, :, 18]) / 2, rtol=1e-5)
    assert sinograms[1, 8, 0] == sinograms[1, 8, 1]


def test_radians_are_read_where_the_file_or_the_user_says_so(scan_file: Any) -> None:
    theta = np.arange(41) * np.pi / 41
    path = scan_file(exchange__theta=theta)
    np.testing.assert_allclose(read(path, angle_unit="radian", centre=18.2).angles, theta)
    with h5py.File(path, "r+") as file:
        file["exchange/theta"].attrs["units"] = "rad"
    np.testing.assert_allclose(read(path, centre=18.2).angles, theta)


def test_a_missing_or_damaged_file_is_refused(scan_file: Any, tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.h5")
    text = tmp_path / "text.h5"
    text.write_text("not HDF5")
    assert "cannot be read as HDF5" in refused(text)
    path = scan_file()
    path.write_bytes(path.read_bytes()[:20_000])
    assert "truncated" in refused(path)


def test_a_file_without_the_expected_datasets_is_refused_with_its_contents(scan_file: Any) -> None:
    assert "exchange/theta float64[41]" in refused(scan_file(exchange__data=None))
    assert "no open-beam frames" in refused(scan_file(exchange__data_white=None))
    assert "no angles found" in refused(scan_file(exchange__theta=None))
    assert "no dataset at dataset = 'raw'" in refused(scan_file(), dataset="raw")


def test_shapes_that_do_not_fit_are_refused(scan_file: Any) -> None:
    assert "[projection, row, column]" in refused(scan_file(exchange__data=np.ones((41, 40))))
    assert "has 40 angles" in refused(scan_file(exchange__theta=np.arange(40.0)))
    assert "40 of them finite" in refused(scan_file(exchange__theta=np.r_[np.arange(40.0), np.nan]))
    assert "must be [frames, 5, 40]" in refused(scan_file(exchange__data_white=np.ones((2, 5, 39))))
    assert "no usable pixel" in refused(scan_file(exchange__data_white=np.zeros((2, 5, 40))), centre=18.2)


def test_angles_that_are_none_are_refused(scan_file: Any) -> None:
    assert "angles must be numbers" in refused(scan_file(exchange__theta=np.array([b"0"] * 41)))
    said = refused(scan_file(exchange__theta=np.linspace(0, np.pi, 41)))
    assert "from 0 to 3.142 degrees" in said
    assert "angle_unit=radian" in said
    path = scan_file(exchange__theta=np.linspace(0, 0.5, 41))
    with h5py.File(path, "a") as file:
        file["exchange/theta"].attrs["units"] = "turns"
    assert "is in 'turns'" in refused(path)


def test_a_centre_beyond_the_searched_range_is_not_guessed(scan_file: Any) -> None:
    ramp = np.exp(-np.arange(40.0) / 40)[None, None] * np.ones((41, 5, 1))
    path = scan_file(exchange__data=100 + 800 * ramp, exchange__theta=np.linspace(0, 180, 41))
    assert "no rotation centre is found between 8 and 3" in refused(path)


def test_a_scan_behind_links_to_other_files_is_found(scan_file: Any, tmp_path: Path) -> None:
    path = scan_file(exchange__theta=np.linspace(0, 180, 41))
    with h5py.File(path) as file:
        frames = np.concatenate(
            [file["exchange/data_dark"][()], file["exchange/data_white"][()], file["exchange/data"][()]]
        )
        angles = np.r_[np.zeros(4), file["exchange/theta"][()]]
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["frames"], file["angles"], file["key"] = frames, angles, np.r_[2, 2, 1, 1, np.zeros(41)]
    linked = tmp_path / "linked.nxs"
    with h5py.File(linked, "w") as file:
        for name, source in (
            ("detector/data", "frames"), ("detector/image_key", "key"), ("sample/rotation_angle", "angles")
        ):  # fmt: skip
            file[f"entry/{name}"] = h5py.ExternalLink("raw.h5", f"/{source}")
    for options in ({}, {"dataset": "entry/detector/data"}):
        found = read(linked, **options)
        np.testing.assert_array_equal(found.blocks[0], read(path).blocks[0])
        np.testing.assert_allclose(found.angles, np.linspace(0, np.pi, 41))
    (tmp_path / "raw.h5").unlink()
    assert "entry/detector/data -> raw.h5 (missing)" in refused(linked)


def test_options_that_do_not_fit_the_file_are_refused(scan_file: Any) -> None:
    assert "it is 0 to 39" in refused(scan_file(), centre=40.0)
    assert "last <= 5" in refused(scan_file(), rows="2:9")
    assert "last <= 5" in refused(scan_file(), rows="2:2")


def test_generated_inputs_refuse_the_options_of_a_file() -> None:
    for options in ({"dataset": "raw"}, {"rows": "0:2"}, {"minus_log": False}):
        with pytest.raises(UsageError, match="--input"):
            kernel.make(kernel.sizes["tiny"], kernel.options(**options), 1, 1)
    with pytest.raises(UsageError, match="outside the detector"):
        kernel.make(kernel.sizes["tiny"], kernel.options(centre=99.0), 1, 1)
