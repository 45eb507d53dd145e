"""Options of the kernel `spot_finding`."""

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
        ``dispersion``: a pixel is strong if it exceeds the mean of a 7 x 7 window that is more dispersed than Poisson
        noise, as in DIALS; ``threshold``: if it has more counts than `threshold`, as in HEXRD.
    nsig_b, nsig_s
        Standard deviations by which the dispersion of the window, and the pixel, must exceed the expectation.
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
        Image file with the detector's shape; pixels that are not 0 in it are excluded. Negative values, values that
        are not finite, and the largest value of unsigned integers are never data.
    first
        First frame of the file to search, counted from 0.
    frames
        With ``--input``: the most frames that one repeat searches.
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
