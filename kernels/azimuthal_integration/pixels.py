"""The share of each pixel in each bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import UsageError

if TYPE_CHECKING:
    from .geometry import Geometry
    from .options import AzimuthalOptions, Unit

    Array = np.ndarray[Any, np.dtype[Any]]

BAND_ROWS = 32  # number of rows: their corners and temporaries fit into the cache


@dataclass(frozen=True, kw_only=True)
class RadialAxis:
    """`bins` equal bins from `low` to `high` in `unit`; the last bin includes its upper end."""

    unit: Unit
    bins: int
    low: float
    high: float

    def in_bins(self, radial: Array) -> Array:
        """Return a radial coordinate in units of bins: 0 at `low`, `bins` at `high`."""
        return (radial - self.low) / ((self.high - self.low) / self.bins)

    def centres(self) -> Array:
        """Return the centres of the bins: f64[bins], in `unit`."""
        edges = np.linspace(self.low, self.high, self.bins + 1)
        return (edges[1:] + edges[:-1]) / 2

    @classmethod
    def of(cls, geometry: Geometry, options: AzimuthalOptions) -> RadialAxis:
        """Return the axis of `options`; by default from the innermost to the outermost point."""
        innermost, outermost = geometry.extremes(options.unit)
        low = innermost if options.radial_min is None else options.radial_min
        high = outermost if options.radial_max is None else options.radial_max
        if not low < high or high <= innermost or low >= outermost:
            raise UsageError(
                f"radial range: {low:g} to {high:g} {options.unit} has no pixel in it; the detector reaches from "
                f"{innermost:g} to {outermost:g}: set radial_min and radial_max within this range"
            )
        return cls(unit=options.unit, bins=options.bins, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class PixelBins:
    """For every pixel, in detector order, the neighbouring bins that it overlaps and its share in each.

    Attributes
    ----------
    bins
        Number of bins; `first` is equal to it if a pixel belongs to no bin (masked, out of range).
    first
        u16[pixels], the first bin that the pixel overlaps; it overlaps ``first .. first + count - 1``.
    count
        u16[pixels].
    share
        f64[sum of count], pixel by pixel; the shares of a pixel sum to 1.
    """

    bins: int
    first: Array
    count: Array
    share: Array

    def entries(self) -> tuple[Array, Array, Array]:
        """Return ``pixel, bin, share``: one entry for each pair of a pixel and a bin that it overlaps."""
        count = self.count.astype(np.int64)
        pixel = np.repeat(np.arange(count.size), count)
        start = np.cumsum(count) - count
        step = np.arange(pixel.size) - start[pixel]
        return pixel, self.first[pixel] + step, self.share

    def norm(self, weights: Array) -> Array:
        """Return ``Σ_p c_pb w_p``: f64[bins]."""
        pixel, bin_, share = self.entries()
        return np.bincount(bin_, weights=share * weights[pixel], minlength=self.bins)


@dataclass(frozen=True, kw_only=True)
class TwoBins:
    """The same shares, compact, for fast loops: most pixels overlap one or two bins; the others are in a list.

    Attributes
    ----------
    first
        u16[pixels], the first bin; the number of bins if the pixel is in no bin or in the list.
    weight
        f32[pixels], the share in that bin; the remainder belongs to the next bin.
    wide_pixel, wide_first, wide_begin, wide_share
        The list: u32 pixel (ascending), u16 first bin, i64 start of its shares (one more than pixels), f32 shares.
    """

    first: Array
    weight: Array
    wide_pixel: Array
    wide_first: Array
    wide_begin: Array
    wide_share: Array

    @classmethod
    def of(cls, table: PixelBins) -> TwoBins:
        """Return the compact form of `table`."""
        start = np.cumsum(table.count, dtype=np.int64) - table.count
        narrow = (table.count == 1) | (table.count == 2)
        weight = np.zeros(table.count.size, np.float32)
        weight[narrow] = table.share[start[narrow]]
        wide = np.flatnonzero(table.count > 2)
        count = table.count[wide].astype(np.int64)
        begin = np.cumsum(np.append(0, count))
        entry = np.repeat(start[wide] - begin[:-1], count) + np.arange(begin[-1])
        return cls(
            first=np.where(narrow, table.first, table.bins).astype(np.uint16),
            weight=weight,
            wide_pixel=wide.astype(np.uint32),
            wide_first=table.first[wide],
            wide_begin=begin,
            wide_share=table.share[entry].astype(np.float32),
        )


def unsplit(axis: RadialAxis, geometry: Geometry, mask: Array, sectors: int = 1) -> PixelBins:
    """Return the bin of each pixel's centre; with `sectors`, bin + axis.bins * sector of its azimuth."""
    at = geometry.centres()
    radial = axis.in_bins(at.radial(axis.unit)).ravel()
    inside = (radial >= 0) & (radial < axis.bins) & ~mask.ravel()
    number = np.floor(np.where(inside, radial, 0.0)).astype(np.int64)
    if sectors > 1:
        sector = (at.azimuth().ravel() / (2 * np.pi) + 0.5) * sectors
        number += axis.bins * np.minimum(sector.astype(np.int64), sectors - 1)
    bins = axis.bins * sectors
    return PixelBins(
        bins=bins,
        first=np.where(inside, number, bins).astype(np.uint16),
        count=inside.astype(np.uint16),
        share=np.ones(int(inside.sum())),
    )


