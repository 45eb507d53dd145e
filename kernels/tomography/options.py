"""Options of the kernel `tomography`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from daasbench.authoring import OF_INPUT, Options


class TomographyOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `tomography`; all but `centre` describe an ``--input`` file.

    Attributes
    ----------
    centre
        Position of the rotation axis on the detector, in pixels; the centre of the first pixel is 0. None: the centre
        of the detector for generated inputs; for a file, estimated from projections 180 degrees apart.
    dataset, flats, darks, angles
        Paths inside the HDF5 file of the frames [projection, row, column], the open-beam frames, the frames
        without beam and the angles. None: found by the DXchange and NXtomo conventions, frames first by NeXus default.
        ``""``: there are none.
    angle_unit
        None: the unit in the file, else degrees.
    minus_log
        Whether the frames are intensities, which are converted to ``-log((frame - dark) / (flat - dark))``. False:
        they are already line integrals; then flats and darks are not used.
    rows
        Detector rows to reconstruct, ``"first:last"`` with `last` excluded; None: all.
    slices
        Rows in one block, reconstructed in one repeat (fewer if the file has fewer).
    """

    centre: float | None = None
    dataset: Annotated[str | None, OF_INPUT] = None
    flats: Annotated[str | None, OF_INPUT] = None
    darks: Annotated[str | None, OF_INPUT] = None
    angles: Annotated[str | None, OF_INPUT] = None
    angle_unit: Annotated[Literal["degree", "radian"] | None, OF_INPUT] = None
    minus_log: Annotated[bool, OF_INPUT] = True
    rows: Annotated[
        Annotated[str, msgspec.Meta(pattern=r"^\d+:\d+$", description='rows as "first:last"')] | None, OF_INPUT
    ] = None
    slices: Annotated[Annotated[int, msgspec.Meta(ge=1)], OF_INPUT] = 16
