"""Options of the kernel `xrf_mapping`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from daasbench.authoring import OF_INPUT, FilePath, Options

Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class XrfOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `xrf_mapping`.

    Attributes
    ----------
    method
        ``linear``: unweighted least squares with the continuum as components; ``snip``: the continuum is subtracted
        first, then least squares of the peaks; ``nnls``: least squares under the condition that no component is
        negative.
    snip_width
        Half width in channels of the first pass of method ``snip``.
    continuum
        Degree of the polynomial of the continuum (methods ``linear`` and ``nnls``).
    configuration
        With ``--input``: the detector and the lines to fit: a PyMca fit configuration (``.cfg``) or a MAPS
        ``maps_fit_parameters_override.txt``.
    elements
        Families of lines to fit, ``"Ca, Fe, Pb L"``; replaces those of the configuration or the file.
    calibration
        ``"offset, gain"`` in keV and keV per channel; replaces that of the configuration or the file.
    beam_kev
        Energy of the beam, for the scatter peaks; replaces that of the configuration; 0: no scatter peaks.
    energies
        Range to fit, ``"first : last"`` in keV.
    dataset
        Path of the spectra inside an HDF5 file; None: found by the MAPS conventions, else NeXus default.
    detector
        Index of the element of a multi-element detector, counted from 0, if the file has several.
    pixels
        Spectra in one block, fitted in one repeat (fewer if the file has fewer).
    """

    method: Literal["linear", "snip", "nnls"] = "linear"
    snip_width: Positive = 20
    continuum: Annotated[int, msgspec.Meta(ge=0, le=6)] = 3
    configuration: Annotated[FilePath | None, OF_INPUT] = None
    elements: Annotated[str | None, OF_INPUT] = None
    calibration: Annotated[str | None, OF_INPUT] = None
    beam_kev: Annotated[Annotated[float, msgspec.Meta(ge=0)] | None, OF_INPUT] = None
    energies: Annotated[str | None, OF_INPUT] = None
    dataset: Annotated[str | None, OF_INPUT] = None
    detector: Annotated[NotNegative, OF_INPUT] = 0
    pixels: Annotated[Positive, OF_INPUT] = 65536
