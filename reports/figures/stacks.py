"""Phases: what a process spends its time on before, during and after one steady repeat, as stacked bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..blocks.numbers import duration, time_scale
from . import canvas


@dataclass(frozen=True, kw_only=True)
class StackedBar:
    """One bar: seconds by phase; a phase that was not observed is absent, not zero."""

    label: str
    seconds: Mapping[str, float]
    note: str = ""  # at its end; default: how long a steady repeat takes


COLUMNS = 6  # of the legend
PHASES: Mapping[str, tuple[str, str]] = {
    "make": ("make inputs", canvas.PARTS[8]),
    "put": ("put", canvas.PARTS[3]),
    "setup": ("set-up", canvas.PARTS[2]),
    "first_call": ("first call", canvas.PARTS[1]),
    "compute": ("compute, one repeat", canvas.PARTS[0]),
    "get": ("get", canvas.PARTS[5]),
}


def draw(
    stacks: Sequence[StackedBar],
    name: str,
    title: str,
    description: str,
    phases: Mapping[str, tuple[str, str]] = PHASES,
) -> str:
    """Return the phases as SVG: the parts in the order of `phases`, with their words and colours.

    At the end of a bar is its note, or how long a steady repeat takes.
    """
    from matplotlib.collections import PolyCollection

    with canvas.style():
        shown = [phase for phase in phases if any(stack.seconds.get(phase) for stack in stacks)]
        legend_in = 0.45 + 0.18 * ((len(shown) - 1) // COLUMNS)
        figure = canvas.canvas(0.65 + legend_in + 0.27 * len(stacks))
        where = canvas.axes(figure, canvas.label_margin([stack.label for stack in stacks]), 0.48, 1.75, legend_in)
        scale, sign = time_scale(max(sum(stack.seconds.values()) for stack in stacks))
        starts = [0.0] * len(stacks)
        for phase in shown:
            widths = [stack.seconds.get(phase, 0.0) / scale for stack in stacks]
            colour = phases[phase][1]
            ends = [start + width for start, width in zip(starts, widths, strict=True)]
            corners = [
                [(start, row - 0.31), (start, row + 0.31), (end, row + 0.31), (end, row - 0.31)]
                for row, (start, end) in enumerate(zip(starts, ends, strict=True))
            ]
            where.add_collection(PolyCollection(corners, facecolor=colour, label=phases[phase][0]), autolim=False)
            starts = ends
        for row, stack in enumerate(stacks):
            text = stack.note
            if not text and "compute" in stack.seconds:
                text = f"{duration(stack.seconds['compute'])[0]} per repeat"
            where.text(starts[row], row, f" {text}", va="center", fontsize=8)
        where.set_yticks(range(len(stacks)), [stack.label for stack in stacks])
        where.set_ylim(len(stacks) - 0.4, -0.6)
        where.tick_params(axis="y", length=0)
        where.grid(axis="x")
        where.set_xlim(0, max(starts) * 1.02)
        where.set_xlabel(f"{sign}, geometric mean over the processes, one after the other")
        where.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=COLUMNS, handlelength=0.9, handletextpad=0.4,
            columnspacing=1.1, borderaxespad=0.2,
        )  # fmt: skip
        return canvas.svg(figure, name, title, description)
