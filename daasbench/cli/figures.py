"""Figures as text: three digits at most, each with its unit; the same value that a report shows."""

from __future__ import annotations

from daasbench.evidence import digits
from daasbench.evidence.digits import GROUP, Scale, ends, figure
from daasbench.statistics.intervals import Interval, too_uncertain

UNCERTAIN = "too uncertain to compare"

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_LARGE = ((1e9, "billion "), (1e6, "million "))


def number(value: float) -> str:
    """Return a value of 0 or more with three digits, and no exponent; spaces between the thousands from 10 000 on."""
    return digits.number(value).replace(GROUP, " ")


def duration(seconds: float) -> str:
    """Return a time with the unit in which it reads best: ``"11.7 ms"``."""
    scale, sign = next((pair for pair in _TIMES if seconds >= pair[0]), _TIMES[-1])
    return f"{number(seconds / scale)} {sign}"


def span(seconds: float) -> str:
    """Return how long something takes, roughly: ``"12 s"``, ``"3 min"``."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def rate(value: float, units: str) -> str:
    """Return units per second; `units` in the plural: ``"160 frames/s"``, ``"1.2 million spectra/s"``."""
    scale, word = next((pair for pair in _LARGE if value >= pair[0]), (1.0, ""))
    return f"{number(value / scale)} {word}{units}/s"


def with_range(found: Interval, scale: Scale) -> tuple[str, str]:
    """Return a figure and its interval with the digits that a report shows: ``("160 frames/s", "(150 to 170)")``.

    Of too few processes the range is shown. Of processes that are too uncertain to compare it is the figure itself.
    """
    low, high = found.low, found.high
    if low is None and found.n > 1:
        low, high = found.least, found.greatest
    if too_uncertain(found):
        seen = ends(found.value, found.least or found.value, found.greatest or found.value, scale)
        texts = f"{seen}{scale.sign}", f"({UNCERTAIN})"
    else:
        texts = figure(found.value, low, high, scale)
    return texts[0].replace(GROUP, " "), texts[1].replace(GROUP, " ")


def share(fraction: float) -> str:
    """Return a share in percent: ``"12 %"``, ``"0.75 %"``, ``"1130 %"``."""
    percent = 100 * fraction
    if percent >= 999.5:
        return f"{number(percent)} %"
    return f"{percent:.0f} %" if percent >= 9.5 else f"{float(f'{percent:.1e}'):g} %"
