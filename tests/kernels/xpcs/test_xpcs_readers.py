"""A series is read with its map and mask; an unusable file is refused in one sentence that says what is expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from daasbench.kernels.xpcs import kernel

from daasbench.errors import InputError


def read(path: Path, blocks: int = 1, **options: Any) -> Any:
    chosen = kernel.options(**options)
    return kernel.read(path, kernel.survey(path, chosen), chosen, blocks)


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def stored(path: Path) -> Any:
    with h5py.File(path) as file:
        return file["entry/instrument/detector/data"][()]


def test_counts_are_read_as_they_are_and_blocks_follow_each_other(series_file: Any) -> None:
    path = series_file()
    problem = read(path, blocks=4, first=3, frames=12)
    for block, first in zip(problem.blocks, (3, 15, 27), strict=True):
        np.testing.assert_array_equal(block, stored(path)[first : first + 12])
    assert read(path).frames == 40


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.float32, np.float64])
def test_counts_may_be_of_any_type(series_file: Any, dtype: Any) -> None:
    frames = np.random.default_rng(6).poisson(3, (10, 4, 5)).astype(dtype)
    block = read(series_file(frames)).blocks[0]
    assert block.dtype == np.uint16
    np.testing.assert_array_equal(block, frames)


def test_without_a_map_there_are_rings_about_the_centre(series_file: Any) -> None:
    problem = read(series_file(), rings=3, centre="0,0")
    rows, columns = np.indices((9, 11))
    distance = np.hypot(rows, columns)
    np.testing.assert_array_equal(problem.labels, np.minimum(distance / distance.max() * 3, 2).astype(int) + 1)
    assert read(series_file(), rings=2).labels[4, 5] == 1


def test_a_map_of_integers_says_the_rings_and_a_mask_what_is_left_out(series_file: Any, tmp_path: Path) -> None:
    numbers = np.zeros((9, 11), np.int16)
    numbers[1:4], numbers[5], numbers[7], numbers[8] = 7, 3, 9, -1
    mask = np.zeros((9, 11), np.uint8)
    mask[7], mask[5, 0] = 1, 1
    np.save(tmp_path / "map.npy", numbers)
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        file["mask"], file["other"] = mask, np.zeros(3)
    problem = read(series_file(), qmap=str(tmp_path / "map.npy"), mask=str(tmp_path / "mask.h5"))
    assert problem.rings == 2
    np.testing.assert_array_equal(problem.labels[5], [0] + [1] * 10)
    assert (problem.labels[1:4] == 2).all()
    assert np.count_nonzero(problem.labels) == 43
    assert problem.masked_pixels == 12


def test_a_map_of_q_is_cut_into_rings(series_file: Any) -> None:
    q = np.linspace(0.01, 0.1, 99).reshape(9, 11)
    q[0, 0], q[0, 1] = np.nan, -1
    path = series_file(False, "maps.h5", maps__q=q, maps__phi=q)
    problem = read(series_file(), qmap=str(path), qmap_dataset="maps/q", rings=3)
    assert problem.rings == 3
    assert problem.labels[0, :2].tolist() == [0, 0]
    assert (np.diff(problem.labels.ravel()[2:]) >= 0).all()


def test_an_image_may_be_a_map(series_file: Any, tmp_path: Path) -> None:
    import fabio

    numbers = np.repeat(np.arange(9), 11).reshape(9, 11).astype(np.int32)
    fabio.edfimage.EdfImage(data=numbers).write(str(tmp_path / "map.edf"))
    np.testing.assert_array_equal(read(series_file(), qmap=str(tmp_path / "map.edf")).labels, numbers)


@pytest.mark.parametrize(("dtype", "lost"), [(np.uint32, 2**32 - 1), (np.int32, -1), (np.float32, np.nan)])
def test_a_pixel_without_data_in_some_frame_joins_the_mask_and_is_counted(
    series_file: Any, dtype: Any, lost: float
) -> None:
    frames = np.random.default_rng(6).poisson(3, (40, 9, 11)).astype(dtype)
    frames[30, 2, 4] = lost
    problem = read(series_file(frames))
    assert problem.masked_pixels == 1
    assert problem.labels[2, 4] == 0
    assert (problem.blocks[0][:, 2, 4] == 0).all()


def test_nexus_says_which_series_is_meant(series_file: Any) -> None:
    path = series_file(other__data=np.ones((4, 3, 3)))
    assert "several datasets that could be the frames" in refused(path)
    assert "other/data float64[4, 3, 3]" in refused(path)
    assert read(path, dataset="other/data", rings=1).frames == 4
    with h5py.File(path, "a") as file:
        file.attrs["default"] = "entry"
        file["entry"].attrs["default"] = "instrument/detector"
        file["entry/instrument/detector"].attrs["signal"] = "data"
    assert read(path).frames == 40


def test_a_missing_or_damaged_file_is_refused(series_file: Any, tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.h5")
    path = series_file()
    path.write_bytes(path.read_bytes()[:5000])
    assert "truncated" in refused(path)


def test_a_file_without_a_series_is_refused_with_its_contents(series_file: Any) -> None:
    assert "no frames, numbers [frame, row, column]" in refused(series_file(np.ones((9, 11))))
    assert "data float64[9, 11]" in refused(series_file(np.ones((9, 11))))
    assert "no dataset at dataset = 'raw'" in refused(series_file(), dataset="raw")


def test_counts_that_are_none_are_refused(series_file: Any) -> None:
    assert "has fractions" in refused(series_file(np.full((4, 3, 3), 0.5)))
    assert "counts up to 70000" in refused(series_file(np.full((4, 3, 3), 70_000)))
    assert "no photon" in refused(series_file(np.zeros((4, 3, 3), np.uint16)))
    assert "no pixel in a ring has data" in refused(series_file(np.full((4, 3, 3), -1)))


def test_frames_that_are_not_there_are_refused(series_file: Any) -> None:
    assert "a series needs 2 frames or more, and the file has 40" in refused(series_file(), first=39)
    assert "first=10, frames=31" in refused(series_file(), first=10, frames=31)
    assert "frames=1:" in refused(series_file(), frames=1)


def test_maps_and_masks_that_do_not_fit_are_refused(series_file: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "small.npy", np.ones((3, 3), int))
    np.save(tmp_path / "all.npy", np.ones((9, 11), int))
    np.save(tmp_path / "none.npy", np.full((9, 11), -0.5))
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "text.tif").write_text("no image")
    said = refused(series_file(), qmap=str(tmp_path / "small.npy"))
    assert "the map has 3 x 3 pixels (rows x columns), the frames have 9 x 11" in said
    assert "excludes every pixel of every ring" in refused(series_file(), mask=str(tmp_path / "all.npy"))
    assert "no pixel of the map has a q" in refused(series_file(), qmap=str(tmp_path / "none.npy"))
    assert "text.npy: cannot be read as an image" in refused(series_file(), mask=str(tmp_path / "text.npy"))
    assert "as an image" in refused(series_file(), mask=str(tmp_path / "text.tif"))
    assert "no such file" in refused(series_file(), mask=str(tmp_path / "absent.tif"))
    assert "this is not an HDF5 file" in refused(series_file(), mask=str(tmp_path / "all.npy"), mask_dataset="m")
    two = series_file(False, "two.h5", a=np.ones((9, 11)), b=np.zeros((9, 11)))
    assert "several datasets that could be the mask; name it with --set mask_dataset=PATH" in refused(
        series_file(), mask=str(two)
    )
    assert "no dataset at mask_dataset = 'c'" in refused(series_file(), mask=str(two), mask_dataset="c")


def test_options_that_contradict_each_other_are_refused(series_file: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "all.npy", np.ones((9, 11), int))
    assert "contradict" in refused(series_file(), qmap=str(tmp_path / "all.npy"), centre="1,1")
    assert "qmap=FILE" in refused(series_file(), qmap_dataset="q")
    assert "write centre=ROW,COLUMN" in refused(series_file(), centre="1.2.3,4")
