"""Inputs reach the measuring process unchanged, in its own memory, aligned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daasbench.measure import scratch


def handed(thing: Any, folder: Path) -> Any:
    scratch.save(folder / "one", thing)
    return scratch.load(folder / "one")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(24).reshape(4, 6)[::2, ::3],
        np.array(5.0),
        np.zeros((0, 3), "f4"),
        np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
        np.array([1 + 2j], "c8"),
        np.array(["text"]),
        np.array([None, {}], object),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_every_array_arrives_as_it_was(array: np.ndarray[Any, Any], tmp_path: Path) -> None:
    (back,) = handed([array], tmp_path)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)
    assert back.flags.f_contiguous == array.flags.f_contiguous or not array.flags.forc
    assert back.flags.writeable


def test_what_was_read_only_stays_so(tmp_path: Path) -> None:
    frames = np.ones(5)
    frames.flags.writeable = False
    assert not handed(frames, tmp_path).flags.writeable


@pytest.mark.parametrize("size", [1, 63, 64, 65, 4097])
def test_arrays_begin_at_a_cache_line(size: int, tmp_path: Path) -> None:
    for array in handed([np.ones(size, "u1"), np.ones(3), np.ones(size, "f4")], tmp_path):
        assert array.ctypes.data % 64 == 0


def test_one_object_stays_one_object(tmp_path: Path) -> None:
    frames = np.ones(4)
    first, second = handed([{"frames": frames}, {"frames": frames}], tmp_path)
    assert first["frames"] is second["frames"]


def test_a_truncated_file_is_an_error(tmp_path: Path) -> None:
    scratch.save(tmp_path / "one", np.ones(100))
    (tmp_path / "one" / "arrays").write_bytes(b"short")
    with pytest.raises(OSError, match="truncated"):
        scratch.load(tmp_path / "one")


@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_that_share_an_array_get_memory_of_their_own(order: str) -> None:
    frames = np.ones((3, 4), order=order)  # type: ignore[call-overload]
    other = np.zeros(0)
    block = {"frames": frames, "none": other}
    blocks = scratch.without_shared_arrays([block, block, {"frames": frames, "none": other}])
    assert blocks[0]["frames"] is frames
    for one, two in ((0, 1), (0, 2), (1, 2)):
        assert not np.shares_memory(blocks[one]["frames"], blocks[two]["frames"])
    for copy in blocks[1:]:
        np.testing.assert_array_equal(copy["frames"], frames)
        assert copy["frames"].strides == frames.strides
        assert copy["frames"].ctypes.data % 64 == 0


def test_distinct_blocks_are_not_copied() -> None:
    blocks = [np.ones(3), np.ones(3)]
    assert all(one is other for one, other in zip(scratch.without_shared_arrays(blocks), blocks, strict=True))
