"""Scaling: speed-up and efficiency against cores, with the ideal, and the share of communication."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

APART = 0.035  # of a doubling: the distance of neighbours at one number of cores
MARKS = ("o", "s", "D", "^", "v", "P")


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A point; without `low` and `high` no interval is drawn, and it is hollow unless it is `given`."""

    at: float
    value: float
    low: float | None
    high: float | None
    given: bool = False  # by definition


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One scaling series: `law` is a projected curve, never drawn as measured; efficiencies and shares in percent."""

    label: str
    speeds: Sequence[CurvePoint]
    efficiencies: Sequence[CurvePoint]
    shares: Sequence[CurvePoint]
    law: Sequence[tuple[float, float]]
    colour: str = ""  # default: the next of the canvas


def dot(at: float, found: Any, scale: float) -> CurvePoint:
    """Return the point of an interval, its values times `scale`."""
    ends = (None if end is None else end * scale for end in (found.low, found.high))
    low, high = ends
    return CurvePoint(at=at, value=found.value * scale, low=low, high=high)


def draw(lines: Sequence[Curve], name: str, title: str, description: str) -> str:
    """Return the figure as SVG: two panels, and a third where communication was measured."""
    with canvas.style():
        talks = any(line.shares for line in lines)
        rows = math.ceil((len(lines) + 1 + any(line.law for line in lines)) / 3)
        top = 0.3 + 0.2 * rows
        figure = canvas.canvas(2.95 + top)
        width = (canvas.WIDTH_IN - 0.25) / (3 if talks else 2)
        panels = [
            canvas.axes(figure, 0.55 + width * index, 0.5, canvas.WIDTH_IN - width * (index + 1) + 0.05, top)
            for index in range(3 if talks else 2)
        ]
        cores = sorted({dot.at for line in lines for dot in line.speeds})
        far = max([cores[-1], *(at for line in lines for at, _ in line.law)])
        _draw_speeds(panels[0], lines, cores, far)
        _draw_percents(panels[1], lines, [line.efficiencies for line in lines], "efficiency, %", 100.0)
        if talks:
            _draw_percents(panels[2], lines, [line.shares for line in lines], "in calls to MPI, % of the time", None)
        _draw_legend(panels[0], lines)
        return canvas.svg(figure, name, title, description)


def _shift(index: int, count: int) -> float:
    return float(2 ** (APART * (index - (count - 1) / 2)))


def _colour(line: Curve, index: int) -> str:
    return line.colour or canvas.SERIES[index % len(canvas.SERIES)]


def _draw_dots(where: Axes, dots: Sequence[CurvePoint], colour: str, index: int, count: int) -> None:
    mark, shift = MARKS[index % len(MARKS)], _shift(index, count)
    where.plot([dot.at * shift for dot in dots], [dot.value for dot in dots], color=colour, linewidth=0.8, alpha=0.5)
    for dot in dots:
        whole = dot.low is not None and dot.high is not None
        if whole:
            where.vlines(dot.at * shift, dot.low or 0, dot.high or 0, color=colour, linewidth=1.6)
        face = colour if whole or dot.given else canvas.PAPER
        where.plot([dot.at * shift], [dot.value], mark, markersize=5, color=colour, markerfacecolor=face)


def _scale_cores(where: Axes, cores: Sequence[float], far: float) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    where.set_xscale("log", base=2)
    where.set_xlim(cores[0] / 1.25, far * 1.25)
    ticks = [*cores, *([far] if far > 1.5 * cores[-1] else [])]
    if len(ticks) > 7:
        ticks = [tick for tick in ticks if math.log2(tick / ticks[0]) % 2 == 0] or ticks[::2]
    where.xaxis.set_major_locator(FixedLocator(ticks))
    where.xaxis.set_minor_locator(NullLocator())
    where.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    where.set_xlabel("cores (ranks × threads)")
    where.grid(axis="y")


def _draw_speeds(where: Axes, lines: Sequence[Curve], cores: Sequence[float], far: float) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    where.plot([cores[0], far], [cores[0], far], color=canvas.MUTED, linewidth=1, linestyle=":")
    for index, line in enumerate(lines):
        colour = _colour(line, index)
        if line.law:
            at, speeds = zip(*line.law, strict=True)
            where.plot(at, speeds, color=colour, linewidth=1, linestyle=(0, (4, 3)))
        _draw_dots(where, line.speeds, colour, index, len(lines))
    _scale_cores(where, cores, far)
    where.set_yscale("log", base=2)
    values = [
        end for line in lines for dot in line.speeds for end in (dot.value, dot.low) if end is not None and end > 0
    ]
    low, high = min([cores[0], *values]), far
    where.set_ylim(low / 1.25, high * 1.25)
    first, last = math.floor(math.log2(low)), math.ceil(math.log2(high))
    where.yaxis.set_major_locator(
        FixedLocator([2.0**power for power in range(first, last + 1, 1 + (last - first) // 8)])
    )
    where.yaxis.set_minor_locator(NullLocator())
    where.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    where.set_ylabel("speed-up")


def _draw_percents(
    where: Axes, lines: Sequence[Curve], dots: Sequence[Sequence[CurvePoint]], label: str, ideal: float | None
) -> None:
    cores = sorted({dot.at for line in lines for dot in line.speeds})
    if ideal is not None:
        where.axhline(ideal, color=canvas.MUTED, linewidth=1, linestyle=":")
    for index, one in enumerate(dots):
        _draw_dots(where, one, _colour(lines[index], index), index, len(dots))
    _scale_cores(where, cores, cores[-1])
    ends = [end for one in dots for dot in one for end in (dot.value, dot.high) if end is not None]
    most = max([*ends, ideal or 1.0])
    where.set_ylim(0, min(most, 200.0 if ideal else 100.0) * 1.08)
    where.set_ylabel(label)


def _draw_legend(where: Axes, lines: Sequence[Curve]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=_colour(line, index), marker=MARKS[index % len(MARKS)],
               markersize=5, linewidth=0.8, label=line.label)
        for index, line in enumerate(lines)
    ]  # fmt: skip
    handles.append(Line2D([], [], color=canvas.MUTED, linestyle=":", linewidth=1, label="ideal"))
    if any(line.law for line in lines):
        handles.append(
            Line2D([], [], color=canvas.MUTED, linestyle=(0, (4, 3)), linewidth=1, label="fitted law (projected)")
        )
    where.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.12, 1.0), ncols=3, handletextpad=0.4, borderaxespad=0.2
    )
