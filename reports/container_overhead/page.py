"""The figures as words, tables and drawings."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.statistics import Interval, too_uncertain

from ..blocks.answer import Answered
from ..blocks.csv_table import csv_text
from ..blocks.intervals import Cell, cell
from ..blocks.numbers import joined, time_unit
from ..blocks.page import CaptionedFigure, page_frame, render
from ..figures import bars, canvas
from .answer import UNASKED, Speed, answer_box, in_words, missing, question, speed, start_caveat
from .overhead import PLAIN, ContainerStart, Overhead, SlowDown, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from daasbench.evidence import Evidence

TEMPLATES = Path(__file__).parent / "templates"
COLUMNS = ("what", "platform", "native", "value", "low", "high", "unit", "processes", "took_turns")
TICKS = (1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # of a ratio, and one over each
NARROW = 1.1  # the ratio axis reaches at least so far on both sides of 1


def page_text(evidence: Evidence, found: Overhead, wanted: str) -> str:
    """Return the page as ``"html"`` or ``"md"``."""
    drawn = wanted == "html"
    box = answer_box(evidence, found)
    top = _starts_figure(found) if drawn else None
    ratios = _ratios_figure(found) if drawn else None
    return render(
        f"container_overhead.{wanted}.j2",
        page_frame(evidence, "container_overhead"),
        TEMPLATES,
        answered=(Answered(question=question(evidence, found) if found.starts or found.slow_downs else UNASKED,
                           box=box, figure=top or ratios),),
        found=found,
        missing=missing(evidence, found),
        level=level(found),
        starts=[(start, *_start_words(start)) for start in found.starts],
        rows=[_row(one) for one in found.slow_downs],
        ratios=ratios if top else None,
    )  # fmt: skip


def _row(one: SlowDown) -> tuple[SlowDown, str, Cell, Cell, str]:
    """Return a case, what it is, its times outside and inside, and the verdict."""
    return one, title(one.case).replace("_", " "), times(one.outside), times(one.inside), in_words(one)


def times(seconds: Interval) -> Cell:
    """Return a time, and below it its interval or the range of too few processes."""
    return cell(seconds, time_unit)


def _start_words(start: ContainerStart) -> tuple[Cell, str]:
    """Return what a start takes, and why this is too little to go by, if it is."""
    void = start_caveat(start)
    return times(start.seconds), void.kind.value if void else ""


def level(found: Overhead) -> tuple[str, str]:
    """Return the evidence level of the weakest figure, and what it says."""
    figures = [one.seconds for one in found.starts] + [one.ratio for one in found.slow_downs]
    if not figures:
        return "L0", "nothing that was verified"
    if any(one.low is None or too_uncertain(one) for one in figures):
        return (
            "L1",
            "every repeat verified; some figures come from too few processes, or are too uncertain",
        )
    return "L2", "every repeat verified, three processes or more, with 95 % intervals across them"


def overhead_csv(found: Overhead) -> str:
    """Return starts and ratios as CSV; a missing end of an interval is an empty cell."""
    rows = [
        (start.probe, start.platform, "", *_ends_in_full(start.seconds), "s", start.seconds.n, "")
        for start in found.starts
    ] + [
        (title(one.case), one.platform, one.native, *_ends_in_full(one.ratio), "ratio of times", one.ratio.n,
         "yes" if one.interleaved else "no")
        for one in found.slow_downs
    ]  # fmt: skip
    return csv_text([dict(zip(COLUMNS, row, strict=True)) for row in rows], COLUMNS)


def _ends_in_full(found: Interval) -> tuple[float | None, float | None, float | None]:
    return found.value, found.low, found.high


# --- the figures ----------------------------------------------------------------------------------------------


def _starts_figure(found: Overhead) -> CaptionedFigure | None:
    """Return the starts as bars from zero; one that is too uncertain has no bar but says so."""
    if not any(start_caveat(start) is None for start in found.starts):
        return None
    rows = []
    for start in found.starts:
        sure = start_caveat(start) is None
        colour = canvas.REFERENCE if start.probe == PLAIN else canvas.SERIES[0]
        rows.append(
            bars.Bar(
                label=start.what,
                text=joined(times(start.seconds)) if sure else "cannot be told yet",
                colour=colour,
                value=start.seconds.value if sure else None,
                low=start.seconds.low if sure else None,
                high=start.seconds.high if sure else None,
            )
        )
    text = "Time from starting a process until it has ended; the process does almost nothing."
    drawn = bars.draw([bars.BarGroup(title=text, bars=tuple(rows))])
    return CaptionedFigure(svg=drawn, title=_slowest(found), caption="Lines: 95 % intervals.")


def _slowest(found: Overhead) -> str:
    """Return what takes longest to start, if its interval is above all others; else what is drawn."""
    sure = sorted((one for one in found.starts if start_caveat(one) is None), key=lambda one: one.seconds.value)
    if len(sure) < 2 or (sure[-1].seconds.low or 0.0) <= max(one.seconds.high or math.inf for one in sure[:-1]):
        return "Time of one start"
    return f"{sure[-1].what[0].upper()}{sure[-1].what[1:]} takes longest to start"


def _ratios_figure(found: Overhead) -> CaptionedFigure | None:
    """Return how many times as long each case takes inside, on a logarithmic axis around 1."""
    drawn = [one for one in found.slow_downs if isinstance(speed(one), Speed)]
    if not drawn:
        return None
    labels = [_label(one) for one in drawn]
    with canvas.style():
        figure = canvas.canvas(0.95 + 0.3 * len(drawn))
        where = canvas.axes(figure, canvas.label_margin(labels), 0.5, 0.25, 0.3)
        for at, one in enumerate(drawn):
            colour = canvas.MUTED if speed(one) is Speed.UNCLEAR else canvas.SERIES[0]
            where.plot([one.ratio.low or 1, one.ratio.high or 1], [at, at], color=colour, linewidth=1.6)
            where.plot(one.ratio.value, at, "o", color=colour, markersize=5)
        _scale(where, [end for one in drawn for end in (one.ratio.low, one.ratio.high) if end])
        where.set_yticks(range(len(labels)), labels)
        where.set_ylim(len(labels) - 0.4, -0.6)
        where.tick_params(axis="y", length=0)
        where.grid(axis="x")
        where.spines["left"].set_visible(False)
        said = "; ".join(f"{_label(one)}: {in_words(one)}" for one in drawn)
        svg = canvas.svg(figure, "overhead", "How many times as long a repeat takes inside a container", said)
    text = "Dots: how many times as long a repeat takes inside; lines: 95 % intervals. Grey: no clear difference."
    return CaptionedFigure(svg=svg, title=said, caption=text)


def _label(one: SlowDown) -> str:
    what = str(one.case.options.get("probe") or one.case.kernel).replace("_", " ")
    return f"{what}, {one.where}"


def _scale(where: Axes, ends: list[float]) -> None:
    """Let the axis reach as far to both sides of 1 as the intervals do, and say which side is slower."""
    from matplotlib.ticker import FixedLocator, NullLocator

    far = max([NARROW, *ends, *(1 / end for end in ends)]) ** 1.15
    where.set_xlim(1 / far, far)
    where.set_xscale("log")
    shown = [tick for tick in TICKS if far**0.2 <= tick <= far][:3]
    where.xaxis.set_major_locator(FixedLocator(sorted([1.0, *shown, *(1 / tick for tick in shown)])))
    where.xaxis.set_minor_locator(NullLocator())
    where.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    where.axvline(1.0, color=canvas.INK, linewidth=0.8)
    where.set_xlabel("times as long as outside")
    for at, text, side in ((0.0, "faster inside", "left"), (1.0, "slower inside", "right")):
        where.annotate(text, (at, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points",
                       ha=side, fontsize=8, color=canvas.MUTED)  # fmt: skip
