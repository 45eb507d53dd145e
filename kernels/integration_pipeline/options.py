"""Options of the pipeline."""

from __future__ import annotations

from typing import Annotated

import msgspec

from daasbench.authoring import OF_INPUT, Options

Length = Annotated[Annotated[float, msgspec.Meta(gt=0)] | None, OF_INPUT]
Place = Annotated[float | None, OF_INPUT]
MOST_BINS = 65_000  # the bin number of every pixel has 16 bits


class PipelineOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `integration_pipeline`; the geometry describes an ``--input`` file.

    Attributes
    ----------
    bins
        Number of bins in q, from 0 to the corner of the detector that is farthest from the beam.
    dataset
        Path of the frames inside the HDF5 file; default: NeXus default, a DECTRIS series, or
        the only stack of frames.
    frames
        With ``--input``: the largest number of frames per repeat.
    distance_m, pixel_m, wavelength_m
        Distance from sample to detector, size of a pixel, wavelength, in metre; default: from the file, by the names
        of DECTRIS and NeXus.
    beam_row, beam_column
        Position of the beam on the detector, which is perpendicular to it, in pixels; the outer corner of the first
        pixel is 0, 0. Default: from the file.
    """

    bins: Annotated[int, msgspec.Meta(ge=1, le=MOST_BINS)] = 1000
    dataset: Annotated[str | None, OF_INPUT] = None
    frames: Annotated[Annotated[int, msgspec.Meta(ge=1)], OF_INPUT] = 64
    distance_m: Length = None
    pixel_m: Length = None
    wavelength_m: Length = None
    beam_row: Place = None
    beam_column: Place = None
