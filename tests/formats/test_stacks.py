"""Stacks of images are read from every format, and what is no stack is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fabio.cbfimage
import fabio.edfimage
import fabio.tifimage
import h5py
import numpy as np
import pytest

from daasbench.errors import InputError
from daasbench.formats.stacks import open_stack, read_image


def whole(path: Path, *words: Any, **more: Any) -> Any:
    """Return all frames of a file."""
    with open_stack(path, *words, **more) as stack:
        return stack.read(0, stack.shape[0])


def refused(path: Path, *words: Any, **more: Any) -> str:
    with pytest.raises(InputError) as raised:
        whole(path, *words, **more)
    said = str(raised.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("image", [fabio.tifimage.TifImage, fabio.edfimage.EdfImage, fabio.cbfimage.CbfImage])
def test_an_image_of_any_format_of_fabio_is_a_stack_of_one_frame(image: Any, frames: Any, tmp_path: Path) -> None:
    path = tmp_path / f"frame.{image.DEFAULT_EXTENSIONS[0]}"
    image(data=frames[0].astype(np.int32)).write(str(path))
    np.testing.assert_array_equal(whole(path), frames[:1])
    assert "is for HDF5 files, but this is not an HDF5 file" in refused(path, "entry/data")


def test_an_edf_of_several_frames_is_read_from_any_frame_on(frames: Any, tmp_path: Path) -> None:
    image = fabio.edfimage.EdfImage(data=frames[0])
    for frame in frames[1:5]:
        image.append_frame(data=frame)
    image.append_frame(data=frames[0, :9])
    image.write(str(tmp_path / "series.edf"))
    with open_stack(tmp_path / "series.edf") as stack:
        assert stack.shape == (6, 32, 32)
        np.testing.assert_array_equal(stack.read(2, 3), frames[2:5])
    assert "frame 5 has the shape [9, 32], the first [32, 32]" in refused(tmp_path / "series.edf")


def test_frames_are_read_across_the_files_of_a_series(series: Path, frames: Any) -> None:
    with open_stack(series) as stack:
        assert stack.shape == frames.shape
        for start, count in ((0, 25), (3, 4), (8, 5), (10, 1), (9, 1), (24, 1)):
            np.testing.assert_array_equal(stack.read(start, count), frames[start : start + count])


def test_a_hole_in_a_series_is_named_and_one_at_its_end_is_left_out(series: Path, tmp_path: Path) -> None:
    (tmp_path / "scan_data_000002.h5").unlink()
    assert whole(series).shape[0] == 10
    with h5py.File(tmp_path / "scan_data_000003.h5", "w") as file:
        file["entry/data/data"] = np.ones((2, 32, 32), np.uint32)
    assert "its link entry/data/data_000002 leads to scan_data_000002.h5, which is missing" in refused(series)


def test_the_parts_of_a_series_must_have_frames_of_one_kind(series: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan_data_000003.h5", "w") as file:
        file["entry/data/data"] = np.ones((2, 32, 31), np.uint32)
    said = refused(series)
    assert "the frames in scan_data_000003.h5/entry/data/data (uint32[2, 32, 31]) differ from those in" in said
    assert "scan_data_000001.h5/entry/data/data (uint32[" in said


def test_a_virtual_dataset_over_a_series_stands_for_it(series: Path, frames: Any) -> None:
    layout = h5py.VirtualLayout(frames.shape, "u4")
    for name, part in (("scan_data_000001.h5", slice(0, 10)), ("scan_data_000002.h5", slice(10, 25))):
        layout[part] = h5py.VirtualSource(name, "entry/data/data", frames[part].shape)
    with h5py.File(series, "a") as master:
        master.create_virtual_dataset("entry/data/data", layout)
        master["entry/data"].attrs["signal"] = "data"
        master.attrs["default"], master["entry"].attrs["default"] = "entry", "data"
    np.testing.assert_array_equal(whole(series), frames)


def test_the_only_signal_decides_without_a_default(hdf5_file: Any, frames: Any) -> None:
    path = hdf5_file("scan.nxs", entry__raw__data=frames, entry__flat__data=frames + 1)
    assert "several datasets that could be the frames; name it with --set dataset=PATH" in refused(path)
    with h5py.File(path, "a") as file:
        file["entry/raw"].attrs["signal"] = np.array(
            ["data"], dtype=h5py.string_dtype()
        )  # a list of one, as some write
    np.testing.assert_array_equal(whole(path), frames)
    with h5py.File(path, "a") as file:
        del file["entry/raw"].attrs["signal"]
        file["entry/flat/data"].attrs["signal"] = 1  # NeXus before 2014
    np.testing.assert_array_equal(whole(path), frames + 1)


def test_a_default_may_be_absolute_or_deep_and_one_that_goes_round_is_passed_over(hdf5_file: Any, frames: Any) -> None:
    path = hdf5_file("scan.nxs", entry__raw__data=frames, entry__flat__data=frames + 1)
    for default in ("entry/raw/data", "/entry/raw/data", b"/entry/raw"):
        with h5py.File(path, "a") as file:
            file.attrs["default"] = default
            file["entry/raw"].attrs["default"] = "data"
        np.testing.assert_array_equal(whole(path), frames)
    for useless in ("/", "entry/nothing", "", 7):
        with h5py.File(path, "a") as file:
            file.attrs["default"] = useless
        assert "several datasets" in refused(path)


def test_a_default_that_is_no_stack_does_not_decide(hdf5_file: Any, frames: Any) -> None:
    path = hdf5_file("scan.nxs", entry__raw__data=frames, entry__sums=np.arange(25.0))
    with h5py.File(path, "a") as file:
        file.attrs["default"] = "entry/sums"
    np.testing.assert_array_equal(whole(path), frames)


def test_links_to_one_dataset_are_one_and_a_stack_goes_before_images(hdf5_file: Any, frames: Any) -> None:
    path = hdf5_file("scan.nxs", entry__raw__data=frames, entry__raw__mask=frames[0], entry__raw__flat=frames[0])
    with h5py.File(path, "a") as file:
        file["entry/data/soft"] = h5py.SoftLink("/entry/raw/data")
        file["entry/data/hard"] = file["entry/raw/data"]
    np.testing.assert_array_equal(whole(path), frames)


def test_what_is_known_of_the_frames_helps_to_find_them(hdf5_file: Any, frames: Any) -> None:
    path = hdf5_file("scan.h5", small=frames[:, :9], large=frames, one=frames[:1, :9])
    np.testing.assert_array_equal(whole(path, shape=(32, 32)), frames)
    assert "several datasets" in refused(path, fewest=2)
    np.testing.assert_array_equal(whole(hdf5_file("b.h5", a=frames, flat=frames[:1]), fewest=2), frames)


def test_hdf5_is_known_by_its_content_whatever_its_name(hdf5_file: Any, frames: Any) -> None:
    np.testing.assert_array_equal(whole(hdf5_file("scan.data", a=frames)), frames)


def test_what_is_no_stack_is_refused(hdf5_file: Any, frames: Any, tmp_path: Path) -> None:
    assert "there is no such file" in refused(tmp_path / "none.tif")
    assert "there is no such file" in refused(tmp_path / "none.h5")
    (tmp_path / "text.tif").write_text("no image")
    assert "cannot be read as an image" in refused(tmp_path / "text.tif")
    (tmp_path / "text.h5").write_text("no HDF5")
    assert "cannot be read as HDF5" in refused(tmp_path / "text.h5")
    path = hdf5_file("scan.h5", motor=np.arange(4), words="text", empty=h5py.Empty("f4"), no=np.zeros((0, 3, 3)))
    assert "has no frames, numbers [frame, row, column]; name it with --set dataset=PATH; it has: " in refused(path)
    assert "dataset = 'motor' has no frames (numbers [frame, row, column]); the file has: " in refused(path, "motor")
    assert "has no dataset at dataset = 'x'; it has: empty" in refused(path, "x")


def test_a_damaged_chunk_is_refused_when_it_is_read(frames: Any, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("a", data=frames, chunks=(1, 32, 32), compression="gzip")
        chunk = dataset.id.get_chunk_info(7)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)
    assert "/a cannot be read in frames 0 to 24, the file is damaged" in refused(path)


def test_an_image_is_found_beside_stacks_and_images_of_another_shape(hdf5_file: Any, frames: Any) -> None:
    path = hdf5_file("mask.h5", frames=frames, small=frames[0, :9], mask=frames[3] > 40)
    np.testing.assert_array_equal(read_image(path, (32, 32), "mask"), frames[3] > 40)


def test_which_image_is_meant_must_be_clear(hdf5_file: Any, frames: Any) -> None:
    path = hdf5_file("maps.h5", a=frames[0], b=frames[1])
    with pytest.raises(InputError, match=r"could be the mask; keep only the mask in the file; it has: a"):
        read_image(path, (32, 32), "mask")
    with pytest.raises(InputError, match=r"could be the map; name it with --set qmap_dataset=PATH"):
        read_image(path, (32, 32), "map", option="qmap_dataset")
    np.testing.assert_array_equal(read_image(path, (32, 32), "map", option="qmap_dataset", dataset="b"), frames[1])
    with h5py.File(path, "a") as file:
        file.attrs["signal"] = "a"
    np.testing.assert_array_equal(read_image(path, (32, 32), "mask"), frames[0])


@pytest.mark.parametrize("suffix", ["npy", "edf", "h5"])
def test_an_image_must_have_the_frames_shape(suffix: str, hdf5_file: Any, tmp_path: Path) -> None:
    path, image = tmp_path / f"mask.{suffix}", np.zeros((3, 4), np.int32)
    if suffix == "npy":
        np.save(path, image)
    elif suffix == "edf":
        fabio.edfimage.EdfImage(data=image).write(str(path))
    else:
        hdf5_file(path.name, mask=image)
    with pytest.raises(InputError, match=r"the mask has 3 x 4 pixels \(rows x columns\), the frames have 32 x 32"):
        read_image(path, (32, 32), "mask")
    np.testing.assert_array_equal(read_image(path, (3, 4), "mask"), image)
