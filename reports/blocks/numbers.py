"""Numbers as words: every figure that a report prints goes through here, with its unit and sensible digits.

How many digits a figure has is in :mod:`daasbench.evidence.digits`: the terminal asks there, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from daasbench.evidence.digits import (
    GROUP,
    Scale,
    digits_for,
    ends,
    figure,
    grouped,
    number,
    plural,
    rate_unit,
    scientific,
    time_scale,
    time_unit,
)

__all__ = [
    "GROUP", "NOTHING", "Scale", "amount", "counted", "digits_for", "duration", "ends", "factor", "figure", "flow",
    "joined", "listed", "memory", "number", "percent", "plural", "prefix", "price", "price_unit", "rate", "rate_unit",
    "scientific", "short", "spans", "time_scale", "time_unit",
]  # fmt: skip

NOTHING = "–"
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def amount(value: float) -> str:
    """Return how much work something is: whole numbers below a million exactly, others with three digits."""
    return grouped(value, 0) if value == int(value) and abs(value) < 1e6 else number(value)


def short(value: float) -> str:
    """Return `value` for an axis: three digits at most, no zeros at the end."""
    digits, _, word = number(value).partition(" ")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return f"{digits} {word}".strip()


def prefix(value: float) -> tuple[float, str]:
    """Return the SI prefix in which a large number reads best; none below 10 000."""
    if abs(value) < 1e4:
        return 1.0, ""
    return next((scale, sign) for scale, sign in _PREFIXES if abs(value) >= scale)


def duration(seconds: float, low: float | None = None, high: float | None = None) -> tuple[str, str]:
    """Return a time with its unit, and its interval in the same unit: ``("11.7 ms", "(11.5 to 11.9)")``."""
    return figure(seconds, low, high, time_unit(seconds))


def rate(value: float, low: float | None, high: float | None, unit: str) -> tuple[str, str]:
    """Return units per second, and the interval: ``("980 000 spectra/s", "(975 000 to 985 000)")``."""
    return figure(value, low, high, rate_unit(value, unit))


def factor(value: float, low: float | None = None, high: float | None = None) -> tuple[str, str]:
    """Return a ratio of speeds: ``("61.3 ×", "(59.0 to 63.7)")``."""
    return figure(value, low, high, Scale(1.0, "", " ×"))


def percent(fraction: float, low: float | None = None, high: float | None = None) -> tuple[str, str]:
    """Return a share in percent, and its interval."""
    return figure(fraction, low, high, Scale(0.01, "", " %"))


def joined(pair: tuple[str, str]) -> str:
    """Return a figure and its interval as one text: ``"11.7 ms (11.5 to 11.9)"``."""
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


def price_unit(cost: float | Decimal, currency: str, unit: str) -> tuple[Scale, str]:
    """Return the scale of a cost, and for how many units it is: ``"per 1000 frames"``, as many as make it readable."""
    value = float(cost)
    steps = ((1, ""), (10**3, "1000 "), (10**6, "million "), (10**9, "billion "))
    count, word = next((step for step in steps if value * step[0] >= 0.01 or not value), steps[-1])
    return Scale(1 / count, "", f" {currency}"), f"per {word}{plural(unit) if word else unit}"


def price(cost: float | Decimal, currency: str, unit: str) -> tuple[str, str]:
    """Return a cost, and for how many units: ``("0.210 EUR", "per 1000 frames")``."""
    scale, per = price_unit(cost, currency, unit)
    return figure(float(cost), None, None, scale)[0], per


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: ``"1 process"``, ``"3 processes"``."""
    many = f"{noun}es" if noun.endswith("ss") else plural(noun)
    return f"{count} {noun if count == 1 else many}"


def listed(words: Iterable[str], joint: str = "and") -> str:
    """Return ``"a, b and c"``."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {joint} {items[-1]}" if items else ""


def spans(indices: Iterable[int]) -> str:
    """Return ``"0 to 2, 5"`` for the indices 0, 1, 2, 5."""
    ordered = sorted(set(indices))
    parts: list[list[int]] = []
    for index in ordered:
        if parts and index == parts[-1][-1] + 1:
            parts[-1].append(index)
        else:
            parts.append([index])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]} to {p[-1]}" for p in parts)
