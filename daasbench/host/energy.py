"""Energy counters of the processor packages, where the kernel allows reading them (Linux powercap, RAPL).

They count the energy of the whole package, including idle power and other processes, and are updated about every
millisecond. Therefore the energy of a repeat is meaningful only if the repeat takes some 20 ms or more, and only if no
other user shares the machine.
"""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


class EnergyCounter:
    """Joules of all processor packages since this counter was made.

    Parameters
    ----------
    root
        The powercap folder of sysfs. Its top zones ``intel-rapl:N`` (also on AMD) are the packages; their
        sub-zones (cores, memory) are parts of them and would count twice.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        self._zones = [zone for zone in sorted(root.glob("intel-rapl:*")) if zone.name.count(":") == 1]
        self._last = [self._read(zone, "energy_uj") for zone in self._zones]
        self._wraps = [self._read(zone, "max_energy_range_uj") or 0 for zone in self._zones]
        self._total_uj = 0

    @property
    def available(self) -> bool:
        """Return whether there are counters that this process may read."""
        return bool(self._zones) and all(last is not None for last in self._last)

    def joules(self) -> float | None:
        """Return the joules since this object was made; None without counters. Call it before a counter wraps twice."""
        if not self.available:
            return None
        for index, zone in enumerate(self._zones):
            now, last = self._read(zone, "energy_uj"), self._last[index]
            if now is None or last is None:
                return None
            self._total_uj += now - last if now >= last else now - last + self._wraps[index]
            self._last[index] = now
        return self._total_uj / 1e6

    @staticmethod
    def _read(zone: Path, name: str) -> int | None:
        try:
            return int((zone / name).read_text())
        except (OSError, ValueError):
            return None
