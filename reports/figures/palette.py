"""Colours: one for each implementation or platform, the same in all figures of a page.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart; the reference is grey.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import canvas

KNOWN: Mapping[str, str] = {  # the same on every page
    "numpy": canvas.REFERENCE,
    "numba": canvas.SERIES[0],
    "mpi": canvas.SERIES[1],
    "cupy": canvas.SERIES[2],
    "dask": canvas.SERIES[3],
}


def colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name; the same names have the same colours on every page."""
    wanted = sorted(set(names))
    taken = {KNOWN[name] for name in wanted if name in KNOWN}
    free = [colour for colour in canvas.SERIES if colour not in taken] or list(canvas.SERIES)
    others = [name for name in wanted if name not in KNOWN]
    return {name: KNOWN[name] for name in wanted if name in KNOWN} | {
        name: free[index % len(free)] for index, name in enumerate(others)
    }
