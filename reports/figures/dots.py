"""Comparison: one dot with its interval a line; beside it the fraction of the machine's limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from . import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Role = Literal["ours", "peer", "reference"]
ROLES: dict[Role, tuple[str, str]] = {
    "ours": ("o", "implementation"),
    "peer": ("s", "peer (production package)"),
    "reference": ("D", "reference (numpy)"),
}


@dataclass(frozen=True, kw_only=True)
class ComparisonDot:
    """One line of the figure; without `low` and `high` no interval is drawn, and the dot is hollow."""

    label: str
    role: Role
    colour: str
    value: float
    low: float | None
    high: float | None
    fraction: float | None  # of the machine's limit, 0-1
    share: str  # the same as text


def draw(dots: Sequence[ComparisonDot], unit: str, name: str, title: str, description: str) -> str:
    """Return the comparison as SVG; `unit` is what `value` counts a second of: ``"frames"``."""
    with canvas.style():
        left = canvas.label_margin([dot.label for dot in dots])
        figure = canvas.canvas(1.15 + 0.27 * len(dots))
        fractions = any(dot.fraction is not None for dot in dots)
        beside = 2.0 if fractions else 0.25
        speeds = canvas.axes(figure, left, 0.5, beside, 0.5)
        _draw_speeds(speeds, dots, unit)
        if fractions:
            _draw_fractions(canvas.axes(figure, canvas.WIDTH_IN - 1.8, 0.5, 0.25, 0.5), dots)
        _draw_legend(speeds, dots)
        return canvas.svg(figure, name, title, description)


def _rows(where: Axes, count: int) -> None:
    where.set_ylim(count - 0.4, -0.6)
    where.tick_params(axis="y", length=0)
    where.grid(axis="x")
    where.spines["left"].set_visible(False)


def _draw_speeds(where: Axes, dots: Sequence[ComparisonDot], unit: str) -> None:
    for row, dot in enumerate(dots):
        whole = dot.low is not None and dot.high is not None
        if whole:
            where.hlines(row, dot.low or 0, dot.high or 0, color=dot.colour, linewidth=1.6)
            where.vlines([dot.low or 0, dot.high or 0], row - 0.17, row + 0.17, color=dot.colour, linewidth=1.6)
        face = dot.colour if whole else canvas.PAPER
        where.plot([dot.value], [row], ROLES[dot.role][0], markersize=5.5, color=dot.colour, markerfacecolor=face)
    reach = [end for dot in dots for end in (dot.value, dot.low, dot.high) if end is not None and end > 0]
    where.set_yticks(range(len(dots)), [dot.label for dot in dots])
    _rows(where, len(dots))
    _scale(where, min(reach), max(reach))
    where.set_xlabel(f"{unit} per second (more is faster)")


def _scale(where: Axes, least: float, most: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    from ..blocks.numbers import short

    if most > 8 * least:
        where.set_xscale("log")
        where.set_xlim(least / 1.6, most * 1.6)
        decades = most / least
        where.xaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 300 else (1.0, 3.0)))
        where.xaxis.set_minor_locator(NullLocator())
    else:
        where.set_xlim(0, most * 1.08)
    where.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def _draw_fractions(where: Axes, dots: Sequence[ComparisonDot]) -> None:
    for row, dot in enumerate(dots):
        if dot.fraction is not None:
            where.barh(row, 100 * dot.fraction, height=0.5, color=dot.colour)
            where.text(100 * dot.fraction + 2, row, dot.share, va="center", fontsize=8)
    where.set_yticks([])
    _rows(where, len(dots))
    where.set_xlim(0, max(100.0, *(118 * (dot.fraction or 0) for dot in dots)))
    where.set_xticks([0, 50, 100])
    where.set_xlabel("% of the machine's limit")


def _draw_legend(where: Axes, dots: Sequence[ComparisonDot]) -> None:
    from matplotlib.lines import Line2D

    shown = [role for role in ROLES if any(dot.role == role for dot in dots)]
    handles = [
        Line2D([], [], color=canvas.INK, marker=ROLES[role][0], linestyle="", markersize=5, label=ROLES[role][1])
        for role in shown
    ]
    if any(dot.low is None for dot in dots):
        face = canvas.PAPER
        handles.append(
            Line2D([], [], color=canvas.MUTED, marker="o", markerfacecolor=face, linestyle="", label="no interval")
        )
    where.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, handletextpad=0.2, borderaxespad=0.2
    )
