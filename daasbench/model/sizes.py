"""The sizes of a problem in their order, and how large one unit of its work is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SIZES = ("tiny", "small", "medium", "large")


def size_order(size: str | None) -> tuple[int, str]:
    """Return what sorts sizes from the smallest to the largest; unknown names follow, in alphabetical order."""
    return (SIZES.index(size) if size in SIZES else len(SIZES), size or "")


def size_of_unit(parameters: Mapping[str, Any]) -> str:
    """Return the size of a unit, ``"2167 x 2070 pixels"``, by the names that kernels give to it; empty if none does."""
    pairs = (("ny", "nx"), ("rows", "columns"), ("pixels", "pixels"), ("detector", "detector"))
    known = parameters.keys()
    if "channels" in known:  # of spectra, in a map of rows and columns
        return f"{parameters['channels']} channels"
    pair = next((pair for pair in pairs if known >= set(pair)), None)
    return f"{parameters[pair[0]]} x {parameters[pair[1]]} pixels" if pair else ""


def binary_size(size_bytes: float) -> str:
    """Return a number of bytes in the unit in which it is not 0: ``"23.5 GiB"``, ``"3.0 MiB"``, ``"272.0 KiB"``."""
    for power, unit in ((30, "GiB"), (20, "MiB")):
        if size_bytes >= 2**power / 2:
            return f"{size_bytes / 2**power:.1f} {unit}"
    return f"{size_bytes / 2**10:.1f} KiB"
