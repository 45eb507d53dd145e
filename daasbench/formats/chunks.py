"""HDF5 files in memory whose frames are bitshuffle-LZ4 chunks, one per frame, as Dectris detectors write them.

A file image is the bytes of a whole HDF5 file; h5py opens it in memory without a copy. Reading a file image does not
measure storage: it corresponds to reading from the page cache.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.errors import InputError

U8 = NDArray[np.uint8]
DATASET = "entry/data/data"
FILTER = 32008  # bitshuffle, as registered with the HDF Group
LZ4 = 2  # its compressor: 0 none, 2 LZ4, 3 zstd
BLOCK_BYTES = 8192  # the block size that the library prefers
HEADER = 12  # bytes of the header of a chunk
MOST_BLOCK = 1 << 20  # bytes; a larger size is an error

WHOLE, WRONG_SIZE, WRONG_BLOCK, CUT_OFF, DAMAGED = range(5)
SAID = {
    WRONG_SIZE: "its header states another size than that of the frame",
    WRONG_BLOCK: "its header states an impossible block size",
    CUT_OFF: "it ends too early",
    DAMAGED: "an LZ4 block in it is damaged",
}
"""The error message for each status of an unpacked chunk."""

METADATA_BYTES = 1 << 16  # largest size of a file image without the chunks,
CHUNK_METADATA_BYTES = 512  # and in addition for each chunk


@dataclass(frozen=True, kw_only=True)
class FileImage:
    """An HDF5 file in memory: u8[bytes], and its number of frames; zeros may follow after its end."""

    content: U8
    frames: int


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """The positions of the packed frames in a file image.

    `offset` and `size` are i64[frames], in bytes; `shape` is the shape of a frame, (rows, columns).
    """

    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    shape: tuple[int, int]
    dtype: np.dtype[Any]


class _Memory(io.RawIOBase):
    """A file in an array: it has `end` bytes, and can grow until the array is full."""

    def __init__(self, content: U8, end: int) -> None:
        self._content, self._at, self.end = content, 0, end

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.end}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        found: Any = self._content[self._at : min(self._at + len(buffer), self.end)]
        buffer[: len(found)] = memoryview(
            found.get() if hasattr(found, "get") else found
        )  # from a device, or on the host
        self._at += len(found)
        return len(found)

    def write(self, data: Any) -> int:
        count = len(data)
        self._content[self._at : self._at + count] = np.frombuffer(data, np.uint8)
        self._at += count
        self.end = max(self.end, self._at)
        return count

    def truncate(self, size: int | None = None) -> int:
        self.end = self._at if size is None else size
        return self.end


@contextmanager
def open_image(image: FileImage) -> Iterator[Any]:
    """Open the frames of a file image, an h5py dataset [frames, rows, columns].

    Raises
    ------
    InputError
        If it is not an HDF5 file, or has no such dataset.
    """
    import h5py
    import hdf5plugin  # noqa: F401  (registers the compressions)

    try:
        file = h5py.File(_Memory(image.content, image.content.size), "r")
    except OSError as error:
        raise InputError(f"the file image cannot be read as HDF5: {error}") from error
    with file:
        if not isinstance(file.get(DATASET), h5py.Dataset):
            raise InputError(f"the file image has no dataset {DATASET}, where the frames should be")
        yield file[DATASET]


def chunks_of(image: FileImage) -> Chunks:
    """Return the positions of the packed frames of a file image; raise InputError if frames are missing."""
    with open_image(image) as dataset:
        offset, size = locate(dataset, "the file image")
        if (offset + size > image.content.size).any():
            raise InputError("the file image ends before its last frame")
        return Chunks(offset=offset, size=size, shape=dataset.shape[1:], dtype=dataset.dtype)


def locate(dataset: Any, where: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the byte offset and the packed size of each frame of a dataset: i64[frames] twice.

    Raises
    ------
    InputError
        If a frame was never written, or is not compressed.
    """
    offset, size = np.full((2, len(dataset)), -1, np.int64)

    def note(chunk: Any) -> None:
        if chunk.filter_mask:
            raise InputError(f"{where}: frame {chunk.chunk_offset[0]} is not compressed")
        offset[chunk.chunk_offset[0]], size[chunk.chunk_offset[0]] = chunk.byte_offset, chunk.size

    dataset.id.chunk_iter(note)
    if (offset < 0).any():
        raise InputError(f"{where}: frame {int(np.argmin(offset))} of {dataset.name} was never written")
    return offset, size


