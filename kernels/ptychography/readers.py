"""Read a scan: frames cut out around the beam, positions in whole pixels, and a first guess of the probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError

from .definition import object_shape
from .options import PtychographyOptions
from .scans import Scan, open_scan

C64 = NDArray[np.complex64]
Corners = NDArray[np.int32]

_ITERATIONS, _FINISH = 60, 40
_LEAST, _MOST = 16, 1024  # pixels
_SEEN = 64  # frames from which the centre of the beam is found
_SPOT = 0.15  # radius of an unknown beam, in units of n
_LARGEST = 1 << 14  # rows or columns of an object: for larger objects, the positions are probably in another unit


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A scan from a file: `counts` f32[frames, n, n] (negative where not measured: `masked` pixels), and the rest."""

    counts: Any
    corners: Corners
    probe: C64
    masked: int


def survey(path: Path, options: PtychographyOptions) -> Mapping[str, Any]:
    """Return the numbers of frames, pixels and iterations, and the object's rows and columns."""
    with open_scan(path, options) as scan:
        frames, pixels = _frame_range(scan, options), _pixels(scan, options)
        rows, columns = object_shape(_corners(scan, options, frames, pixels), pixels)
        return {
            "frames": frames.stop - frames.start,
            "pixels": pixels,
            "iterations": _ITERATIONS,
            "finish": _FINISH,
            "rows": rows,
            "columns": columns,
        }


def read(path: Path, options: PtychographyOptions) -> Measured:
    """Return the scan of a file."""
    with open_scan(path, options) as scan:
        frames, pixels = _frame_range(scan, options), _pixels(scan, options)
        rows, columns, shifted = _window(scan, options, frames, pixels)
        raw = scan.read(frames.start, frames.stop, rows, columns)
        bad = _unmeasured(raw) | _mask(scan, rows, columns)
        counts = np.where(bad, -1, raw).astype(np.float32)
        if shifted:
            counts = np.fft.fftshift(counts, axes=(1, 2))
        light = np.maximum(counts, 0)
        if not light.any():
            raise InputError(f"{path}: the frames have no counts within {pixels} pixels of the beam; check centre")
        return Measured(
            counts=counts,
            corners=_corners(scan, options, frames, pixels),
            probe=_first_probe(scan, pixels, light),
            masked=int((counts < 0).sum()),
        )


def _frame_range(scan: Scan, options: PtychographyOptions) -> slice:
    first, last = (int(part) for part in options.frames.split(":")) if options.frames else (0, scan.count)
    if not first < last <= scan.count:
        raise InputError(
            f"{scan.path}: frames {options.frames or 'all'} is not a valid range; write first:last with "
            f"first < last <= {scan.count}"
        )
    return slice(first, last)


def _pixels(scan: Scan, options: PtychographyOptions) -> int:
    least = min(scan.detector)
    pixels = options.pixels or min(_MOST, 1 << (least.bit_length() - 1))
    if not _LEAST <= pixels <= least:
        raise InputError(
            f"{scan.path}: {pixels} pixels cannot be cut out of frames of {scan.detector[0]} x {scan.detector[1]}; "
            f"choose a power of two from {_LEAST} to {least}"
        )
    return pixels


def _unmeasured(raw: Any) -> Any:
    """Return which samples are not counts: not finite, negative, or the largest number of an integer type."""
    if raw.dtype.kind == "f":
        return ~(raw >= 0) | ~np.isfinite(raw)
    bad = raw < 0
    if raw.dtype.itemsize > 1:
        bad |= raw == np.iinfo(raw.dtype).max
    return bad


def _mask(scan: Scan, rows: slice, columns: slice) -> Any:
    if scan.mask is None:
        return False
    mask = scan.mask.reshape(-1, *scan.mask.shape[-2:])[0]
    if mask.shape != scan.detector:
        raise InputError(
            f"{scan.path}: the mask has the shape {list(mask.shape)}, a frame {list(scan.detector)}; they must agree"
        )
    return mask[rows, columns]


