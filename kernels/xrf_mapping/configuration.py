"""The detector and the lines to fit, from a PyMca ``.cfg`` or a MAPS ``maps_fit_parameters_override.txt``."""

from __future__ import annotations

import configparser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daasbench.authoring import InputError

from .lines import table
from .model import PAIR_KEV, Beam, Detector

_MAPS_FANO = 2.96  # MAPS: sigma^2 = (FWHM_OFFSET / 2.3548)^2 + 2.96 FWHM_FANOPRIME E


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The contents of a configuration.

    Attributes
    ----------
    families
        Families of lines to fit.
    unknown
        Families in the configuration that are not in the table of lines.
    channels
        First and last channel to fit, the last excluded; or None.
    energies
        The same range in keV.
    """

    detector: Detector
    families: tuple[str, ...]
    unknown: tuple[str, ...]
    beam: Beam | None
    channels: tuple[int, int] | None = None
    energies: tuple[float, float] | None = None


def load(path: Path) -> Configuration:
    """Return the contents of the configuration `path`.

    Raises
    ------
    InputError
        If the file has neither of the two formats, or if a value that a fit needs is missing.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    text = path.read_text("utf-8", errors="replace")
    reader: Callable[[str], Configuration] = _maps if "CAL_OFFSET_[E_OFFSET]:" in text else _pymca
    try:
        return reader(text)
    except (KeyError, configparser.Error) as error:
        raise InputError(
            f"{path}: {str(error).splitlines()[0]} is missing or wrong; a configuration must be a PyMca .cfg with "
            "[detector], [fit] and [peaks], or a MAPS maps_fit_parameters_override.txt"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: {error}; a number is expected") from error


def known(names: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return those of the families `names` that are in the table of lines, and those that are not."""
    wanted = list(dict.fromkeys(names))
    return tuple(name for name in wanted if name in table()), tuple(name for name in wanted if name not in table())


def _pymca(text: str) -> Configuration:
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # elements are written "Fe", not "fe"
    parser.read_string(text)
    detector, fit, peaks = parser["detector"], parser["fit"], parser["peaks"]
    names = [f"{element} {family.strip()}" for element in peaks for family in peaks[element].split(",")]
    families, unknown = known(names)
    energy = fit["energy"].split(",")[0].strip()
    scatter = energy != "None" and fit.get("scatterflag", "0") == "1"
    return Configuration(
        detector=Detector(
            offset=float(detector["zero"]),
            gain=float(detector["gain"]),
            noise=float(detector["noise"]),
            fano=float(detector["fano"]),
        ),
        families=families,
        unknown=unknown,
        beam=Beam(energy=float(energy), angle=_pymca_angle(parser), widening=1.0) if scatter else None,
        channels=(int(fit["xmin"]), int(fit["xmax"]) + 1) if fit.get("use_limit", "0") == "1" else None,
    )


def _pymca_angle(parser: configparser.ConfigParser) -> float:
    """Return the scattering angle: the last number of the matrix, if the configuration has one."""
    matrix = parser.get("attenuators", "Matrix", fallback="").split(",")
    scattering = 7  # flag, material, density, thickness, two angles, whether it is given, scattering angle
    return float(matrix[scattering]) if len(matrix) > scattering else 90.0


def _maps(text: str) -> Configuration:
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.strip().partition(":")
        if colon:
            values.setdefault(key.strip(), value.strip())

    def number(key: str, default: Any = None) -> float:
        return float(values[key] if default is None else values.get(key, default))

    elements = [name.strip() for name in values["ELEMENTS_TO_FIT"].split(",") if name.strip()]
    families, unknown = known([name.replace("_", " ") if "_" in name else f"{name} K" for name in elements])
    energy = number("COHERENT_SCT_ENERGY")
    return Configuration(
        detector=Detector(
            offset=number("CAL_OFFSET_[E_OFFSET]"),
            gain=number("CAL_SLOPE_[E_LINEAR]"),
            curvature=number("CAL_QUAD_[E_QUADRATIC]", "0"),
            noise=number("FWHM_OFFSET"),
            fano=_MAPS_FANO * number("FWHM_FANOPRIME") / PAIR_KEV,
        ),
        families=families,
        unknown=unknown,
        beam=Beam(energy=energy, angle=number("COMPTON_ANGLE", "90"), widening=number("COMPTON_FWHM_CORR", "1.6")),
        energies=(number("MIN_ENERGY_TO_FIT"), number("MAX_ENERGY_TO_FIT")),
    )
