"""Bars with their figures beside them: text and boxes of the page itself, so that they are readable on a phone."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from .canvas import css_colour


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar from zero; `low` and `high` are drawn as its interval. Without a value only the interval is drawn."""

    label: str
    text: str  # the figure with its unit
    colour: str
    value: float | None
    low: float | None = None
    high: float | None = None
    basis: str = "measured"  # projected: hatched; rehearsed: dotted
    few: bool = False  # the interval is the range of too few processes


@dataclass(frozen=True, kw_only=True)
class BarGroup:
    """Bars of one unit, which share a scale; `title` says what they are of."""

    title: str
    bars: tuple[Bar, ...]


def draw(groups: Sequence[BarGroup]) -> str:
    """Return the groups as elements of a page, one below the other, each on a scale of its own that starts at zero."""
    return f'<div class="bars">{"".join(_group(group) for group in groups)}</div>'


def _group(group: BarGroup) -> str:
    reach = [end for bar in group.bars for end in (bar.value, bar.high) if end is not None]
    most = max(reach, default=1.0) or 1.0
    rows = "".join(_row(bar, most) for bar in group.bars)
    title = f"<p>{html.escape(group.title)}</p>" if group.title else ""
    return f"{title}<ul>{rows}</ul>"


def _row(bar: Bar, most: float) -> str:
    drawn = ""
    if bar.value is not None:
        colour = css_colour(bar.colour)
        kind = html.escape(bar.basis)
        drawn = f'<span class="fill {kind}" style="width:{_share(bar.value, most)};--bar:{colour}"></span>'
    if bar.low is not None and bar.high is not None:
        start, width = _share(bar.low, most), _share(bar.high - bar.low, most)
        drawn += f'<span class="interval" style="left:{start};width:{width}"></span>'
    return (
        f'<li><span class="label">{html.escape(bar.label)}</span><span class="track" aria-hidden="true">{drawn}</span>'
        f'<span class="value">{html.escape(bar.text)}</span></li>'
    )


def _share(value: float, most: float) -> str:
    return f"{100 * max(0.0, value) / most:.2f}%"
