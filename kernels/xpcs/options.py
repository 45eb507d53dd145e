"""What a person may choose about a correlation."""

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
        How many levels of multi-tau at most; default: all on which there is at least one pair. 1: the lags 0 to 7.
    rings
        Number of rings, of equal width, where no map tells the rings by their numbers.
    dataset
        Path of the frames inside the HDF5 file; default: NeXus default, a DECTRIS series, or
        the only stack of frames.
    first, frames
        The series begins with the frame `first`, counted from 0, and has `frames` of them; default: all. What then
        follows in the file makes further blocks.
    qmap
        File with an image of the detector's shape that says which ring a pixel belongs to: integers (0 and negative
        ones: to none), or q itself (0, negative or not finite: none), which is cut into `rings` rings. HDF5, .npy, or
        any image that fabio reads. Default: rings about `centre`.
    mask
        Such a file; pixels that are not 0 in it are left out.
    qmap_dataset, mask_dataset
        Path inside an HDF5 file of a map or mask; default: NeXus default, or the only image of
        the frames' shape.
    centre
        Where the beam hits the detector, ``"row,column"``, in pixels; the middle of the first pixel is 0,0. Default:
        the middle of the frames.
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
