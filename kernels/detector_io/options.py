"""Options of reading and writing detector files."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from daasbench.authoring import OF_INPUT, Options


class DetectorOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `detector_io`.

    Attributes
    ----------
    direction
        ``read``: a file becomes frames. ``write``: frames become a file.
    dataset
        Path of the frames inside the HDF5 file; default: NeXus default, a DECTRIS series, or
        the only stack of frames.
    frames
        With ``--input``: the largest number of frames per repeat.
    """

    direction: Literal["read", "write"] = "read"
    dataset: Annotated[str | None, OF_INPUT] = None
    frames: Annotated[Annotated[int, msgspec.Meta(ge=1)], OF_INPUT] = 16
