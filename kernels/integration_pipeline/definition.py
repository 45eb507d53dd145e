"""Frames as the HDF5 library unpacks them, and their exact sums over bins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError
from daasbench.formats.chunks import FileImage, open_image

from .powder import NO_DATA

EXACT = 2**53  # float64 adds integers exactly up to this number; frames with more counts are added in two parts
HALF = 16  # bits of each part


def frames_of(image: FileImage, where: str) -> Iterator[NDArray[np.uint32]]:
    """Yield the frames of a file image, one at a time, as the HDF5 library unpacks them."""
    with open_image(image) as dataset:
        for index in range(len(dataset)):
            try:
                frame = dataset[index]
            except (OSError, RuntimeError) as error:
                raise InputError(f"{where}: frame {index} cannot be unpacked: {error}") from error
            yield frame


def sums_of(frame: NDArray[np.uint32], bin_of_pixel: NDArray[np.uint16], bins: int) -> NDArray[np.uint64]:
    """Return u64[bins]: the exact sums of the counts of a frame; NO_DATA counts as 0."""
    counts = np.where(frame == NO_DATA, np.uint32(0), frame).ravel()
    if int(counts.sum(dtype=np.uint64)) < EXACT:
        return _counted(bin_of_pixel, counts, bins)
    low, high = counts & np.uint32((1 << HALF) - 1), counts >> np.uint32(HALF)
    more = _counted(bin_of_pixel, high, bins) << np.uint64(HALF)
    return np.asarray(_counted(bin_of_pixel, low, bins) + more)


def _counted(bin_of_pixel: NDArray[np.uint16], counts: NDArray[np.uint32], bins: int) -> NDArray[Any]:
    return np.bincount(bin_of_pixel, weights=counts, minlength=bins + 1)[:bins].astype(np.uint64)
