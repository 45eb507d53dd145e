"""Packing and unpacking by the HDF5 library and hdf5plugin: for the oracle, and for a peer."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from daasbench.authoring import InputError
from daasbench.formats.chunks import FileImage, new_image, open_image

from .recycled import Recycled


def unpack(image: FileImage, where: str, memory: Recycled | None = None) -> NDArray[Any]:
    """Return the frames of a file image, in `memory`; raise InputError if the library finds damage."""
    with open_image(image) as dataset:
        frames = (memory or Recycled()).array(dataset.shape, dataset.dtype)
        try:
            dataset.read_direct(frames)
        except (OSError, RuntimeError) as error:
            raise InputError(f"{where}: frames cannot be unpacked: {error}") from error
        return frames


def pack(frames: NDArray[Any], bytes_: int | None = None) -> FileImage:
    """Return the file image of frames, padded with zeros to `bytes_` bytes."""
    with new_image(len(frames), frames.shape[1:], frames.dtype, frames.nbytes + frames.nbytes // 64) as (
        dataset,
        finish,
    ):
        for index, frame in enumerate(frames):
            dataset[index] = frame
    return finish(bytes_)
