"""Files of the field are read, and other files are refused with one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from daasbench.kernels.detector_io import kernel

from daasbench.errors import InputError


def read(path: Path, blocks: int = 1, **options: Any) -> Any:
    chosen = kernel.options(**options)
    return kernel.read(path, kernel.survey(path, chosen), chosen, blocks)


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as raised:
        read(path, **options)
    message = str(raised.value)
    assert str(path) in message
    return message


def frames_of(count: int = 5, dtype: str = "u4") -> Any:
    return np.random.default_rng(1).poisson(20, (count, 30, 41)).astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i4", "f4", "f8"])
def test_frames_of_any_type_are_read_to_the_bit(packed_file: Any, compute: Any, verdict: Any, dtype: str) -> None:
    frames = frames_of(dtype=dtype)
    problem = read(packed_file(frames))
    for name in ("numpy", "numba", "h5py"):
        result = compute(problem, name)
        np.testing.assert_array_equal(result, frames)
        found = verdict(problem, result, name)
        assert found.ok, found
        assert found.verified_by == "oracle"


def test_blocks_take_the_next_frames_until_there_are_no_more(packed_file: Any, compute: Any) -> None:
    frames = frames_of(5)
    problem = read(packed_file(frames), blocks=3, frames=2)
    assert len(problem.blocks) == 2
    for block, first in ((0, 0), (1, 2)):
        np.testing.assert_array_equal(compute(problem, "numba", block), frames[first : first + 2])
    again = read(packed_file(frames, "more/data"), blocks=2, frames=5, direction="write", dataset="more/data")
    np.testing.assert_array_equal(again.blocks[0], frames)


def test_a_dectris_series_of_linked_files_is_one_stack(packed_file: Any, tmp_path: Path, compute: Any) -> None:
    frames = frames_of(5)
    names = ["entry/data/data_000001", "entry/data/data_000002"]
    data = packed_file(frames[:3], names[0])
    packed_file(frames[3:], names[1])
    master = tmp_path / "master.h5"
    with h5py.File(master, "w") as file:
        for name in names:
            file[name] = h5py.ExternalLink(data.name, name)
    np.testing.assert_array_equal(compute(read(master), "numba"), frames)
    data.unlink()
    assert "data_000001 leads to frames.h5, which is missing" in refused(master)


def test_what_is_not_packed_frames_is_refused(packed_file: Any, tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.h5")
    path = packed_file(frames_of(), "plain", compression=None, compression_opts=None)
    assert "has no compression; only bitshuffle-LZ4" in refused(path)
    assert "several datasets that could be the frames" in refused(packed_file(frames_of(), "other"))
    assert "no dataset at dataset = 'nowhere'" in refused(path, dataset="nowhere")
    assert "not of one frame" in refused(packed_file(frames_of(), "tiles", chunks=(1, 10, 41)), dataset="tiles")
    zstd = packed_file(frames_of(), "zstd", **hdf5plugin.Bitshuffle(cname="zstd"))
    assert "not compressed by LZ4" in refused(zstd, dataset="zstd")
    assert "has no frames (numbers" in refused(packed_file(np.ones((3, 4)), "flat", chunks=(3, 4)), dataset="flat")


def test_frames_that_were_never_written_are_refused(packed_file: Any) -> None:
    path = packed_file(frames_of(), "all")
    with h5py.File(path, "a") as file:
        file.create_dataset("some", (5, 30, 41), "u4", chunks=(1, 30, 41), **hdf5plugin.Bitshuffle())
        file["some"][:2] = 1
    assert "frame 2 of /some was never written" in refused(path, dataset="some")


def test_elements_too_wide_to_pack_are_refused_for_writing(packed_file: Any) -> None:
    assert "1, 2 or 4 bytes" in refused(packed_file(frames_of(dtype="u8")), direction="write")


def test_a_truncated_file_is_refused(packed_file: Any) -> None:
    path = packed_file(frames_of())
    path.write_bytes(path.read_bytes()[:4000])
    assert "truncated" in refused(path)


def test_the_measured_eiger_file_is_read_by_every_implementation(real_file: Any, compute: Any, verdict: Any) -> None:
    path = real_file("hdf5_io/eiger4m_bslz4_1frame.h5")
    problem = read(path)
    for name in ("numba", "numpy"):
        found = verdict(problem, compute(problem, name), name)
        assert found.ok, found
        assert found.verified_by == "oracle"
