"""Numbers as words: every figure that a report prints goes through here, with its unit and sensible digits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

NOTHING = "–"
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def number(value: float, digits: int = 3) -> str:
    """Return `value` with `digits` significant digits and no exponent between 1e-4 and 1e6."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "unbounded"
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return scientific(value, digits)
    rounded = float(f"{value:.{digits - 1}e}")
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:.{places}f}"


def amount(value: float) -> str:
    """Return how much work something is: whole numbers below a million exactly, others with three digits."""
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else number(value)


def short(value: float) -> str:
    """Return `value` for an axis: three digits at most, an SI prefix from 10 000 on, no zeros at the end."""
    scale, sign = prefix(value)
    text = number(value / scale)
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text} {sign}".strip()


def scientific(value: float, digits: int = 3) -> str:
    """Return `value` as mantissa and power of ten: ``3.2 × 10⁻⁷``."""
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"10{power}" if mantissa == "1" else f"{mantissa} × 10{power}"


def digits_for(value: float, low: float | None, high: float | None) -> int:
    """Return how many significant digits of `value` its interval supports: 3 or 4; 3 without an interval."""
    if low is None or high is None or not value or high <= low:
        return 3
    wanted = math.floor(math.log10(abs(value))) - math.floor(math.log10((high - low) / 2)) + 1
    return min(4, max(3, wanted))


def scaled(value: float, low: float | None, high: float | None, scale: float) -> tuple[str, str]:
    """Return the value and its interval (``"[11.5, 11.9]"``, or ``""``), all divided by `scale`."""
    digits = digits_for(value, low, high)
    main = number(value / scale, digits)
    if low is None or high is None:
        return main, ""
    places = len(main.partition(".")[2])
    alike = "×" not in main and high < 10 * low and high / scale < 1e6  # else each end needs digits of its own
    ends = [f"{end / scale:.{places}f}" if alike else number(end / scale) for end in (low, high)]
    return main, f"[{ends[0]}, {ends[1]}]"


def time_scale(seconds: float) -> tuple[float, str]:
    """Return the unit in which a time reads best, as seconds and its sign."""
    for scale, sign in _TIMES:
        if abs(seconds) >= scale:
            return scale, sign
    return _TIMES[-1] if seconds else _TIMES[0]


def prefix(value: float) -> tuple[float, str]:
    """Return the SI prefix in which a large number reads best; none below 10 000."""
    if abs(value) < 1e4:
        return 1.0, ""
    return next((scale, sign) for scale, sign in _PREFIXES if abs(value) >= scale)


def duration(seconds: float, low: float | None = None, high: float | None = None) -> tuple[str, str]:
    """Return a time with its unit, and its interval in the same unit: ``("11.7 ms", "[11.5, 11.9]")``."""
    scale, sign = time_scale(seconds)
    main, interval = scaled(seconds, low, high, scale)
    return f"{main} {sign}", interval


def rate(value: float, low: float | None, high: float | None, unit: str) -> tuple[str, str]:
    """Return units per second, and the interval: ``("980 k spectra/s", "[975, 985]")``."""
    scale, sign = prefix(value)
    main, interval = scaled(value, low, high, scale)
    return f"{main} {sign + ' ' if sign else ''}{plural(unit)}/s", interval


def factor(value: float, low: float | None = None, high: float | None = None) -> tuple[str, str]:
    """Return a ratio of speeds: ``("61.3 ×", "[59.0, 63.7]")``."""
    main, interval = scaled(value, low, high, 1.0)
    return f"{main} ×", interval


def percent(fraction: float, low: float | None = None, high: float | None = None) -> tuple[str, str]:
    """Return a share in percent, and its interval."""
    main, interval = scaled(fraction, low, high, 0.01)
    return f"{main} %", interval


def joined(pair: tuple[str, str]) -> str:
    """Return a figure and its interval as one text: ``"11.7 ms [11.5, 11.9]"``."""
    return " ".join(part for part in pair if part)


def memory(size: float) -> str:
    """Return bytes in binary units (GiB is 2**30)."""
    for power, sign in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 2**power:
            return f"{number(size / 2**power)} {sign}"
    return f"{size:.0f} B"


def flow(value: float, unit: str) -> str:
    """Return a limit of a machine with its prefix and unit: ``"44.1 GB/s"``, ``"467 GFLOP/s"``."""
    scale, sign = prefix(value)
    written = {"flop/s": "FLOP/s"}.get(unit, unit)
    return f"{number(value / scale)} {sign}{written}"


def price(cost: float | Decimal, currency: str, unit: str) -> tuple[str, str]:
    """Return a cost, and for how many units: as many as make it readable: ``("0.21 EUR", "per 1000 frames")``."""
    value = float(cost)
    steps = ((1, ""), (10**3, "1000 "), (10**6, "million "), (10**9, "billion "))
    count, word = next((step for step in steps if value * step[0] >= 0.01 or not value), steps[-1])
    return f"{number(value * count)} {currency}", f"per {word}{plural(unit) if word else unit}"


def plural(unit: str) -> str:
    """Return the plural of a unit of scientific work; a sign such as ``GB`` has none."""
    if unit.isupper() or not unit or unit.endswith("s"):
        return unit
    if unit.endswith("spectrum"):
        return f"{unit[:-2]}a"
    return f"{unit[:-1]}ies" if unit.endswith("y") and unit[-2:-1] not in "aeiou" else f"{unit}s"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``"1 process"``, ``"3 processes"``."""
    many = f"{noun}es" if noun.endswith("ss") else plural(noun)
    return f"{count} {noun if count == 1 else many}"


def listed(words: Iterable[str], joint: str = "and") -> str:
    """Return ``"a, b and c"``."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {joint} {items[-1]}" if items else ""


def spans(indices: Iterable[int]) -> str:
    """Return ``"0–2, 5"`` for the indices 0, 1, 2, 5."""
    ordered = sorted(set(indices))
    parts: list[list[int]] = []
    for index in ordered:
        if parts and index == parts[-1][-1] + 1:
            parts[-1].append(index)
        else:
            parts.append([index])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}–{p[-1]}" for p in parts)
