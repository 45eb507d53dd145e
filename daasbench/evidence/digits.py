"""Figures as words: how many digits a value and its interval have. A report and the terminal ask here.

A figure has as many digits as its interval leaves, at most three. Both ends of an interval are in the unit of the
value: ``("11.7 ms", "(11.5 to 11.9)")``. Numbers from a million on are written with a word, not with an exponent.
"""

from __future__ import annotations

import math
from typing import NamedTuple

MOST_DIGITS, LEAST_DIGITS = 3, 2
LEAST_PERCENT = 0.001  # the half width of a narrower interval is written as less than this
GROUP = "\u202f"  # narrow no-break space: between thousands
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_WORDS = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


class Scale(NamedTuple):
    """The unit in which a figure reads best: ``Scale(1e-3, "", " ms")``, ``Scale(1e6, " million", " frames/s")``."""

    by: float
    word: str
    sign: str


def number(value: float, digits: int = MOST_DIGITS) -> str:
    """Return `value` with `digits` significant digits: ``"0.0123"``, ``"12 300"``, ``"1.23 million"``."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "unbounded"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    if not 1e-4 <= abs(rounded) < 1e15:
        return scientific(value, digits)
    by, word = next((scale for scale in _WORDS if abs(rounded) >= scale[0]), (1.0, ""))
    return f"{grouped(rounded / by, _places(rounded / by, digits))} {word}".strip()


def _places(rounded: float, digits: int) -> int:
    return max(0, digits - 1 - math.floor(math.log10(abs(rounded))))


def grouped(value: float, places: int) -> str:
    """Return a number with narrow spaces between the thousands from 10 000 on."""
    text = f"{value:.{places}f}"
    return f"{value:,.{places}f}".replace(",", GROUP) if abs(value) >= 1e4 else text


def scientific(value: float, digits: int = MOST_DIGITS) -> str:
    """Return `value` as mantissa and power of ten: ``3.2 × 10⁻⁷``; for errors and tolerances only."""
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"10{power}" if mantissa == "1" else f"{mantissa} × 10{power}"


def digits_for(value: float, low: float | None, high: float | None) -> int:
    """Return how many significant digits of `value` its interval leaves: 2 or 3; 3 without an interval."""
    if low is None or high is None or not value or high <= low:
        return MOST_DIGITS
    wanted = math.floor(math.log10(abs(value))) - math.floor(math.log10((high - low) / 2)) + 1
    return min(MOST_DIGITS, max(LEAST_DIGITS, wanted))


def figure(value: float, low: float | None, high: float | None, scale: Scale) -> tuple[str, str]:
    """Return the value with its unit, and its interval in the same unit, or ``""``."""
    digits = digits_for(value, low, high)
    main = f"{number(value / scale.by, digits)}{scale.word}{scale.sign}"
    if low is None or high is None:
        return main, ""
    return main, f"({ends(value, low, high, scale)})"


def ends(value: float, low: float, high: float, scale: Scale) -> str:
    """Return both ends of an interval as exact as the value is written: ``"11.5 to 11.9"``."""
    value, low, high = (one / scale.by for one in (value, low, high))
    digits = digits_for(value, low, high)
    step = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1) if value else 0.0
    first, last = (_end(end, step) for end in (low, high))
    if first == last and value:
        percent_ = 50 * (high - low) / abs(value)
        return f"± {number(percent_, 1)} %" if percent_ >= LEAST_PERCENT else f"± less than {LEAST_PERCENT} %"
    return f"{first} to {last}{scale.word}"


def _end(value: float, step: float) -> str:
    """Return an end of an interval: rounded to `step`, the last digit of its value, if that leaves two digits."""
    if not step or abs(value) < 10 * step:
        return number(value, LEAST_DIGITS)
    if abs(value) >= 1000 * step:
        return number(value)
    return grouped(round(value / step) * step, max(0, -math.floor(math.log10(step) + 0.5)))


def time_scale(seconds: float) -> tuple[float, str]:
    """Return the unit in which a time reads best, as seconds and its sign."""
    for scale, sign in _TIMES:
        if abs(seconds) >= scale:
            return scale, sign
    return _TIMES[-1] if seconds else _TIMES[0]


def time_unit(seconds: float) -> Scale:
    """Return the scale of a time."""
    by, sign = time_scale(seconds)
    return Scale(by, "", f" {sign}")


def rate_unit(value: float, unit: str) -> Scale:
    """Return the scale of a number of units per second."""
    by, word = next((scale for scale in _WORDS if abs(value) >= scale[0]), (1.0, ""))
    return Scale(by, f" {word}" if word else "", f" {plural(unit)}/s")


def plural(unit: str) -> str:
    """Return the plural of a unit of scientific work; a sign such as ``GB`` has none."""
    if unit.isupper() or not unit or unit.endswith("s"):
        return unit
    if unit.endswith("spectrum"):
        return f"{unit[:-2]}a"
    return f"{unit[:-1]}ies" if unit.endswith("y") and unit[-2:-1] not in "aeiou" else f"{unit}s"
