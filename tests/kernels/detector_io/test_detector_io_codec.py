"""The compiled codec gives the same bits as the library, and finds all damage that the format makes visible."""

from __future__ import annotations

from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from daasbench.kernels.detector_io import with_numpy
from hypothesis import given, settings
from hypothesis import strategies as some

from daasbench.formats.bitshuffle import most_chunk, pack_chunk
from daasbench.formats.bitshuffle import unpack_chunk as unpack
from daasbench.formats.chunks import CUT_OFF, DAMAGED, SAID, WHOLE, WRONG_BLOCK, WRONG_SIZE

BLOCK = 256  # elements: several blocks without many numbers


def unpacked(packed: Any, like: Any, parts: int = 1) -> tuple[set[int], Any]:
    """Return the states of the parts, and the elements; no byte after the chunk may be read."""
    out, start = np.zeros_like(like), packed.ctypes.data
    end = start + packed.size
    guard = np.full(like.nbytes + 256, 0xA5, np.uint8)
    target = guard[128 : 128 + like.nbytes]
    states = {
        unpack(start, end, end, target.ctypes.data, like.size, like.itemsize, part, parts) for part in range(parts)
    }
    assert (guard[:128] == 0xA5).all(), "written before the frame"
    assert (guard[128 + like.nbytes :] == 0xA5).all(), "written behind the frame"
    out.view(np.uint8)[:] = target
    return states, out


def packed(elements: Any, block: int = BLOCK) -> Any:
    out = np.zeros(most_chunk(elements.size, elements.itemsize, block), np.uint8)
    size = pack_chunk(elements.ctypes.data, elements.size, elements.itemsize, block, out.ctypes.data)
    assert size <= out.size
    return out[:size].copy()


def elements_like(kind: str, count: int, dtype: str, seed: int = 1) -> Any:
    rng, top = np.random.default_rng(seed), np.iinfo(dtype).max
    made = {
        "zeros": np.zeros(count, dtype),
        "noise": rng.integers(0, top, count, dtype=dtype, endpoint=True),
        "counts": rng.poisson(3, count).astype(dtype),
        "gaps": np.where(rng.random(count) < 0.1, top, rng.poisson(30, count)).astype(dtype),
        "periodic": (np.arange(count) % 7).astype(dtype),
    }
    return made[kind]


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i4"])
@pytest.mark.parametrize("kind", ["zeros", "noise", "counts", "gaps", "periodic"])
@pytest.mark.parametrize("count", [1, 7, 8, 63, 64, 72, 255, 256, 257, 1000, 2056])
def test_what_is_packed_is_unpacked_to_the_same_bits_in_any_number_of_parts(dtype: str, kind: str, count: int) -> None:
    elements = elements_like(kind, count, dtype)
    for parts in (1, 3):
        states, out = unpacked(packed(elements), elements, parts)
        assert states == {WHOLE}
        np.testing.assert_array_equal(out, elements)
    np.testing.assert_array_equal(with_numpy.unpack_chunk(packed(elements).tobytes(), count, elements.dtype), elements)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4", "u8", "f8"])
