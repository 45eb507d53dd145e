"""What a person may choose about finding spots."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from daasbench.authoring import OF_INPUT, FilePath, Options

Sigmas = Annotated[float, msgspec.Meta(ge=0, le=1000)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]


class SpotOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `spot_finding`.

    Attributes
    ----------
    method
        ``dispersion``: a pixel is strong where it stands out of a 7 x 7 window that is more dispersed than Poisson
        noise, as in DIALS; ``threshold``: where it has more counts than `threshold`, as in HEXRD.
    nsig_b, nsig_s
        By how many standard deviations the window's dispersion, and the pixel, must stand out.
    min_count
        Fewest counted pixels in the window.
    threshold
        A strong pixel has more counts than this.
    min_pixels, max_pixels
        Fewest and most strong pixels of a spot. DIALS takes 3 as the fewest for photon-counting detectors.
    dataset
        Path of the frames inside the HDF5 file; default: NeXus default, a DECTRIS series, or
        the only stack of frames.
    mask
        Image file with the detector's shape; pixels that are not 0 in it are left out. Negative values, not finite
        ones, and for unsigned integers the largest value of their type, are no data anyway.
    first
        First frame of the file to take, counted from 0.
    frames
        With ``--input``: how many frames one repeat searches, at most.
    """

    method: Literal["dispersion", "threshold"] = "dispersion"
    nsig_b: Sigmas = 6.0
    nsig_s: Sigmas = 3.0
    min_count: Annotated[int, msgspec.Meta(ge=2, le=49)] = 2
    threshold: Natural = 0
    min_pixels: Positive = 3
    max_pixels: Positive = 1000
    dataset: Annotated[str | None, OF_INPUT] = None
    mask: Annotated[FilePath | None, OF_INPUT] = None
    first: Annotated[Natural, OF_INPUT] = 0
    frames: Annotated[Positive, OF_INPUT] = 8
