"""A specimen that is known exactly: cells on a substrate, with grains of metal, under a 17 keV nanoprobe."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .lines import table
from .model import Beam, Detector, Setup

F64 = NDArray[np.float64]
U16 = NDArray[np.uint16]

# Mean counts per pixel. Outside grains there are only traces of the first elements, outside cells of the others.
GRAINS = {"Ti K": 500.0, "Cr K": 400.0, "Mn K": 500.0, "Ni K": 400.0, "As K": 200.0}
CELLS = {
    "P K": 300.0, "S K": 700.0, "Cl K": 900.0, "K K": 2500.0, "Ca K": 2500.0, "Fe K": 4000.0, "Cu K": 900.0,
    "Zn K": 2000.0, "Se K": 300.0, "Br K": 500.0,
}  # fmt: skip
SCATTER = {"elastic": 3000.0, "Compton": 6000.0}
CONTINUUM = (2500.0, 700.0, 500.0, 1300.0)  # more at low energies, and below the scatter peaks
SPAN_KEV, RANGE_KEV = 20.48, (1.5, 18.2)
_SPECTRA = 1024  # spectra drawn at a time


def make_setup(channels: int, degree: int | None) -> Setup:
    """Return the setup of generated spectra: a silicon drift detector, 137 eV wide at manganese."""
    detector = Detector(offset=-0.012, gain=SPAN_KEV / channels, noise=0.078, fano=0.114)
    first, last = (round((energy - detector.offset) / detector.gain) for energy in RANGE_KEV)
    return Setup(
        detector=detector,
        families=tuple(sorted(CELLS | GRAINS, key=lambda name: table()[name])),
        channels=channels,
        first=first,
        last=last,
        beam=Beam(energy=17.0),
        degree=degree,
    )


def make_areas(setup: Setup, rows: int, columns: int, rng: np.random.Generator) -> F64:
    """Return f64[rows * columns, components]: the mean counts of every component in every pixel."""
    cells, grains = _cells(rows, columns, rng), _grains(rows, columns, rng)
    thickness = 0.85 + 0.3 * _cells(rows, columns, rng)
    made = []
    for name in setup.families:
        if name in GRAINS:
            strengths = rng.uniform(0.5, 1.5, len(grains))
            made.append(GRAINS[name] * (0.02 + np.tensordot(strengths, grains, 1)))
        else:
            made.append(CELLS[name] * (0.25 + rng.uniform(0.7, 1.3) * cells * (0.7 + 0.6 * _cells(rows, columns, rng))))
    made += [level * thickness for level in SCATTER.values()]
    made += [level * thickness for level in CONTINUUM]
    return np.stack(made, axis=-1).reshape(rows * columns, -1)


def make_spectra(columns: F64, areas: F64, rng: np.random.Generator) -> U16:
    """Return u16[pixels, channels]: photon counts, Poisson-distributed with the mean ``areas @ columns.T``."""
    spectra = np.empty((areas.shape[0], columns.shape[0]), np.uint16)
    for start in range(0, areas.shape[0], _SPECTRA):
        chunk = slice(start, start + _SPECTRA)
        spectra[chunk] = rng.poisson(areas[chunk] @ columns.T)
    return spectra


def _cells(rows: int, columns: int, rng: np.random.Generator) -> F64:
    """Return f64[rows, columns], 0 to about 1: some soft discs, whose size is proportional to the map's."""
    y, x = np.mgrid[:rows, :columns]
    size, count = (rows * columns) ** 0.5, 6
    filled = np.zeros((rows, columns))
    for _ in range(count):
        radius = rng.uniform(0.12, 0.28) * size
        distance = np.hypot(y - rng.uniform(0, rows), x - rng.uniform(0, columns))
        filled = np.maximum(filled, rng.uniform(0.4, 1.0) / (1 + np.exp((distance - radius) / (0.02 * size + 0.3))))
    return filled


def _grains(rows: int, columns: int, rng: np.random.Generator) -> F64:
    """Return f64[grains, rows, columns]: small bright spots."""
    y, x = np.mgrid[:rows, :columns]
    size, count = (rows * columns) ** 0.5, 8
    places = rng.uniform(0, 1, (count, 2)) * (rows, columns)
    widths = rng.uniform(0.01, 0.05, count) * size + 0.5
    return np.stack(
        [
            np.exp(-((y - py) ** 2 + (x - px) ** 2) / (2 * width**2))
            for (py, px), width in zip(places, widths, strict=True)
        ]
    )
