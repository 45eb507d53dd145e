"""Multi-tau: the lags, the sums for each lag, and g2 from the sums.

Level 0 has the frames, and every following level has the sums of successive pairs of rows of the level before; a
last row without a partner is omitted. Level 0 has the lags 0 to 7 rows, every other level 4 to 7 rows of
``2**level`` frames. This is the convention of scikit-beam's `multi_tau_auto_corr` with 8 buffers (Lumma et al.
2000), which averages the pairs instead of summing them: the factor cancels in g2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

CHANNELS = 8
"""Lags of level 0; the other levels have the upper half of them."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The lags of a series.

    Attributes
    ----------
    rows
        Rows of each level: ``frames >> level``.
    level, channel
        i64[lags]: the level of each lag, and the lag in rows of this level.
    """

    rows: tuple[int, ...]
    level: NDArray[np.int64]
    channel: NDArray[np.int64]

    @classmethod
    def of(cls, frames: int, levels: int | None = None) -> Schedule:
        """Return the lags of `frames` frames, on at most `levels` levels, that have at least one pair of rows."""
        half = CHANNELS // 2
        most = 1
        while frames >> most > half and (levels is None or most < levels):
            most += 1
        rows = tuple(frames >> level for level in range(most))
        pairs = [
            (level, channel)
            for level in range(most)
            for channel in range(half if level else 0, CHANNELS)
            if channel < rows[level]
        ]
        level, channel = np.array(pairs, np.int64).T
        return cls(rows=rows, level=level, channel=channel)

    @property
    def lags(self) -> NDArray[np.int64]:
        """Return the lags in frames: i64[lags]."""
        return self.channel << self.level

    @property
    def pairs(self) -> NDArray[np.int64]:
        """Return how many pairs of rows each lag has: i64[lags]."""
        return np.array(self.rows, np.int64)[self.level] - self.channel


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Sums over pixels, ring by ring: over some pixels, or over all.

    Attributes
    ----------
    product, past, future
        f64[lags, q]: over all pairs of rows with this lag and over the pixels of the ring, the sum of the products,
        of the earlier rows and of the later rows. Counts; exact integers below 2**53.
    pixels
        f64[q]: how many pixels of the ring are included.
    """

    product: F64
    past: F64
    future: F64
    pixels: F64

    def g2(self, schedule: Schedule) -> F64:
        """Return g2: f64[lags, q]; 0 where the earlier or the later rows have no photon."""
        mean_squares = self.past * self.future
        counts = np.multiply.outer(schedule.pairs, self.pixels)
        g2: F64 = np.divide(self.product * counts, mean_squares, out=np.zeros_like(self.past), where=mean_squares > 0)
        return g2


def added(parts: Sequence[Sums]) -> Sums:
    """Return the sums over several parts of the detector together."""
    return Sums(
        product=np.sum([part.product for part in parts], axis=0),
        past=np.sum([part.past for part in parts], axis=0),
        future=np.sum([part.future for part in parts], axis=0),
        pixels=np.sum([part.pixels for part in parts], axis=0),
    )


def slots_of(levels: int) -> int:
    """Return how many sums are kept per pixel: 8 products, the first 7 and the last 7 rows per level, and the total."""
    return levels * (CHANNELS + 2 * (CHANNELS - 1)) + 1


def sums_of_slots(slots: F64, schedule: Schedule, pixels: F64) -> Sums:
    """Return the sums from f64[slots, q]: the slots of :func:`slots_of`, added over the pixels of each ring.

    The sum of a level is the sum of the next level plus the row without a partner. The earlier rows of the pairs of a
    lag are all rows but the last, the later rows are all rows but the first.
    """
    levels, past = len(schedule.rows), CHANNELS - 1
    products, heads, tails, total = np.split(slots, np.cumsum([levels * CHANNELS, levels * past, levels * past]))
    heads, tails = (ends.reshape(levels, past, -1).cumsum(axis=1) for ends in (heads, tails))
    earlier, later = (np.zeros((levels, CHANNELS, slots.shape[1])) for _ in range(2))
    total = total[0]
    for level in reversed(range(levels)):
        if level < levels - 1 and schedule.rows[level] % 2:
            total = total + tails[level, 0]
        earlier[level], later[level] = total, total
        earlier[level, 1:] -= tails[level]
        later[level, 1:] -= heads[level]
    at = schedule.level, schedule.channel
    return Sums(product=products.reshape(levels, CHANNELS, -1)[at], past=earlier[at], future=later[at], pixels=pixels)


def level_averages(g2: F64, schedule: Schedule) -> F64:
    """Return the values that a schedule measures of a correlation function that is known at every lag.

    Rows of ``m = 2**level`` frames measure its average over neighbouring lags, with weights that decrease from 1 at
    the lag to 0 at a distance of m frames.

    Parameters
    ----------
    g2
        f64[lags in frames, ...], from lag 0 on, at least up to the longest lag plus its m. It is even in the lag.
    """
    averages = np.empty((schedule.lags.size, *g2.shape[1:]))
    for index, (lag, level) in enumerate(zip(schedule.lags, schedule.level, strict=True)):
        m = 1 << int(level)
        offsets = np.arange(1 - m, m)
        weights = (m - np.abs(offsets)) / m**2
        averages[index] = np.tensordot(weights, g2[np.abs(lag + offsets)], axes=1)
    return averages
