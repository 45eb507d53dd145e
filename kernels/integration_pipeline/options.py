"""What a person may choose about the pipeline."""

from __future__ import annotations

from typing import Annotated

import msgspec

from daasbench.authoring import OF_INPUT, Options

Length = Annotated[Annotated[float, msgspec.Meta(gt=0)] | None, OF_INPUT]
Place = Annotated[float | None, OF_INPUT]
MOST_BINS = 65_000  # a bin's number travels beside every pixel in 16 bits


class PipelineOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `integration_pipeline`; the geometry describes an ``--input`` file.

    Attributes
    ----------
    bins
        Number of bins in q, from 0 to the farthest corner of the detector.
    dataset
        Path of the frames inside the HDF5 file; default: NeXus default, a DECTRIS series, or
        the only stack of frames.
    frames
        With ``--input``: how many frames one repeat integrates, at most.
    distance_m, pixel_m, wavelength_m
        Sample to detector, size of a pixel, wavelength, in metre; default: as the file has them, by the names that
        Dectris and NeXus give them.
    beam_row, beam_column
        Where the beam meets the detector, which stands upright to it, in pixels; the outer corner of the first
        pixel is 0, 0. Default: as the file has it.
    """

    bins: Annotated[int, msgspec.Meta(ge=1, le=MOST_BINS)] = 1000
    dataset: Annotated[str | None, OF_INPUT] = None
    frames: Annotated[Annotated[int, msgspec.Meta(ge=1)], OF_INPUT] = 64
    distance_m: Length = None
    pixel_m: Length = None
    wavelength_m: Length = None
    beam_row: Place = None
    beam_column: Place = None
