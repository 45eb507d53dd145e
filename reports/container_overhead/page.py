"""The figures as words, tables and a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.statistics import Interval

from ..blocks.csv_table import csv_text
from ..blocks.numbers import duration, joined, listed, number
from ..blocks.page import CaptionedFigure, page_frame, render
from ..figures import canvas
from .overhead import Overhead, SlowDown, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from daasbench.evidence import Evidence

TEMPLATES = Path(__file__).parent / "templates"
WIDE = 3.0  # a ratio above it is drawn on a logarithmic axis
NO_INTERVAL = "one process gives no interval, so nothing is claimed"
COLUMNS = ("what", "platform", "native", "value", "low", "high", "unit", "processes", "took_turns")
CAPTION = (
    "Dots: geometric means across processes; lines: 95 % intervals. A start is that of one process that says where it"
    " runs and ends."
)


def page_text(evidence: Evidence, found: Overhead, wanted: str) -> str:
    """Return the page as ``"html"`` or ``"md"``."""
    svg = _figure(found) if wanted == "html" else ""
    return render(
        f"container_overhead.{wanted}.j2",
        page_frame(evidence, "container_overhead"),
        TEMPLATES,
        found=found,
        answers=answers(found),
        level=level(found),
        starts=[(start, times(start.seconds)) for start in found.starts],
        rows=[
            (one, title(one.case), times(one.outside), times(one.inside), by_how_much(one)) for one in found.slow_downs
        ],
        figure=CaptionedFigure(svg=svg, caption=CAPTION) if svg else None,
    )


def times(seconds: Interval) -> str:
    """Return a duration with its interval, in one text."""
    return joined(duration(seconds.value, seconds.low, seconds.high))


def by_how_much(one: SlowDown) -> str:
    """Return the slow-down in words that claim no more than its interval."""
    low, high = one.ratio.low, one.ratio.high
    if low is None or high is None:
        return NO_INTERVAL
    bounds = f"[{number(low, 4)}, {number(high, 4)}]"
    if not one.decided:
        return f"no difference shown: {number(one.ratio.value, 4)} × as long {bounds}"
    word = "slower" if one.ratio.value > 1 else "faster"
    return f"{word}: {number(one.ratio.value, 4)} × as long {bounds}"


def answers(found: Overhead) -> list[str]:
    """Return the answer in sentences: first of starts, then of each container."""
    said = []
    if found.starts:
        parts = listed(f"{start.what} {times(start.seconds)}" for start in found.starts)
        said.append(f"One start takes, to its end: {parts}.")
    for name in dict.fromkeys(one.platform for one in found.slow_downs):
        mine = [one for one in found.slow_downs if one.platform == name]
        parts = "; ".join(f"{title(one.case)}: {by_how_much(one)}" for one in mine)
        rounds = (
            ""
            if all(one.interleaved for one in mine)
            else " These platforms did not run alternately: drift may be in it."
        )
        said.append(f"On {name} ({mine[0].container}), against {mine[0].native}: {parts}.{rounds}")
    return said or ["Nothing was measured yet that answers it: run the scenario container_overhead."]


def level(found: Overhead) -> tuple[str, str]:
    """Return the evidence level of the weakest figure, and what it says."""
    counts = [one.seconds.n for one in found.starts] + [one.ratio.n for one in found.slow_downs]
    if not counts:
        return "L0", "nothing that was verified"
    if min(counts) < 2:
        return "L1", "verified; some figures come from one process, have no interval, and claim nothing"
    return "L2", "verified, several processes; in brackets the 95 % interval across them"


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


# --- the figure -----------------------------------------------------------------------------------------------


def _figure(found: Overhead) -> str:
    """Return both answers as one SVG: starts above, on a logarithmic axis, and slow-downs below."""
    if not found.starts and not found.slow_downs:
        return ""
    labels = [start.what for start in found.starts] + [_label(one) for one in found.slow_downs]
    tall = (0.27 * len(found.starts), 0.27 * len(found.slow_downs))
    with canvas.style():
        figure = canvas.canvas(2.2 + sum(tall))
        left = canvas.label_margin(labels)
        if found.starts:
            where = canvas.axes(figure, left, 1.55 + tall[1], 0.25, 0.2)
            _draw(where, [(start.what, start.seconds, canvas.OURS) for start in found.starts], scale=1e3)
            _scale(where, [1e3 * value for start in found.starts for value in _ends(start.seconds)], log=True)
            where.set_xlabel("one start, ms (logarithmic)")
        if found.slow_downs:
            where = canvas.axes(figure, left, 0.5, 0.25, (1.3 + tall[0]) if found.starts else 0.2)
            colours = [canvas.OURS if one.decided else canvas.MUTED for one in found.slow_downs]
            rows = [(_label(one), one.ratio, colour) for one, colour in zip(found.slow_downs, colours, strict=True)]
            _draw(where, rows, scale=1.0)
            ends = [value for _, interval, _ in rows for value in _ends(interval)]
            _scale(where, [1.0, *ends], log=max(ends) > WIDE)
            where.axvline(1.0, color=canvas.INK, linewidth=0.8)
            where.set_xlabel("times as long as outside; a grey interval includes 1")
        return canvas.svg(figure, "overhead", "Starts and slow-downs of containers", " ".join(answers(found)))


def _label(one: SlowDown) -> str:
    probe = one.case.options.get("probe")
    return f"{probe or one.case.kernel}, {one.platform}"


def _ends(interval: Interval) -> list[float]:
    return [value for value in (interval.low, interval.value, interval.high) if value is not None]


def _scale(where: Axes, ends: list[float], *, log: bool) -> None:
    """Let an axis hold all of `ends`, with room on both sides also where all are one value."""
    low, high = min(ends), max(ends)
    if log:
        where.set_xlim(low / 1.5, high * 1.5)  # first: a scale looks at the limits
        where.set_xscale("log")
    else:
        room = max(0.05 * (high - low), 0.01 * high)
        where.set_xlim(low - room, high + room)


def _draw(where: Axes, rows: list[tuple[str, Interval, str]], *, scale: float) -> None:
    where.set_autoscalex_on(False)
    for at, (_, interval, colour) in enumerate(rows):
        if interval.low is not None and interval.high is not None:
            where.plot([scale * interval.low, scale * interval.high], [at, at], color=colour, linewidth=1.6)
        hollow = interval.low is None
        where.plot(scale * interval.value, at, "o", color=colour, markersize=5, fillstyle="none" if hollow else "full")
    where.set_yticks(range(len(rows)), [label for label, *_ in rows])
    where.set_ylim(len(rows) - 0.4, -0.6)
    where.tick_params(axis="y", length=0)
    where.grid(axis="x")
    where.spines["left"].set_visible(False)
