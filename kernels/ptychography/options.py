"""Options of the kernel `ptychography`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from daasbench.authoring import OF_INPUT, Options

Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class PtychographyOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `ptychography`; those from `dataset` on describe an ``--input`` file.

    Attributes
    ----------
    iterations
        Iterations of the difference map; None: the value of the size, 60 for a file.
    finish
        Iterations of alternating projections after them; None: the value of the size, 40 for a file.
    scan
        Pattern of generated positions: rows with jitter, or a Fermat spiral.
    photons
        Photons in the mean frame of a generated scan; None: 64 per pixel.
    dataset, translations, probe
        Paths inside an HDF5 file of the frames [frame, row, column], the positions and a first guess of the probe.
        None: found by the CXI and ptypy conventions, the frames first by the NeXus default; a missing probe is made
        from the frames.
    pixel_nm
        Size of a pixel of the object. None: from wavelength, distance and detector pixel in the file. Not for
        positions that are already in pixels (npz).
    orientation
        Orientation of the axes of the positions relative to those of the frames: any of ``s`` (swapped), ``y`` and
        ``x`` (reversed), applied in this order.
    centre
        Row and column of the beam on the detector, ``"row,column"``; None: the centre of mass of the mean frame.
    pixels
        Rows and columns cut out around the centre, a power of two from 16 to 1024; None: the largest that fits.
    frames
        Frames to use, ``"first:last"`` with `last` excluded; None: all.
    """

    iterations: Count | None = None
    finish: Count | None = None
    scan: Literal["raster", "spiral"] = "raster"
    photons: Annotated[float, msgspec.Meta(gt=0)] | None = None
    dataset: Annotated[str | None, OF_INPUT] = None
    translations: Annotated[str | None, OF_INPUT] = None
    probe: Annotated[str | None, OF_INPUT] = None
    pixel_nm: Annotated[Annotated[float, msgspec.Meta(gt=0)] | None, OF_INPUT] = None
    orientation: Annotated[Annotated[str, msgspec.Meta(pattern=r"^s?y?x?$")], OF_INPUT] = ""
    centre: Annotated[
        Annotated[str, msgspec.Meta(pattern=r"^\d+(\.\d+)?,\d+(\.\d+)?$", description='the beam as "row,column"')]
        | None,
        OF_INPUT,
    ] = None
    pixels: Annotated[Literal[16, 32, 64, 128, 256, 512, 1024] | None, OF_INPUT] = None
    frames: Annotated[
        Annotated[str, msgspec.Meta(pattern=r"^\d+:\d+$", description='frames as "first:last"')] | None, OF_INPUT
    ] = None