def split(axis: RadialAxis, geometry: Geometry, mask: Array) -> PixelBins:
    """Return the share of each pixel's area in each bin, where a pixel is a quadrangle in (radius, azimuth).

    This is the "full" splitting of pyFAI; a pixel that is partly outside the range belongs wholly to the bins inside.
    """
    corners = geometry.corners()
    radial, azimuth = axis.in_bins(corners.radial(axis.unit)), corners.azimuth()
    bands = [
        _split_band(
            radial[top : top + BAND_ROWS + 1], azimuth[top : top + BAND_ROWS + 1], mask[top:][:BAND_ROWS], axis.bins
        )
        for top in range(0, mask.shape[0], BAND_ROWS)
    ]
    first, count, share = (np.concatenate(parts) for parts in zip(*bands, strict=True))
    return PixelBins(bins=axis.bins, first=first, count=count, share=share)


def _split_band(radial: Array, azimuth: Array, mask: Array, bins: int) -> tuple[Array, Array, Array]:
    """Return `first`, `count` and `share` of the pixels between the rows of corners `radial`, `azimuth`."""
    r = _around(radial)
    a = _around(azimuth)
    a -= a[0].copy()
    a -= 2 * np.pi * np.rint(a / (2 * np.pi))  # relative to the first corner: no jump at ±π
    low, high = np.floor(r.min(axis=0)), np.floor(r.max(axis=0))
    outside = mask.ravel() | (high < 0) | (low >= bins)
    low, high = np.clip(low, 0, bins - 1), np.clip(high, 0, bins - 1)
    count = np.where(outside, 0, high - low + 1).astype(np.int64)
    end = np.cumsum(count)
    share = np.ones(int(end[-1]))
    several = np.flatnonzero(count > 1)
    below = _area_below(r[:, several], a[:, several], low[several])  # 0, except where the range cuts the pixel
    total = _area_below(r[:, several], a[:, several], high[several] + 1) - below
    for step in range(int(count.max(initial=0))):
        upto = _area_below(r[:, several], a[:, several], low[several] + step + 1)
        share[end[several] - count[several] + step] = (upto - below) / total
        keep = count[several] > step + 1
        several, below, total = several[keep], upto[keep], total[keep]
    _share_pole(share, count, end)
    return np.where(outside, bins, low).astype(np.uint16), count.astype(np.uint16), share


def _around(grid: Array) -> Array:
    """Return the four corners of each pixel, in order around it: [4, pixels]."""
    return np.stack([grid[:-1, :-1].ravel(), grid[1:, :-1].ravel(), grid[1:, 1:].ravel(), grid[:-1, 1:].ravel()])


def _area_below(r: Array, a: Array, limit: Array) -> Array:
    """Return the signed area of each polygon where its radius is below `limit`: the integral of a dr around it."""
    area = np.zeros(limit.shape)
    for i in range(4):
        r0, r1, a0, a1 = r[i], r[(i + 1) % 4], a[i], a[(i + 1) % 4]
        start, stop = np.minimum(r0, limit), np.minimum(r1, limit)
        run = r1 - r0
        slope = (a1 - a0) / np.where(run == 0, 1.0, run)
        area += (stop - start) * (a0 + slope * ((start + stop) / 2 - r0))
    return area


def _share_pole(share: Array, count: Array, end: Array) -> None:
    """Divide the pixel around the beam, whose azimuth covers the whole circle, equally between its bins."""
    wrong = np.flatnonzero(~((share >= -1e-9) & (share <= 1 + 1e-9)))
    for pixel in np.unique(np.searchsorted(end, wrong, side="right")):
        share[end[pixel] - count[pixel] : end[pixel]] = 1 / count[pixel]
