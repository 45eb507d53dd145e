"""The inputs: generated frames with known sums, or those of a file, packed in an HDF5 file."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError, Work
from daasbench.formats.chunks import FileImage, image_bytes, make_image, new_image
from daasbench.formats.packed_files import open_packed

from . import powder
from .definition import frames_of, sums_of
from .geometry import Geometry
from .headers import geometry_of
from .options import PipelineOptions

U64 = NDArray[np.uint64]

PACKED = 0.26  # share of the unpacked bytes that generated frames need, with a small margin


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The frames of one case, and the properties that they share.

    Attributes
    ----------
    blocks
        File images of u32 frames, 2**32 - 1 where there is no data; one repeat integrates one image.
    mask
        bool[rows, columns]: pixels that belong to no bin.
    truth
        By block u64[frames, bins]: the sums of the generated frames, added before they were packed; None for a file.
    """

    blocks: Sequence[FileImage]
    geometry: Geometry
    bins: int
    mask: NDArray[np.bool_]
    truth: Sequence[U64] | None

    @functools.cached_property
    def bin_of_pixel(self) -> NDArray[np.uint16]:
        """Return u16[pixels]: the bin of each pixel; `bins` if it is in no bin."""
        return self.geometry.bin_of_pixel(self.bins, self.mask)

    @functools.cached_property
    def solid_angle(self) -> NDArray[np.float64]:
        """Return the solid angle of each pixel, relative to a pixel in the beam: f64[pixels]."""
        return self.geometry.solid_angle()

    @functools.cached_property
    def norm(self) -> NDArray[np.float64]:
        """Return f64[bins]: the solid angle of the unmasked pixels of each bin."""
        sums = np.bincount(self.bin_of_pixel, weights=self.solid_angle, minlength=self.bins + 1)
        return sums[: self.bins].astype(np.float64)

    @property
    def q(self) -> NDArray[np.float64]:
        """Return f64[bins]: the centres of the bins, 1/nm."""
        edges = self.geometry.edges(self.bins)
        return (edges[1:] + edges[:-1]) / 2


def survey(path: Path, options: PipelineOptions) -> Mapping[str, Any]:
    """Return the parameters of a file: frames per block, rows, columns, and the packed bytes per block."""
    with open_packed(path, options.dataset) as stack:
        if stack.dtype != np.uint32:
            raise InputError(f"{path}: frames are {stack.dtype}; they must be uint32, as detectors write them")
        geometry_of(path, stack.shape, options)
        frames = min(stack.frames, options.frames)
        starts = range(0, stack.frames // frames * frames, frames)
        largest = max(int(stack.sizes[start : start + frames].sum()) for start in starts)
        ny, nx = stack.shape
        total = image_bytes(largest, frames)
        return {"frames": frames, "ny": ny, "nx": nx, "in_file": stack.frames, "image_bytes": total}


def work(parameters: Mapping[str, Any], options: PipelineOptions) -> Work:
    """Return the minimum work of one block: each packed byte is read once, the map once, each pixel added once."""
    frames, pixels = float(parameters["frames"]), float(parameters["ny"] * parameters["nx"])
    packed = float(_image_bytes(parameters))
    return Work(
        unit="frame",
        units=frames,
        flop=frames * pixels,
        bytes=packed + 2 * pixels,
        input_bytes=packed,
        output_bytes=frames * options.bins * 32,
        shared_bytes=2 * pixels,
    )


def _image_bytes(parameters: Mapping[str, Any]) -> int:
    """Return the size in bytes of the file image of a block; it is the same for all blocks of a case."""
    if "image_bytes" in parameters:
        return int(parameters["image_bytes"])
    frames = int(parameters["frames"])
    return image_bytes(int(PACKED * 4 * frames * parameters["ny"] * parameters["nx"]), frames)


def make(parameters: Mapping[str, Any], options: PipelineOptions, seed: int, blocks: int) -> Problem:
    """Return generated frames, packed by hdf5plugin."""
    frames, ny, nx = (int(parameters[key]) for key in ("frames", "ny", "nx"))
    geometry = powder.make_geometry(ny, nx, float(parameters["pixel_m"]))
    gaps, bad = powder.make_mask(geometry.shape, np.random.default_rng([seed]))
    mean = powder.expected_counts(geometry)
    bin_of_pixel = geometry.bin_of_pixel(options.bins, gaps | bad)
    images, truth = [], []
    for block in range(blocks):
        sums = np.zeros((frames, options.bins), np.uint64)
        seeds = [[seed, block, frame] for frame in range(frames)]
        with new_image(frames, geometry.shape, np.uint32, frames * 4 * ny * nx) as (dataset, finish):
            for index, frame in enumerate(powder.make_frames(mean, gaps, bad, seeds)):
                dataset[index] = frame
                sums[index] = sums_of(frame, bin_of_pixel, options.bins)
        truth.append(sums)
        images.append(finish(_image_bytes(parameters)))
    return Problem(blocks=images, geometry=geometry, bins=options.bins, mask=gaps | bad, truth=truth)


def read(path: Path, parameters: Mapping[str, Any], options: PipelineOptions, blocks: int) -> Problem:
    """Return the frames of a file, block after block; fewer blocks if the file has fewer frames."""
    frames, in_file = int(parameters["frames"]), int(parameters["in_file"])
    count = min(blocks, in_file // frames)
    with open_packed(path, options.dataset) as stack:
        images = [
            make_image(
                [stack.chunk(block * frames + i) for i in range(frames)],
                stack.shape,
                stack.dtype,
                _image_bytes(parameters),
            )
            for block in range(count)
        ]
        geometry = geometry_of(path, stack.shape, options)
    mask = np.ones(geometry.shape, bool)
    for image in images:
        for frame in frames_of(image, str(path)):
            mask &= frame == powder.NO_DATA
    if mask.all():
        raise InputError(
            f"{path}: no pixel has data in any of {count * frames} frames; the value 2^32 - 1 means no data"
        )
    return Problem(blocks=images, geometry=geometry, bins=options.bins, mask=mask, truth=None)
