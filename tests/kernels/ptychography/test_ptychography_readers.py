"""Scans are read from files; an unusable file is refused in one sentence that says what is expected."""

from __future__ import annotations

import bz2
import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from daasbench.kernels.ptychography import kernel

from daasbench.errors import InputError


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


def test_a_cxi_file_is_the_scan_that_was_written(cxi_file: Any, generated: Any, compute: Any, verdict: Any) -> None:
    path, made = cxi_file(), generated()
    problem = read(path, blocks=2, iterations=20, finish=20, pixels=32, centre="16,16")
    assert len(problem.blocks) == 1
    np.testing.assert_array_equal(problem.blocks[0], made.blocks[0])
    np.testing.assert_array_equal(problem.corners, made.corners)
    assert (problem.masked, problem.truths) == (0, None)
    power = made.blocks[0].sum(axis=(1, 2)).mean()
    assert np.sum(np.abs(problem.probe) ** 2) == pytest.approx(power, rel=1e-4)
    found = verdict(problem, compute(problem, "numba"), "numba")
    assert found.ok, found
    assert found.verified_by == "oracle"


def test_a_survey_knows_the_size_of_the_object_and_work_that_of_a_block(cxi_file: Any, generated: Any) -> None:
    parameters = kernel.survey(cxi_file(), kernel.options())
    assert (parameters["frames"], parameters["pixels"]) == (25, 32)
    assert (parameters["rows"], parameters["columns"]) == generated().shape
    work = kernel.work(parameters, kernel.options())
    assert work.input_bytes == read(cxi_file()).blocks[0].nbytes
    assert work.units == 25 * 100


def test_frames_are_cut_about_the_beam_and_the_pixel_of_the_object_grows(cxi_file: Any, generated: Any) -> None:
    made = generated().blocks[0]
    wide = np.pad(made, ((0, 0), (9, 3), (2, 14)))
    problem = read(cxi_file(data_1__data=wide), centre="25,18", pixels=32)
    np.testing.assert_array_equal(problem.blocks[0], made)
    half = read(cxi_file(), pixels=16, centre="16,16")
    np.testing.assert_array_equal(half.blocks[0], made[:, 8:24, 8:24])
    whole = generated().corners
    assert np.abs(half.corners - whole / 2).max() <= 0.5


def test_frames_in_the_order_of_the_transform_are_shifted(cxi_file: Any, generated: Any) -> None:
    made = generated().blocks[0]
    problem = read(cxi_file(data_1__data=np.fft.ifftshift(made, axes=(1, 2))))
    np.testing.assert_array_equal(problem.blocks[0], made)
    wide = np.fft.ifftshift(np.pad(made, ((0, 0), (8, 8), (8, 8))), axes=(1, 2))
    assert "corners" in refused(cxi_file(data_1__data=wide), pixels=32)


def test_masked_negative_and_saturated_pixels_are_not_measured_and_counted(cxi_file: Any, generated: Any) -> None:
    counts = generated().blocks[0].astype(np.int32)
    counts[2, 4, 5], counts[3, 4, 5] = -2, np.iinfo(np.int32).max
    mask = np.zeros((32, 32), np.uint8)
    mask[9, 9] = 1
    path = cxi_file(data_1__data=counts, instrument_1__detector_1__mask=mask)
    problem = read(path, centre="16,16")
    assert problem.masked == 27
    assert (problem.blocks[0][:, 9, 9] == -1).all()
    assert problem.blocks[0][2, 4, 5] == problem.blocks[0][3, 4, 5] == -1
    floats = counts.astype(np.float32)
    floats[2, 4, 5], floats[3, 4, 5] = np.nan, np.inf
    assert read(cxi_file(data_1__data=floats), centre="16,16").masked == 2


@pytest.mark.parametrize(("orientation", "sense"), [("y", (-1, 1)), ("x", (1, -1)), ("yx", (-1, -1))])
def test_positions_may_run_the_other_way(cxi_file: Any, orientation: str, sense: tuple[int, int]) -> None:
    plain, reversed_axes = read(cxi_file()).corners, read(cxi_file(), orientation=orientation).corners
    expected = plain * sense
    np.testing.assert_array_equal(reversed_axes, expected - expected.min(axis=0))


