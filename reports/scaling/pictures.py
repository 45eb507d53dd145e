"""The figures: speed-ups as bars at the top; speed-up, efficiency and communication of each problem as curves."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.scenario.scaling_series import Intent
from daasbench.statistics import Fit, too_uncertain

from ..blocks.claims_in_words import title
from ..blocks.numbers import joined
from ..blocks.page import CaptionedFigure
from ..figures import bars, slopes
from ..figures.palette import colours
from .scaling_series import Communication, ScalingSeries, SeriesPoint, speed_of
from .sentences import as_factor, details, name, reached, steps
from .verdict import verdict

MOST_BARS = 16  # of the figure above
MOST = 6  # series in a figure: as many as there are colours to distinguish
AHEAD = 4  # times as many cores as measured, so far a law is drawn
CURVE_POINTS = 24  # of a law's curve


def overview(series: Sequence[ScalingSeries], finding: str) -> CaptionedFigure | None:
    """Return the speed-ups of the first series as bars, which a phone shows too; None if none has a verdict."""
    drawable = [one for one in series if verdict(one).caveat is None]
    shown: list[ScalingSeries] = []
    for one in drawable:
        if shown and sum(len(other.measured) for other in (*shown, one)) > MOST_BARS:
            break
        shown.append(one)
    if not shown:
        return None
    chosen = colours(one.case.implementation for one in shown)
    groups = [_bars(one, chosen[one.case.implementation]) for one in shown]
    more = f" {len(drawable) - len(shown)} more are in the tables." if len(drawable) > len(shown) else ""
    caption = f"Lines: 95 % intervals. A value of 4 with 4 ranks would be ideal.{more}"
    return CaptionedFigure(svg=bars.draw(groups), title=finding, caption=caption)


def _bars(series: ScalingSeries, colour: str) -> bars.BarGroup:
    base = series.measured[0]
    unit = "work per second" if series.intent is Intent.WEAK else "speed"
    what = f"{series.case.kernel.replace('_', ' ')}, {series.case.implementation}, size {series.case.size}"
    rows = [bars.Bar(label=steps(base.count, series.unit), text="1 ×", colour=colour, value=1.0)]
    for point in series.measured[1:]:
        found = point.speed_up
        sure = _is_sure(point)
        rows.append(
            bars.Bar(
                label=steps(point.count, series.unit),
                text=joined(as_factor(found)) if found and sure else "too uncertain or too few processes",
                colour=colour,
                value=found.value if found and sure else None,
                low=found.low if found and sure else None,
                high=found.high if found and sure else None,
            )
        )
    return bars.BarGroup(title=f"{what}: {unit} in multiples of {steps(base.count, series.unit)}", bars=tuple(rows))


def picture(series: Sequence[ScalingSeries], key: str) -> CaptionedFigure | None:
    """Return the figure of the series of one problem on one platform; None if none has a speed-up to draw."""
    drawable = [one for one in series if any(map(_is_sure, one.measured[1:]))]
    shown = drawable[:MOST]
    if not shown:
        return None
    what = f"{title(shown[0].case)}, {details(shown[0])}"
    chosen = colours(one.case.implementation for one in shown)
    curves = [_curve(one, chosen[one.case.implementation]) for one in shown]
    said = " ".join(map(reached, shown))
    svg = slopes.draw(curves, key, f"Scaling: {what}", said)
    dashed = " Dashed: the law that was fitted, a projection, not measured." if any(one.law for one in curves) else ""
    spread = " Right: share of the time in calls to MPI." if any(one.shares for one in curves) else ""
    text = (
        f"Points: measured, geometric mean of the processes; vertical lines: 95 % intervals; hollow: no"
        f" interval. Dotted: ideal.{dashed}{spread}"
    )
    more = len(drawable) - len(shown)
    return CaptionedFigure(svg=svg, title=said, caption=f"{text} {more} more are in the table." if more else text)


def _is_sure(point: SeriesPoint) -> bool:
    """Return whether a speed-up has an interval that says something."""
    found = point.speed_up
    return found is not None and found.low is not None and not too_uncertain(found)


def _curve(series: ScalingSeries, colour: str) -> slopes.Curve:
    base = series.measured[0]
    each = base.cores / base.count  # cores of a rank or thread
    speeds = [slopes.CurvePoint(at=base.cores, value=float(base.cores), low=None, high=None, given=True)]
    efficiencies = [slopes.CurvePoint(at=base.cores, value=100.0, low=None, high=None, given=True)]
    for point in series.measured[1:]:
        if point.speed_up and point.efficiency and _is_sure(point):
            speeds.append(slopes.dot(point.cores, point.speed_up, base.cores))
            efficiencies.append(slopes.dot(point.cores, point.efficiency, 100.0))
    return slopes.Curve(
        label=name(series), colour=colour, speeds=speeds, efficiencies=efficiencies,
        shares=[slopes.dot(point.cores, point.communication.share, 100.0) for point in series.measured
                if isinstance(point.communication, Communication)],
        law=_law(series, base, each),
    )  # fmt: skip


def _law(series: ScalingSeries, base: SeriesPoint, each: float) -> list[tuple[float, float]]:
    """Return the law's curve, on the scale on which the first measured point is ideal; empty without a fit."""
    fit, first = series.fit, speed_of(base.entry)
    if not isinstance(fit, Fit) or series.largest is None or first is None:
        return []
    ratio = (AHEAD * series.largest.count / base.count) ** (1 / (CURVE_POINTS - 1))
    counts = [base.count * ratio**point for point in range(CURVE_POINTS)]
    return [(count * each, base.cores * speed / first) for count, speed in zip(counts, fit.speed(counts), strict=True)]
