"""Multi-tau: which lags there are, what is summed for each, and how the sums become g2.

Level 0 holds the frames, and every level after it the sums of successive pairs of rows of the level before; a
last row without a partner is left out. Level 0 has the lags 0 to 7 rows, every other level 4 to 7 rows of
``2**level`` frames. That is the convention of scikit-beam's `multi_tau_auto_corr` with 8 buffers (Lumma et al.
2000), which averages the pairs instead of summing them: the factor falls out of g2.
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
        i64[lags]: the level of each lag, and how many rows of it the lag is.
    """

    rows: tuple[int, ...]
    level: NDArray[np.int64]
    channel: NDArray[np.int64]

    @classmethod
    def of(cls, frames: int, levels: int | None = None) -> Schedule:
        """Return the lags of `frames` frames, on at most `levels` levels: all for which there is at least one pair."""
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
    """What pixels add up to, ring by ring: of some pixels, or of all.

    Attributes
    ----------
    product, past, future
        f64[lags, q]: over all pairs of rows a lag apart and over the pixels of the ring, the sum of the product of
        the two, of the earlier and of the later one. Counts; integers as long as they are below 2**53.
    pixels
        f64[q]: how many pixels of the ring are in it.
    """

    product: F64
    past: F64
    future: F64
    pixels: F64

    def g2(self, schedule: Schedule) -> F64:
        """Return g2: f64[lags, q]; 0 where no photon fell into the earlier or the later rows."""
        mean_squares = self.past * self.future
        counts = np.multiply.outer(schedule.pairs, self.pixels)
        g2: F64 = np.divide(self.product * counts, mean_squares, out=np.zeros_like(self.past), where=mean_squares > 0)
        return g2


def added(parts: Sequence[Sums]) -> Sums:
    """Return the sums of several parts of the detector as those of all of them."""
    return Sums(
        product=np.sum([part.product for part in parts], axis=0),
        past=np.sum([part.past for part in parts], axis=0),
        future=np.sum([part.future for part in parts], axis=0),
        pixels=np.sum([part.pixels for part in parts], axis=0),
    )


def slots_of(levels: int) -> int:
    """Return how many sums of a pixel are kept: 8 products, the first 7 and the last 7 rows of each level, and all."""
    return levels * (CHANNELS + 2 * (CHANNELS - 1)) + 1


def sums_of_slots(slots: F64, schedule: Schedule, pixels: F64) -> Sums:
    """Return the sums of f64[slots, q]: what :func:`slots_of` says, added over the pixels of each ring.

    A level is the sum of the next one and of the row that had no partner. The earlier rows of the pairs of a lag are
    all rows but the last ones, the later rows all but the first ones.
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
    """Return what the lags of a schedule show of a correlation that is known at every lag.

    Rows of ``m = 2**level`` frames see it averaged over the lags around theirs, with weights that fall from 1 at the
    lag to 0 at m frames from it.

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
