"""Options of the analysis of a scanning-diffraction map."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from daasbench.authoring import OF_INPUT, Options

Stage = Literal["all", "gridding", "fits"]
Triple = Annotated[str, msgspec.Meta(pattern=r"^\d+,\d+,\d+$", description='three whole numbers, as "40,64,56"')]
Pair = Annotated[
    str, msgspec.Meta(pattern=r"^-?[\d.]+,-?[\d.]+$", description='two numbers, row and column, as "185.6,172.9"')
]
Window = Annotated[
    str,
    msgspec.Meta(pattern=r"^\d+:\d+,\d+:\d+$", description='rows and columns, as "60:188,100:228"'),
]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class NanostrainOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `nanostrain`; all but `stage` describe an ``--input`` file.

    Values that the file has (energy, distance, pixel size, direct beam, angles) need not be given; an option takes
    precedence over the file.

    Attributes
    ----------
    stage
        ``all``: frames to projections and fits; volumes are made and discarded one by one. ``gridding``: frames to
        volumes, which are the result. ``fits``: projections to fits.
    grid
        Voxels along qx, qy, qz, ``"40,64,56"``. None: as many along qx as there are angles, along qy and qz half as
        many as there are columns and rows; at least 3 and at most 128 each.
    dataset
        Path of the frames inside the HDF5 file. None: in each scan its NeXus default, or the only frames.
    rocking
        The motor that moves between the frames of one position.
    angles
        Path of the dataset with the angles of `rocking`, in degrees. None: found by the motor's name.
    eta_deg, phi_deg, nu_deg, delta_deg
        Fixed angles in degrees: of the sample about the horizontal and the vertical axis, of the detector about the
        vertical and the horizontal axis.
    energy_kev, distance_mm, pixel_um
        Photon energy; distance from the sample to the detector; side of a pixel.
    centre
        Position of the direct beam on the detector when nu and delta are 0, in pixels, ``"row,column"``.
    window
        The part of the frames that is used, ``"row:row,column:column"``, the ends excluded. None: all.
    mask_above
        Pixels with more counts in any frame are defective, and are excluded. None: only pixels that the file masks.
    positions
        Positions in one block, computed in one repeat (fewer if the file has fewer).
    """

    stage: Stage = "all"
    grid: Annotated[Triple | None, OF_INPUT] = None
    dataset: Annotated[str | None, OF_INPUT] = None
    rocking: Annotated[Literal["eta", "phi"], OF_INPUT] = "eta"
    angles: Annotated[str | None, OF_INPUT] = None
    eta_deg: Annotated[float | None, OF_INPUT] = None
    phi_deg: Annotated[float | None, OF_INPUT] = None
    nu_deg: Annotated[float | None, OF_INPUT] = None
    delta_deg: Annotated[float | None, OF_INPUT] = None
    energy_kev: Annotated[Positive | None, OF_INPUT] = None
    distance_mm: Annotated[Positive | None, OF_INPUT] = None
    pixel_um: Annotated[Positive | None, OF_INPUT] = None
    centre: Annotated[Pair | None, OF_INPUT] = None
    window: Annotated[Window | None, OF_INPUT] = None
    mask_above: Annotated[Annotated[int, msgspec.Meta(ge=0)] | None, OF_INPUT] = None
    positions: Annotated[Annotated[int, msgspec.Meta(ge=1)], OF_INPUT] = 64