def test_hdf5plugin_and_our_codec_read_each_other(dtype: str) -> None:
    elements = elements_like("gaps", 5001, "u1").astype(dtype)
    with h5py.File("shared", "w", driver="core", backing_store=False) as file:
        theirs = file.create_dataset("theirs", data=elements, chunks=elements.shape, **hdf5plugin.Bitshuffle())
        chunk = np.frombuffer(theirs.id.read_direct_chunk((0,))[1], np.uint8).copy()
        states, out = unpacked(chunk, elements)
        assert states == {WHOLE}
        np.testing.assert_array_equal(out, elements)
        if elements.itemsize <= 4:
            ours = file.create_dataset("ours", (5001,), dtype, chunks=(5001,), **hdf5plugin.Bitshuffle())
            ours.id.write_direct_chunk((0,), packed(elements, 8192 // elements.itemsize))
            np.testing.assert_array_equal(ours[()], elements)


@settings(max_examples=60, deadline=None)
@given(some.binary(min_size=0, max_size=400), some.integers(1, 60))
def test_any_bytes_are_packed_without_loss(content: bytes, times: int) -> None:
    elements = np.frombuffer((content * times)[:3000] + b"x", np.uint8)
    states, out = unpacked(packed(elements), elements)
    assert states == {WHOLE}
    np.testing.assert_array_equal(out, elements)


def test_every_kind_of_damage_has_its_message() -> None:
    elements = elements_like("gaps", 1000, "u4")
    good = packed(elements)

    def message_of(change: Any) -> str:
        found, _ = unpacked(np.ascontiguousarray(change(good.copy())), elements)
        (status,) = found
        return SAID.get(status, "whole")

    def put(at: int, *numbers: int) -> Any:
        def change(chunk: Any) -> Any:
            chunk[at : at + len(numbers)] = numbers
            return chunk

        return change

    assert message_of(lambda chunk: chunk) == "whole"
    assert message_of(put(7, 0xFF)) == SAID[WRONG_SIZE]
    assert (
        message_of(put(8, 0, 0, 0, 3))
        == message_of(put(8, 0, 0, 0, 0))
        == message_of(put(8, 0x7F))
        == SAID[WRONG_BLOCK]
    )
    assert message_of(put(12, 0x7F)) == SAID[CUT_OFF]
    assert message_of(lambda chunk: chunk[:5]) == message_of(lambda chunk: chunk[:-1]) == SAID[CUT_OFF]
    assert message_of(lambda chunk: np.append(chunk, np.uint8(0))) == SAID[CUT_OFF]
    assert message_of(put(15, good[15] - 1)) in (SAID[DAMAGED], SAID[CUT_OFF])
    assert message_of(put(16, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)) == SAID[DAMAGED]


def test_damage_at_any_byte_is_an_error_or_changes_only_the_elements_that_it_encodes() -> None:
    rng = np.random.default_rng(5)
    elements = elements_like("gaps", 1000, "u4")
    good = packed(elements)
    errors = 0
    for at in range(good.size):
        bad = good.copy()
        bad[at] ^= rng.integers(1, 256)
        (status,), _ = unpacked(bad, elements)  # writes nothing outside in any case
        errors += status != WHOLE
        try:
            with_numpy.unpack_chunk(bad.tobytes(), elements.size, elements.dtype)
        except ValueError:
            assert status != WHOLE
        else:
            assert status == WHOLE
    assert errors > 20


def test_the_measured_eiger_frame_is_right_to_the_bit(real_file: Any) -> None:
    with h5py.File(real_file("hdf5_io/eiger4m_bslz4_1frame.h5")) as file:
        dataset = file["entry/data/data"]
        frame = dataset[()]
        chunk = np.frombuffer(dataset.id.read_direct_chunk((0, 0, 0))[1], np.uint8).copy()
    states, out = unpacked(chunk, frame.ravel())
    assert states == {WHOLE}
    np.testing.assert_array_equal(out, frame.ravel())
    assert int((frame == 2**32 - 1).sum()) == 251_302
    ours = packed(frame.ravel(), 2048)
    assert ours.size < 1.02 * chunk.size  # as tightly as the detector did
    np.testing.assert_array_equal(unpacked(ours, frame.ravel())[1], frame.ravel())


def test_every_type_of_the_regression_file_of_bitshuffle_is_right(real_file: Any) -> None:
    with h5py.File(real_file("hdf5_io/bitshuffle_regression_0.4.0.h5")) as file:
        assert len(file["compressed"]) == 21
        for name, dataset in file["compressed"].items():
            original = file["original"][name][()]
            content = original.view(np.uint8).reshape(original.size, -1)
            chunk = np.frombuffer(dataset.id.read_direct_chunk((0,))[1], np.uint8).copy()
            out = np.zeros_like(content)
            start, end = chunk.ctypes.data, chunk.ctypes.data + chunk.size
            status = unpack(start, end, end, out.ctypes.data, original.size, original.itemsize, 0, 1)
            assert status == WHOLE, name
            np.testing.assert_array_equal(out, content)
