"""Options of an azimuthal integration."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from daasbench.authoring import OF_INPUT, FilePath, Options

Unit = Literal["2th_deg", "2th_rad", "q_nm^-1", "q_A^-1", "r_mm"]
Positive = Annotated[int, msgspec.Meta(ge=1)]
MOST_BINS = 65_000  # the bin number of every pixel has 16 bits; two numbers are reserved


class AzimuthalOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `azimuthal_integration`.

    Attributes
    ----------
    mode
        ``split`` shares each pixel's counts among the bins that its area covers, as beamlines do for publication;
        ``nosplit`` adds them to the bin of its centre, in exact integers.
    bins
        Number of radial bins.
    azimuthal_bins
        Number of azimuthal sectors over 360 degrees (mode ``nosplit`` only); the result has
        ``azimuthal_bins * bins`` columns, sector by sector.
    unit
        Radial coordinate: 2theta in degree or radian, q in 1/nm or 1/Å, or the distance from the beam in mm.
    radial_min, radial_max
        Radial range, in `unit`; default: the whole detector.
    geometry
        With ``--input``: pyFAI ``.poni``, pyFAI goniometer JSON, or HEXRD instrument JSON.
    position
        Position of the goniometer, in the unit of its JSON: a number, or ``"tth=5.2,eta=1"`` for several axes.
    mask
        Image file with the detector's shape; pixels that are not 0 in it are excluded.
    dataset
        Path of the frames inside the HDF5 file; default: NeXus default, a DECTRIS series, or
        the only stack that fits.
    frame
        Integrate this frame of the file only, counted from 0.
    frames
        With ``--input``: the largest number of frames per repeat.
    dummy
        Pixel value that means "no data". Negative values, values that are not finite and the largest value of an
        integer type always mean "no data".
    """

    mode: Literal["nosplit", "split"] = "split"
    bins: Positive = 1000
    azimuthal_bins: Positive = 1
    unit: Unit = "2th_deg"
    radial_min: float | None = None
    radial_max: float | None = None
    geometry: Annotated[FilePath | None, OF_INPUT] = None
    position: Annotated[float | str | None, OF_INPUT] = None
    mask: Annotated[FilePath | None, OF_INPUT] = None
    dataset: Annotated[str | None, OF_INPUT] = None
    frame: Annotated[Annotated[int, msgspec.Meta(ge=0)] | None, OF_INPUT] = None
    frames: Positive = 16
    dummy: Annotated[float | None, OF_INPUT] = None
