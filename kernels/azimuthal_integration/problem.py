"""The inputs: generated frames with a known profile, or the frames of a file."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from daasbench.authoring import InputError, UsageError, Work
from daasbench.formats.stacks import open_stack, read_image

from . import geometry_files, powder
from .geometry import Geometry
from .options import MOST_BINS, AzimuthalOptions
from .pixels import PixelBins, RadialAxis, split, unsplit
from .powder import DUMMY
from .readers import to_counts

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The frames of one case, and the properties that they share.

    Attributes
    ----------
    blocks
        Each u32[frames, rows, columns] with 2**32 - 1 where there is no data, or f32 with NaN instead.
        One repeat integrates one block.
    mask
        bool[rows, columns]: pixels without data in any frame; they belong to no bin.
    truth
        f64[bins], the profile that generated frames were drawn from; None for a file.
    masked_pixels, lost_values
        Pixels in the mask; values without data outside the mask, over the blocks.
    """

    blocks: Sequence[Array]
    geometry: Geometry
    axis: RadialAxis
    mode: str
    sectors: int
    mask: Array
    truth: Array | None
    masked_pixels: int
    lost_values: int

    @functools.cached_property
    def solid_angle(self) -> Array:
        """Return the relative solid angle of the pixels: f64[rows, columns]."""
        return self.geometry.solid_angle()

    @functools.cached_property
    def pixel_bins(self) -> PixelBins:
        """Return the share of each pixel in each bin."""
        if self.mode == "split":
            return split(self.axis, self.geometry, self.mask)
        return unsplit(self.axis, self.geometry, self.mask, self.sectors)

    @property
    def exact(self) -> bool:
        """Return whether sums are integers and therefore must be exact."""
        return self.mode == "nosplit" and self.blocks[0].dtype == np.uint32

    @staticmethod
    def is_valid(counts: Any) -> Any:
        """Return which `counts` are data: not DUMMY, not NaN."""
        return (counts != DUMMY) if counts.dtype.kind == "u" else (counts == counts)


def survey(path: Path, options: AzimuthalOptions) -> Mapping[str, Any]:
    """Return the parameters of the file `path`: frames per block, rows, columns, frames in the file."""
    _check(options)
    with open_stack(path, options.dataset, shape=_expected_shape(options)) as stack:
        in_file, ny, nx = stack.shape
    if options.frame is not None and options.frame >= in_file:
        raise InputError(f"{path}: frame = {options.frame}: the file has frames 0 to {in_file - 1}")
    RadialAxis.of(geometry_of(options, (ny, nx), path), options)
    if options.mask is not None:
        read_image(Path(options.mask), (ny, nx), "mask")
    frames = 1 if options.frame is not None else min(in_file, options.frames)
    return {"frames": frames, "ny": ny, "nx": nx, "in_file": in_file}


def work(parameters: Mapping[str, Any], options: AzimuthalOptions) -> Work:
    """Return the minimum work of one block: each pixel read once, the map once per block, two sums per bin and frame.

    Splitting needs two products (c n and c² n) and three sums per pixel; the sums of its two bins follow from them.
    """
    _check(options)
    frames = float(parameters["frames"])
    pixels = float(parameters["ny"]) * float(parameters["nx"])
    bins = options.bins * options.azimuthal_bins
    split_ = options.mode == "split"
    shared = pixels * (6 if split_ else 2)  # bin number u16, share f32
    return Work(
        unit="frame",
        units=frames,
        flop=frames * pixels * (5 if split_ else 1),
        bytes=frames * pixels * 4 + shared,
        input_bytes=frames * pixels * 4,
        output_bytes=frames * bins * 24,
        shared_bytes=shared,
        flop_type="float64",
    )


