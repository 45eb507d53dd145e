"""Options of the kernel `tomography_iterative`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from daasbench.authoring import OF_INPUT, Options

Positive = Annotated[float, msgspec.Meta(gt=0)]


class IterativeOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `tomography_iterative`.

    Attributes
    ----------
    iterations
        Number of corrections of the volume.
    arc_deg
        For generated inputs: the angles go from -arc_deg / 2 to just below arc_deg / 2. 140 is the tilt range of
        flat samples (electron tomography, laminography); 180 has no missing wedge. None: 140.
    photons
        For generated inputs: counts of a detector pixel in the open beam, which determine the Poisson noise; the
        densest ray transmits exp(-2) of them. None: no noise.
    centre
        Position of the rotation axis on the detector, in pixels; the centre of the first pixel is 0. None: the centre
        of the detector.
    dataset
        Path inside an HDF5 file of the sinograms [slice, angle, detector pixel], line integrals. None: NeXus
        default, or the only dataset of three axes.
    angles
        Path inside the file of the angles. None: the only dataset called ``angles``, ``theta`` or
        ``rotation_angle``. In degrees, unless its attribute ``units`` is radian.
    slices
        Slices in one block, reconstructed in one repeat (fewer if the file has fewer).
    """

    iterations: Annotated[int, msgspec.Meta(ge=1)] = 30
    arc_deg: Annotated[float, msgspec.Meta(gt=0, le=360)] | None = None
    photons: Positive | None = 2e4
    centre: float | None = None
    dataset: Annotated[str | None, OF_INPUT] = None
    angles: Annotated[str | None, OF_INPUT] = None
    slices: Annotated[Annotated[int, msgspec.Meta(ge=1)], OF_INPUT] = 16
