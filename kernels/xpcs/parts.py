"""Parts of the detector: ranges of pixels of every frame, for partition over ranks and workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .definition import F64, Schedule, Sums, added

if TYPE_CHECKING:
    from .problem import Problem

U16 = NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True)
class PixelRange:
    """Some neighbouring pixels of all frames: u16[frames, pixels], from the pixel `first` of the detector on."""

    counts: U16
    first: int


def pixel_count(frames: U16) -> int:
    """Return how many pixels a frame of a block has."""
    return int(frames[0].size)


def part_of(frames: U16, pixels: slice) -> PixelRange:
    """Return a copy of these pixels of all frames of a block."""
    return PixelRange(counts=frames.reshape(len(frames), -1)[:, pixels].copy(), first=pixels.start)


def frames_of(block: Any) -> U16:
    """Return u16[frames, pixels] of a block or of a part."""
    counts: U16 = block.counts if isinstance(block, PixelRange) else block.reshape(len(block), -1)
    return counts


def labels_of(problem: Problem, block: Any) -> NDArray[np.int32]:
    """Return i32[pixels]: the ring of each pixel of a block or of a part; 0 for none."""
    labels = problem.labels.reshape(-1)
    return labels[block.first :][: block.counts.shape[1]] if isinstance(block, PixelRange) else labels


@dataclass(frozen=True)
class Joined:
    """Returns g2, f64[lags, q], when it is called with the sums of all parts of the detector."""

    schedule: Schedule

    def __call__(self, parts: Sequence[Sums]) -> F64:
        """See the class."""
        return added(parts).g2(self.schedule)