def make(parameters: Mapping[str, Any], options: AzimuthalOptions, seed: int, blocks: int) -> Problem:
    """Return generated frames of a powder whose profile is known."""
    _check(options)
    if options.geometry or options.mask or options.frame is not None or options.dataset:
        raise UsageError("geometry, mask, dataset and frame describe a file, but no file is given; add --input FILE")
    geometry = powder.make_geometry(parameters)
    axis = RadialAxis.of(geometry, options)
    gaps, bad = powder.make_masks(geometry.shape, np.random.default_rng([seed]))
    mask, count = gaps | bad, int(parameters["frames"])
    centres = geometry.centres()
    tangent = np.hypot(centres.up, centres.sideways) / centres.beam
    sample = powder.Powder(extent=float(tangent.max()), width=float(parameters["ring_width"]))
    expected = sample.counts(tangent.astype(np.float32)) * geometry.solid_angle()
    frames = [powder.make_frames(expected, gaps, bad, count, [seed, block]) for block in range(blocks)]
    return Problem(
        blocks=frames,
        geometry=geometry,
        axis=axis,
        mode=options.mode,
        sectors=options.azimuthal_bins,
        mask=mask,
        truth=np.tile(sample.profile(axis, geometry), options.azimuthal_bins),
        masked_pixels=int(mask.sum()),
        lost_values=sum(int((block == DUMMY).sum()) - len(block) * int(gaps.sum()) for block in frames),
    )


def read(path: Path, parameters: Mapping[str, Any], options: AzimuthalOptions, blocks: int) -> Problem:
    """Return the frames of a file, block after block; fewer blocks if the file has fewer frames."""
    frames, in_file = int(parameters["frames"]), int(parameters["in_file"])
    shape = (int(parameters["ny"]), int(parameters["nx"]))
    geometry = geometry_of(options, shape, path)
    first = options.frame or 0
    count = 1 if options.frame is not None else min(blocks, in_file // frames)
    with open_stack(path, options.dataset, shape=shape) as stack:
        chunks = [to_counts(stack.read(first + i * frames, frames), options.dummy, path) for i in range(count)]
    masked = np.zeros(shape, bool) if options.mask is None else read_image(Path(options.mask), shape, "mask") != 0
    valid_frames = sum(Problem.is_valid(chunk).sum(axis=0) for chunk in chunks)
    mask = masked | (valid_frames == 0)
    if mask.all():
        raise InputError(
            f"{path}: no pixel outside the mask has data in any of {count * frames} frames; check the mask; values do "
            "not count as data if they are negative, not finite, equal to dummy, or the largest of an integer type"
        )
    return Problem(
        blocks=chunks,
        geometry=geometry,
        axis=RadialAxis.of(geometry, options),
        mode=options.mode,
        sectors=options.azimuthal_bins,
        mask=mask,
        truth=None,
        masked_pixels=int(mask.sum()),
        lost_values=int((count * frames - valid_frames[~mask]).sum()),
    )


def geometry_of(options: AzimuthalOptions, shape: tuple[int, int], path: Path) -> Geometry:
    """Return the geometry that `options` name, for frames of `shape` from the file `path`."""
    if options.geometry is None:
        raise InputError(
            f"{path}: its geometry is not known; give a .poni, goniometer JSON or HEXRD JSON file: --set geometry=FILE"
        )
    geometry = geometry_files.read_geometry(Path(options.geometry), shape, options.position, path)
    if geometry.wavelength_m is None and options.unit.startswith("q"):
        raise InputError(
            f"{options.geometry}: has no wavelength, which unit = {options.unit!r} needs; add it, or use unit=2th_deg"
        )
    return geometry


def _expected_shape(options: AzimuthalOptions) -> tuple[int, int] | None:
    return None if options.geometry is None else geometry_files.declared_shape(Path(options.geometry))


def _check(options: AzimuthalOptions) -> None:
    """Raise UsageError where two options contradict each other."""
    if options.mode == "split" and options.azimuthal_bins > 1:
        raise UsageError("azimuthal_bins: azimuthal sectors need mode = 'nosplit'; set mode=nosplit")
    if options.bins * options.azimuthal_bins > MOST_BINS:
        raise UsageError(
            f"bins: {options.bins} x {options.azimuthal_bins} bins are too many; at most {MOST_BINS} are possible"
        )
    low, high = options.radial_min, options.radial_max
    if low is not None and high is not None and not low < high:
        raise UsageError(f"radial_min: {low} is not below radial_max = {high}")
