"""The raw samples over time, as they were taken, and above them the load by other processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..blocks.numbers import time_scale
from . import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = ("o", "s", "D", "^", "v", "P")  # entries of one implementation share its colour
COUNTS, WARM_UP, DISTURBED = 0, 1, 2
DISTURBING = 0.05  # a block with more foreign processor time than this is repeated (measure)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The samples of one implementation; times in seconds, foreign load as a share of the machine (0-1)."""

    label: str
    colour: str
    at_s: Sequence[float]
    seconds: Sequence[float]
    flags: Sequence[int]
    foreign: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A part of the time axis that was measured without a pause; `origin` is its clock's reading at `start`."""

    label: str
    origin: float
    start: float
    end: float


def draw(traces: Sequence[Trace], stretches: Sequence[Stretch], name: str, title: str, description: str) -> str:
    """Return the samples as SVG: dots count, rings are warm-ups, crosses were disturbed and repeated."""
    with canvas.style():
        figure = canvas.canvas(4.1)
        scale, sign = time_scale(min(s for trace in traces for s in trace.seconds if s > 0))
        samples = canvas.axes(figure, 0.75, 0.5, 2.5, 1.15)
        load = canvas.axes(figure, 0.75, 3.2, 2.5, 0.3)
        end = max(stretch.end for stretch in stretches) or 1.0
        for index, stretch in enumerate(stretches):
            for where in (samples, load):
                if index % 2 == 0:
                    where.axvspan(stretch.start, stretch.end, color=canvas.BAND, linewidth=0)
            middle = (stretch.start + stretch.end) / 2
            load.annotate(
                stretch.label, (middle, 0), xycoords=("data", "axes fraction"), xytext=(0, -10),
                textcoords="offset points", ha="center", fontsize=8, color=canvas.MUTED,
            )  # fmt: skip
        for index, trace in enumerate(traces):
            _draw_trace(samples, load, trace, MARKS[index % len(MARKS)], scale)
        for where in (samples, load):
            where.set_xlim(-0.02 * end, 1.02 * end)
            where.grid(axis="y")
        _finish(samples, load, sign, [s / scale for trace in traces for s in trace.seconds if s > 0])
        _draw_legend(samples, traces)
        return canvas.svg(figure, name, title, description)


def _draw_trace(samples: Axes, load: Axes, trace: Trace, mark: str, scale: float) -> None:
    colour = trace.colour
    marks = {COUNTS: (mark, colour, 3.0), WARM_UP: (mark, "none", 3.5), DISTURBED: ("x", colour, 4.5)}
    for flag, (marker, face, size) in marks.items():
        chosen = [i for i, f in enumerate(trace.flags) if f == flag and trace.seconds[i] > 0]
        if chosen:
            samples.plot(
                [trace.at_s[i] for i in chosen], [trace.seconds[i] / scale for i in chosen], marker,
                markersize=size, color=colour, markerfacecolor=face, markeredgewidth=0.9, linestyle="",
            )  # fmt: skip
    if trace.foreign:
        where = trace.at_s[: len(trace.foreign)]
        load.vlines(where, 0, [100 * share for share in trace.foreign], color=colour, linewidth=1.2)


def _finish(samples: Axes, load: Axes, sign: str, shown: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    from ..blocks.numbers import short

    low, high = min(shown), max(shown)
    if high > 5 * low:
        samples.set_yscale("log")
        samples.yaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 300 * low else (1.0, 2.0, 5.0)))
        samples.yaxis.set_minor_locator(NullLocator())
    samples.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    samples.set_ylabel(f"one repeat, {sign}")
    samples.set_xlabel("seconds of measuring, without the pauses between the sets of processes")
    load.axhline(100 * DISTURBING, color=canvas.ALARM, linewidth=0.8)
    load.set_ylim(0, max(10.0, load.get_ylim()[1]))
    load.set_xticklabels([])
    load.set_title(
        "processor time of other programs, % of the machine (above the line, samples are repeated)", fontsize=8
    )


def _draw_legend(where: Axes, traces: Sequence[Trace]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=t.colour, marker=MARKS[i % len(MARKS)], markersize=4, linestyle="", label=t.label)
        for i, t in enumerate(traces)
    ]
    for marker, face, label in (("o", "none", "hollow: warm-up"), ("x", canvas.INK, "disturbed, repeated")):
        handles.append(
            Line2D(
                [], [], color=canvas.INK, marker=marker, markerfacecolor=face, markersize=4, linestyle="", label=label
            )
        )
    where.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.38), handletextpad=0.2, borderaxespad=0)
