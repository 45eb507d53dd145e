"""Roofline: arithmetic intensity against speed, under the limits that were measured on the same machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..blocks.numbers import flow, prefix, short
from . import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = ("o", "s", "D", "^", "v", "P")
LINE = 1.35  # factor of speed between two labels


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """A limit: bytes per second (a slope) or floating-point operations per second (a level)."""

    label: str
    value: float
    slope: bool


@dataclass(frozen=True, kw_only=True)
class RooflinePoint:
    """One implementation: operations per byte of least traffic, and operations per second reached."""

    label: str
    group: str  # what shares a marker: the kernel
    colour: str
    intensity: float
    speed: float


def draw(ceilings: Sequence[Ceiling], points: Sequence[RooflinePoint], name: str, title: str, description: str) -> str:
    """Return the roofline as SVG; every point has its name beside it, points of one group share a marker."""
    from matplotlib.ticker import FuncFormatter

    with canvas.style():
        figure = canvas.canvas(3.9)
        where = canvas.axes(figure, 0.75, 0.5, 2.3, 0.2)
        where.set_xscale("log")
        where.set_yscale("log")
        _draw_points(where, points)
        _draw_ceilings(where, ceilings, [point.intensity for point in points])
        where.set_xlabel("floating-point operations per byte of the minimum memory traffic")
        where.set_ylabel("floating-point operations per second")
        for axis in (where.xaxis, where.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: _axis_number(value)))
        where.grid(which="major")
        return canvas.svg(figure, name, title, description)


def _draw_ceilings(where: Axes, ceilings: Sequence[Ceiling], intensities: Sequence[float]) -> None:
    slopes = [ceiling for ceiling in ceilings if ceiling.slope]
    levels = sorted((ceiling for ceiling in ceilings if not ceiling.slope), key=lambda level: level.value)
    low, high = min(intensities) / 5, max(intensities) * 8
    if slopes and levels:
        high = max(high, 8 * levels[-1].value / slopes[0].value)
    for slope in slopes:
        stop = min(high, levels[-1].value / slope.value) if levels else high
        where.plot([low, stop], [low * slope.value, stop * slope.value], color=canvas.INK, linewidth=1.2)
        where.text(
            low * 1.6, low * slope.value * 0.75, f"{slope.label} {flow(slope.value, 'B/s')}",
            va="top", fontsize=8, color=canvas.MUTED,
        )  # fmt: skip
    for level in levels:
        start = level.value / slopes[0].value if slopes else low
        where.plot([start, high], [level.value] * 2, color=canvas.INK, linewidth=1.2)
        where.text(
            high / 1.1, level.value * 1.12, f"{level.label} {flow(level.value, 'flop/s')}",
            ha="right", fontsize=8, color=canvas.MUTED,
        )  # fmt: skip
    where.set_xlim(low, high)


def _axis_number(value: float) -> str:
    scale, sign = prefix(value)
    return f"{short(value / scale)} {sign}".strip()


def _draw_points(where: Axes, points: Sequence[RooflinePoint]) -> None:
    from matplotlib.lines import Line2D

    groups = list(dict.fromkeys(point.group for point in points))
    handles = []
    for index, group in enumerate(groups):
        mark = MARKS[index % len(MARKS)]
        mine = sorted((point for point in points if point.group == group), key=lambda point: point.speed)
        below = 0.0
        for point in mine:
            where.plot([point.intensity], [point.speed], mark, markersize=5.5, color=point.colour)
            height = max(point.speed, LINE * below)  # labels of near points do not overlap
            where.annotate(
                point.label, (point.intensity, height), xytext=(6, 0), textcoords="offset points",
                va="center", fontsize=8,
            )  # fmt: skip
            below = height
        handles.append(Line2D([], [], color=canvas.INK, marker=mark, linestyle="", markersize=5, label=group))
    where.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), handletextpad=0.3, borderaxespad=0)