def _window(scan: Scan, options: PtychographyOptions, frames: slice, pixels: int) -> tuple[slice, slice, bool]:
    """Return rows and columns around the beam, and whether the beam is in the corners (then nothing is cut)."""
    height, width = scan.detector
    if options.centre is not None:
        centre = [float(part) for part in options.centre.split(",")]
    else:
        last = min(frames.stop, frames.start + _SEEN)
        some = scan.read(frames.start, last, slice(None), slice(None))
        mean = np.where(_unmeasured(some) | _mask(scan, slice(None), slice(None)), 0, some).mean(
            axis=0, dtype=np.float64
        )
        if _in_the_corners(mean):
            if (height, width) != (pixels, pixels):
                raise InputError(
                    f"{scan.path}: the beam is in the corners of frames of {height} x {width}; only whole square "
                    "frames whose size is a power of two can be shifted; if the beam is not in the corners: --set "
                    "centre=ROW,COLUMN"
                )
            return slice(None), slice(None), True
        total = mean.sum() or 1.0
        centre = [float((mean.sum(axis=1 - axis) * np.arange(mean.shape[axis])).sum() / total) for axis in (0, 1)]
    firsts = [round(middle) - pixels // 2 for middle in centre]
    if options.centre is None:  # a halo may shift the centre of mass; if the window cannot be moved, the middle is used
        firsts = [min(max(first, 0), size - pixels) for first, size in zip(firsts, scan.detector, strict=True)]
    if any(not 0 <= first <= size - pixels for first, size in zip(firsts, scan.detector, strict=True)):
        raise InputError(
            f"{scan.path}: {pixels} pixels around the beam at {centre[0]:.1f}, {centre[1]:.1f} extend beyond frames of "
            f"{height} x {width}; choose fewer with --set pixels=N"
        )
    return slice(firsts[0], firsts[0] + pixels), slice(firsts[1], firsts[1] + pixels), False


def _in_the_corners(mean: Any) -> bool:
    """Return whether a mean frame is in the order of the Fourier transform, with frequency 0 first."""
    height, width = mean.shape
    y, x = (np.minimum(np.arange(size), size - np.arange(size)) < size / 4 for size in (height, width))
    corners = mean[np.ix_(y, x)].sum()
    middle = mean[np.ix_(~y, ~x)].sum()
    return bool(corners > middle)


def _corners(scan: Scan, options: PtychographyOptions, frames: slice, pixels: int) -> Corners:
    """Return i32[frames, 2]: positions in whole pixels, from 0 on, in the orientation of the options."""
    size = 1e-9 * options.pixel_nm if options.pixel_nm else scan.pitch / pixels if scan.pitch else 1.0
    if options.pixel_nm and scan.path.name.endswith((".npz", ".npz.bz2")):
        size = 1.0
    places = scan.places[frames] / size
    if "s" in options.orientation:
        places = places[:, ::-1]
    places = places * [-1 if axis in options.orientation else 1 for axis in "yx"]
    places = places - places.min(axis=0)
    if places.max() + pixels > _LARGEST:
        raise InputError(
            f"{scan.path}: positions extend over {places.max():.3g} pixels of {size:.3g}; the object can have at most "
            f"{_LARGEST} pixels: check the unit of the positions, or set the pixel with --set pixel_nm=SIZE"
        )
    corners: Corners = np.round(places).astype(np.int32)
    return corners


def _first_probe(scan: Scan, pixels: int, light: Any) -> C64:
    """Return the first guess of the probe, with the power of the mean frame."""
    if scan.probe is not None:
        if scan.probe.shape != (pixels, pixels):
            raise InputError(
                f"{scan.path}: the probe is {list(scan.probe.shape)}, frames are cut to {pixels} x {pixels}; ignore "
                "the "
                f'probe with --set probe="", or use --set pixels={scan.probe.shape[0]}'
            )
        wave = scan.probe
    else:  # the mean frame's amplitude, out of focus
        k = np.arange(pixels) - pixels // 2
        mean = np.sqrt(light.mean(axis=0, dtype=np.float64))
        reach = np.sqrt((mean**2 * (k[:, None] ** 2 + k**2)).sum() / (mean**2).sum())
        curvature = np.pi * _SPOT / max(reach, 1.0) / np.sqrt(2)
        wave = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(mean * np.exp(1j * curvature * (k[:, None] ** 2 + k**2)))))
    power = light.sum(axis=(1, 2), dtype=np.float64).mean() / np.sum(np.abs(wave) ** 2)
    if not 0 < power < np.inf:
        raise InputError(f"{scan.path}: the probe is empty or not finite; it must be a wave of {pixels} x {pixels}")
    probe: C64 = (wave * np.sqrt(power)).astype(np.complex64)
    return probe
