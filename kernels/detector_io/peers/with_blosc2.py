"""blosc2: the same filters in its own format, without HDF5; it shows the gain of a change of format.

To read, the frames of each block are packed into this format beforehand; a block that was not known at that time is
packed at its first use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import blosc2
import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources
from daasbench.formats.chunks import FileImage

from .. import hdf5_library

if TYPE_CHECKING:
    from ..problem import Problem

U8 = NDArray[np.uint8]


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:
    """Return ``compute(block)``."""
    blosc2.set_nthreads(resources.threads)

    def write(frames: NDArray[Any]) -> U8:
        return pack(frames, resources.threads)

    if problem.direction == "write":
        return write
    known: dict[int, U8] = {}

    def packed_of(image: FileImage) -> U8:
        where = image.content.ctypes.data
        if where not in known:
            known[where] = write(hdf5_library.unpack(image, "the block"))
        return known[where]

    for image in problem.blocks:
        packed_of(image)  # type: ignore[arg-type]  # to read, blocks are file images
    return lambda image: unpack(packed_of(image))


def pack(frames: NDArray[Any], threads: int) -> U8:
    """Return the frames as a Blosc2 array in memory, one chunk per frame: u8[bytes]."""
    settings = {
        "codec": blosc2.Codec.LZ4,
        "filters": [blosc2.Filter.BITSHUFFLE],
        "filters_meta": [0],
        "nthreads": threads,
        "clevel": 5,
    }
    made = blosc2.asarray(frames, chunks=(1, *frames.shape[1:]), cparams=settings)
    return np.frombuffer(made.to_cframe(), np.uint8)


def unpack(packed: U8) -> NDArray[Any]:
    """Return the frames of a Blosc2 array in memory."""
    frames: NDArray[Any] = blosc2.ndarray_from_cframe(packed.tobytes())[:]
    return frames
