"""Energy and carbon of a result, after the Software Carbon Intensity specification: ``(E I + M) / R``.

All intensities are location-based. Two sources of intensity differ by large factors: a report prints both.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from daasbench.errors import UsageError

MEMORY_KWH_PER_GB_HOUR = 0.000392  # Cloud Carbon Footprint coefficients
NETWORK_KWH_PER_GB = 0.001  # the same


class EnergyBasis(StrEnum):
    """Where an energy comes from."""

    MEASURED = "measured"
    MODELLED = "modelled"
    NONE = "none"


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """The electrical power of a device, W, when idle and when busy."""

    idle_w: float
    busy_w: float

    def at(self, utilisation: float) -> float:
        """Return the power at a utilisation between 0 and 1, W."""
        if not 0 <= utilisation <= 1:
            raise UsageError(f"utilisation {utilisation}: write a number between 0 and 1")
        return self.idle_w + (self.busy_w - self.idle_w) * utilisation


GPU_DRAW = {  # Cloud Carbon Footprint coefficients
    "A100": Draw(idle_w=46, busy_w=407),
    "V100": Draw(idle_w=35, busy_w=306),
    "T4": Draw(idle_w=8, busy_w=71),
    "A10G": Draw(idle_w=18, busy_w=153),
}
GRID_G_PER_KWH = {  # 2023, location-based
    "FR": 56.0, "SE": 41.0, "CH": 35.0, "ES": 174.0, "GB": 238.0, "IE": 291.0, "IT": 331.0, "US": 369.0, "DE": 381.0,
}  # fmt: skip
GRID_DATE = 2023


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """The energy of some work at the plug of the data centre, kWh, and where it comes from."""

    kwh: float | None
    basis: EnergyBasis


def modelled_energy(
    *, hours: float, cpu_w: float, gpu_w: float = 0.0, memory_gb: float = 0.0, moved_gb: float = 0.0, pue: float
) -> Energy:
    """Return the modelled energy of work: power of CPU and GPU, memory, network, times PUE.

    Parameters
    ----------
    hours
        The time for which the node is held.
    cpu_w, gpu_w
        Mean power, W.
    memory_gb, moved_gb
        Memory that is held, and data that are moved over the network (10**9 bytes).
    """
    numbers = {"hours": hours, "cpu_w": cpu_w, "gpu_w": gpu_w, "memory_gb": memory_gb, "moved_gb": moved_gb}
    for name, value in numbers.items():
        if not value >= 0:
            raise UsageError(f"energy: {name} is {value}; write 0 or more")
    if not pue >= 1:
        raise UsageError(f"energy: pue is {pue}; a data centre draws at least what its computers draw: 1 or more")
    used = hours * (cpu_w + gpu_w) / 1000 + hours * memory_gb * MEMORY_KWH_PER_GB_HOUR
    return Energy(kwh=(used + moved_gb * NETWORK_KWH_PER_GB) * pue, basis=EnergyBasis.MODELLED)


def carbon_per_result(energy: Energy, grams_per_kwh: float, embodied_g: float, results: float) -> float | None:
    """Return grams of CO2 equivalent per result; None if the energy is not known.

    Parameters
    ----------
    embodied_g
        The share of the embodied carbon of the hardware that this work has, grams.
    """
    if not (grams_per_kwh >= 0 and embodied_g >= 0 and results > 0):
        raise UsageError("carbon: intensity and embodied share are 0 or more, and at least one result is needed")
    return None if energy.kwh is None else (energy.kwh * grams_per_kwh + embodied_g) / results
