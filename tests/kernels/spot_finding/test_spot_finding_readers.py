"""Counts are read from frames; an unusable file is refused in one sentence that says what is expected."""

from __future__ import annotations

import bz2
from pathlib import Path
from typing import Any

import fabio
import h5py
import numpy as np
import pytest
from daasbench.kernels.spot_finding import kernel, readers

from daasbench.errors import InputError

FRAMES = np.random.default_rng(3).poisson(3.0, (5, 20, 30)).astype(np.int32)
FRAMES[:, 8:10] = -1


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


def write_cache(path: Path, **changes: Any) -> Path:
    members: dict[str, Any] = {"shape": [20, 30], "nframes": 5, "dtype": np.array(b"uint16")}
    for index, frame in enumerate(np.where(FRAMES > 5, FRAMES, 0)):
        row, column = np.nonzero(frame)
        members |= {f"{index}_row": row, f"{index}_col": column, f"{index}_data": frame[row, column].astype(np.uint16)}
    members |= changes
    np.savez_compressed(path, **{name: value for name, value in members.items() if value is not None})
    return path


def test_images_of_fabio_are_read_compressed_too(tmp_path: Path) -> None:
    path = tmp_path / "frame.cbf"
    fabio.cbfimage.CbfImage(data=FRAMES[0]).write(str(path))
    (tmp_path / "frame.cbf.bz2").write_bytes(bz2.compress(path.read_bytes()))
    for name in ("frame.cbf", "frame.cbf.bz2"):
        problem = read(tmp_path / name)
        np.testing.assert_array_equal(problem.blocks[0], FRAMES[:1])
        assert problem.masked_pixels == 60
        assert problem.planted is None


def test_stacks_of_hdf5_are_read_in_as_many_blocks_as_they_have(hdf5_file: Any, tmp_path: Path) -> None:
    path = hdf5_file("stack.nxs", entry__data__data=FRAMES, entry__mask=np.zeros((20, 30), int))
    problem = read(path, blocks=3, frames=2)
    for block, first in zip(problem.blocks, (0, 2), strict=True):
        np.testing.assert_array_equal(block, FRAMES[first : first + 2])
    np.testing.assert_array_equal(read(path, first=4).blocks[0], FRAMES[4:])
    np.testing.assert_array_equal(read(path, dataset="entry/data/data", first=1, frames=3).blocks[0], FRAMES[1:4])


def test_the_parts_of_a_dectris_master_file_are_one_stack(hdf5_file: Any, tmp_path: Path) -> None:
    hdf5_file("a.h5", x=FRAMES[:3].astype(np.uint32))
    hdf5_file("b.h5", x=FRAMES[3:].astype(np.uint32))
    master = tmp_path / "master.h5"
    with h5py.File(master, "w") as file:
        file["entry/data/data_000001"] = h5py.ExternalLink("a.h5", "x")
        file["entry/data/data_000002"] = h5py.ExternalLink("b.h5", "x")
    np.testing.assert_array_equal(read(master).blocks[0], FRAMES)  # 2**32 - 1 is no data
    (tmp_path / "a.h5").unlink()
    (tmp_path / "b.h5").unlink()
    assert "which is missing" in refused(master)


def test_a_frame_cache_of_hexrd_is_read(tmp_path: Path) -> None:
    problem = read(write_cache(tmp_path / "cache.npz"), first=1, frames=2)
    np.testing.assert_array_equal(problem.blocks[0], np.where(FRAMES > 5, FRAMES, 0)[1:3])


@pytest.mark.parametrize(
    ("raw", "counts"),
    [
        (np.array([[0, 65534, 65535]], np.uint16), [[0, 65534, -1]]),
        (np.array([[0, 2**31 - 1, 2**32 - 1]], np.uint32), [[0, -1, -1]]),
        (np.array([[-2, 2**24, 2**40]], np.int64), [[-1, 2**24, -1]]),
        (np.array([[np.nan, np.inf, -3.0, 7.0]]), [[-1, -1, -1, 7]]),
    ],
)
def test_values_that_are_no_counts_are_no_data(raw: Any, counts: Any) -> None:
    found = readers.to_counts(raw, Path("x"))
    assert found.dtype == np.int32
    assert found.tolist() == counts


def test_a_mask_is_joined_to_the_pixels_without_data(hdf5_file: Any, tmp_path: Path) -> None:
    path, mask = hdf5_file("stack.h5", data=FRAMES), np.zeros((20, 30), np.int8)
    mask[0, :4] = 1
    given = hdf5_file("mask.h5", mask=mask)
    problem = read(path, mask=str(given))
    assert problem.masked_pixels == 64
    with pytest.raises(InputError, match="19 x 30 pixels"):
        read(path, mask=str(hdf5_file("mask.h5", m=mask[1:])))


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.cbf")
    for name, said in (("a.cbf", "cannot be read as an image"), ("a.npz", "frame cache"), ("a.h5", "read as HDF5")):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        assert said in refused(tmp_path / name)
    fabio.cbfimage.CbfImage(data=FRAMES[0]).write(str(tmp_path / "cut.cbf"))
    content = (tmp_path / "cut.cbf").read_bytes()
    (tmp_path / "cut.cbf.bz2").write_bytes(bz2.compress(content)[:200])
    assert "cannot be read as an image" in refused(tmp_path / "cut.cbf.bz2")


def test_frame_caches_that_are_damaged_are_refused(tmp_path: Path) -> None:
    assert "not a frame cache of HEXRD" in refused(write_cache(tmp_path / "a.npz", nframes=None))
    assert "frame 0 is damaged" in refused(write_cache(tmp_path / "b.npz", **{"0_row": None}))
    assert "frame 0 is damaged" in refused(write_cache(tmp_path / "c.npz", **{"0_row": np.array([99])}))
    path = write_cache(tmp_path / "d.npz")
    path.write_bytes(path.read_bytes()[:900])
    assert "truncated or damaged" in refused(path)


def test_which_dataset_is_meant_must_be_clear(hdf5_file: Any, tmp_path: Path) -> None:
    path = hdf5_file("two.h5", a=FRAMES, b=FRAMES)
    assert "set dataset=PATH; it has: a int32[5, 20, 30]" in refused(path)
    assert "no dataset" in refused(path, dataset="c")
    assert "no frames" in refused(hdf5_file("none.h5", a=FRAMES[0, 0]))
    fabio.cbfimage.CbfImage(data=FRAMES[0]).write(str(tmp_path / "a.cbf"))
    assert "is for HDF5 files" in refused(tmp_path / "a.cbf", dataset="a")


def test_frames_without_counts_are_refused(hdf5_file: Any, tmp_path: Path) -> None:
    assert "whole numbers" in refused(hdf5_file("a.h5", a=FRAMES + 0.5))
    assert "no pixel has data" in refused(hdf5_file("b.h5", a=np.full((2, 9, 9), -1)))
    assert "frames 0 to 4" in refused(hdf5_file("c.h5", a=FRAMES), first=5)
