"""Options of the kernel `xpcs`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from daasbench.authoring import OF_INPUT, FilePath, Options

Positive = Annotated[int, msgspec.Meta(ge=1)]
Place = Annotated[str, msgspec.Meta(pattern=r"^[+-]?[0-9.]+,[+-]?[0-9.]+$", description='a pixel as "row,column"')]


class XpcsOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `xpcs`; all but `levels` and `rings` describe an ``--input`` file.

    Attributes
    ----------
    levels
        The most levels of multi-tau; default: all that have at least one pair. 1: the lags 0 to 7.
    rings
        Number of rings of equal width, if no map gives the numbers of the rings.
    dataset
        Path of the frames inside the HDF5 file; default: NeXus default, a DECTRIS series, or
        the only stack of frames.
    first, frames
        The series begins with the frame `first`, counted from 0, and has `frames` frames; default: all. The following
        frames of the file are further blocks.
    qmap
        File with an image of the detector's shape that gives the ring of each pixel: integers (0 and negative: no
        ring), or q itself (0, negative or not finite: no ring), which is divided into `rings` rings. HDF5, .npy, or
        any image that fabio reads. Default: rings around `centre`.
    mask
        Such a file; pixels that are not 0 in it are excluded.
    qmap_dataset, mask_dataset
        Path inside an HDF5 file of a map or mask; default: NeXus default, or the only image of
        the frames' shape.
    centre
        Position of the beam on the detector, ``"row,column"``, in pixels; the centre of the first pixel is 0,0.
        Default: the centre of the frames.
    """

    levels: Positive | None = None
    rings: Positive = 8
    dataset: Annotated[str | None, OF_INPUT] = None
    first: Annotated[Annotated[int, msgspec.Meta(ge=0)], OF_INPUT] = 0
    frames: Annotated[Positive | None, OF_INPUT] = None
    qmap: Annotated[FilePath | None, OF_INPUT] = None
    qmap_dataset: Annotated[str | None, OF_INPUT] = None
    mask: Annotated[FilePath | None, OF_INPUT] = None
    mask_dataset: Annotated[str | None, OF_INPUT] = None
    centre: Annotated[Place | None, OF_INPUT] = None