def test_positions_may_be_swapped_and_frames_chosen(cxi_file: Any) -> None:
    plain = read(cxi_file()).corners
    np.testing.assert_array_equal(read(cxi_file(), orientation="s").corners, plain[:, ::-1])
    some = read(cxi_file(), frames="5:12")
    np.testing.assert_array_equal(some.corners, plain[5:12] - plain[5:12].min(axis=0))
    assert some.blocks[0].shape == (7, 32, 32)


def test_energy_or_the_size_of_a_pixel_will_do_in_place_of_the_wavelength(cxi_file: Any) -> None:
    plain = read(cxi_file()).corners
    energy = 1.98644586e-25 / 2e-10  # J
    path = cxi_file(instrument_1__source_1__wavelength=None, instrument_1__source_1__energy=energy)
    np.testing.assert_array_equal(read(path).corners, plain)
    path = cxi_file(instrument_1__detector_1__distance=None)
    np.testing.assert_array_equal(read(path, pixel_nm=20.0).corners, plain)
    assert "pixel_nm" in refused(path)


def test_a_ptypy_file_in_pieces_is_understood(tmp_path: Path, generated: Any) -> None:
    made, path = generated(), tmp_path / "scan.ptyd"
    with h5py.File(path, "w") as file:
        for index, part in enumerate((slice(0, 10), slice(10, 25))):
            file[f"chunks/{index}/data"] = made.blocks[0][part]
            file[f"chunks/{index}/positions"] = 20e-9 * made.corners[part]
        file["meta/energy"], file["meta/psize"] = 6.19920992, 75e-6
        file["meta/distance"] = 20e-9 * 32 * 75e-6 / 2e-10
    problem = read(path, centre="16,16")
    np.testing.assert_array_equal(problem.blocks[0], made.blocks[0])
    np.testing.assert_array_equal(problem.corners, made.corners)
    np.testing.assert_array_equal(read(path, frames="8:12", centre="16,16").blocks[0], made.blocks[0][8:12])
    with h5py.File(path, "a") as file:
        del file["chunks/1/positions"]
    assert "positions" in refused(path)


@pytest.mark.parametrize("packed", [False, True])
def test_an_npz_with_positions_in_pixels_is_understood(tmp_path: Path, generated: Any, packed: bool) -> None:
    made = generated()
    buffer = io.BytesIO()
    data = np.fft.ifftshift(made.blocks[0], axes=(1, 2))[None]
    np.savez(buffer, data=data, scan=made.corners[None] + 0.2, probe=made.probe[None, None])
    path = tmp_path / ("scan.npz.bz2" if packed else "scan.npz")
    path.write_bytes(bz2.compress(buffer.getvalue()) if packed else buffer.getvalue())
    problem = read(path)
    np.testing.assert_array_equal(problem.blocks[0], made.blocks[0])
    np.testing.assert_array_equal(problem.corners, made.corners)
    assert np.abs(np.vdot(problem.probe, made.probe)) == pytest.approx(np.sum(np.abs(made.probe) ** 2), rel=1e-3)
    assert np.abs(np.vdot(read(path, probe="").probe, made.probe)) < 0.99 * np.sum(np.abs(made.probe) ** 2)
    path.write_bytes(path.read_bytes()[:1000])
    assert "npz" in refused(path)


def test_errors_are_reported_in_one_sentence(cxi_file: Any, tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.cxi")
    (tmp_path / "text.cxi").write_text("frames")
    assert "HDF5" in refused(tmp_path / "text.cxi")
    assert "--set dataset=PATH" in refused(cxi_file(data_1__data=None))
    assert "--set translations=PATH" in refused(cxi_file(data_1__translation=None))
    assert "25 frames" in refused(cxi_file(data_1__translation=np.zeros((24, 3))))
    assert "not finite" in refused(cxi_file(data_1__translation=np.full((25, 3), np.nan)))
    assert "0:26" in refused(cxi_file(), frames="0:26")
    assert "64 pixels" in refused(cxi_file(), pixels=64)
    assert "beyond" in refused(cxi_file(), centre="3,16")
    assert "unit" in refused(cxi_file(data_1__translation=np.arange(75.0).reshape(25, 3)))
    assert "[frame, row, column]" in refused(cxi_file(data_1__data=np.zeros((32, 32))))
    assert "no counts" in refused(cxi_file(data_1__data=np.zeros((25, 32, 32))))
    assert "mask" in refused(cxi_file(instrument_1__detector_1__mask=np.zeros((8, 8))))
    np.savez(tmp_path / "half.npz", data=np.ones((3, 32, 32)))
    assert "no scan" in refused(tmp_path / "half.npz")
