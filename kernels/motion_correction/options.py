"""Options of the alignment of a movie."""

from __future__ import annotations

from typing import Annotated

import msgspec

from daasbench.authoring import OF_INPUT, Options


class MotionOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `motion_correction`; all but the first three describe an ``--input`` file.

    Attributes
    ----------
    bfactor
        B of the weight exp(-2 B k²) of a cross-correlation, in pixels squared; k in cycles per pixel.
    band
        Highest frequency used for the alignment, in cycles per pixel: 1/8 crops 2048 pixels to 512.
    iterations
        Largest number of iterations; each makes the reference anew.
    first, frames
        First frame used, and number of frames; None: all to the end.
    """

    bfactor: Annotated[float, msgspec.Meta(ge=0)] = 150.0
    band: Annotated[float, msgspec.Meta(gt=0, le=0.5)] = 0.125
    iterations: Annotated[int, msgspec.Meta(ge=1)] = 5
    first: Annotated[Annotated[int, msgspec.Meta(ge=0)], OF_INPUT] = 0
    frames: Annotated[Annotated[int, msgspec.Meta(ge=3)] | None, OF_INPUT] = None