def block_elements(dtype: Any) -> int:
    """Return how many elements the library packs in one block."""
    return BLOCK_BYTES // int(np.dtype(dtype).itemsize)


def image_bytes(chunk_bytes: int, frames: int) -> int:
    """Return the largest size of a file image with `frames` chunks of `chunk_bytes` in total."""
    return chunk_bytes + METADATA_BYTES + CHUNK_METADATA_BYTES * frames


@contextmanager
def new_image(
    frames: int, shape: tuple[int, ...], dtype: Any, chunk_bytes: int
) -> Iterator[tuple[Any, Callable[[int | None], FileImage]]]:
    """Yield a dataset [frames, rows, columns] in a new file image, and a function that returns the image.

    Parameters
    ----------
    chunk_bytes
        Largest size of all packed frames together.
    """
    import h5py
    import hdf5plugin  # noqa: F401  (registers the compressions)

    content = np.zeros(image_bytes(chunk_bytes, frames), np.uint8)
    memory = _Memory(content, 0)

    def finish(bytes_: int | None = None) -> FileImage:
        """Return the image; with `bytes_`, it is filled up with zeros to this size."""
        if bytes_ is None:
            return FileImage(content=content[: memory.end], frames=frames)
        if memory.end > bytes_:
            raise InputError(f"the packed frames take {memory.end} bytes, but the size allows {bytes_}")
        sized = np.zeros(bytes_, np.uint8)
        sized[: memory.end] = content[: memory.end]
        return FileImage(content=sized, frames=frames)

    with h5py.File(memory, "w") as file:
        yield (
            file.create_dataset(
                DATASET,
                shape=(frames, *shape),
                chunks=(1, *shape),
                dtype=dtype,
                compression=FILTER,
                compression_opts=(block_elements(dtype), LZ4),
            ),
            finish,
        )


def make_image(packed: Sequence[U8], shape: tuple[int, ...], dtype: Any, bytes_: int | None = None) -> FileImage:
    """Return the file image of packed frames (chunks with headers); with `bytes_`, it is filled up with zeros."""
    with new_image(len(packed), shape, dtype, sum(chunk.size for chunk in packed)) as (dataset, finish):
        for frame, chunk in enumerate(packed):
            dataset.id.write_direct_chunk((frame, 0, 0), chunk)
    return finish(bytes_)


def packed_frames(image: FileImage, part: slice = slice(None)) -> list[U8]:
    """Return the chunks of some frames of a file image, as views of the image."""
    chunks = chunks_of(image)
    ends = zip(chunks.offset[part], chunks.offset[part] + chunks.size[part], strict=True)
    return [image.content[start:end] for start, end in ends]


def cut_image(image: FileImage, part: slice) -> FileImage:
    """Return a file image with some frames of `image`."""
    chunks = chunks_of(image)
    return make_image(packed_frames(image, part), chunks.shape, chunks.dtype)


def frame_count(image: FileImage) -> int:
    """Return how many frames are in a file image."""
    return image.frames


def join_images(parts: Sequence[FileImage]) -> FileImage:
    """Return a file image with the frames of all `parts`, in their order."""
    chunks = chunks_of(parts[0])
    return make_image([chunk for part in parts for chunk in packed_frames(part)], chunks.shape, chunks.dtype)


def check_packed(path: Path, dataset: Any) -> None:
    """Raise InputError if the chunks of a dataset are not whole frames of bitshuffle-LZ4."""
    filters = dataset.id.get_create_plist()
    kinds = [filters.get_filter(i) for i in range(filters.get_nfilters())]
    fix = "write it with chunks of one frame and hdf5plugin.Bitshuffle(), or use h5repack"
    if [kind[0] for kind in kinds] != [FILTER]:
        names = ", ".join(kind[3].decode(errors="replace") or str(kind[0]) for kind in kinds) or "no compression"
        raise InputError(f"{path}: {dataset.name} has {names}; only bitshuffle-LZ4 is read: {fix}")
    if len(kinds[0][2]) < 5 or kinds[0][2][4] != LZ4:
        raise InputError(f"{path}: {dataset.name} is bitshuffled, but not compressed by LZ4: {fix}")
    if dataset.chunks != (1, *dataset.shape[1:]):
        raise InputError(f"{path}: {dataset.name} has chunks of {list(dataset.chunks)}, not of one frame: {fix}")
