"""The figure of a section: speed-up, efficiency and communication of its series."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.statistics import Fit

from ..blocks.page import CaptionedFigure
from ..figures import slopes
from .scaling_series import Communication, ScalingSeries, SeriesPoint, speed_of
from .sentences import details, name, reached

MOST = 6  # series in a figure: as many as there are colours to distinguish
AHEAD = 4  # times as many cores as measured, so far a law is drawn
CURVE_POINTS = 24  # of a law's curve


def picture(series: Sequence[ScalingSeries], key: str, title: str) -> CaptionedFigure | None:
    """Return the figure of the series of one problem on one platform; None if no series has two points."""
    drawable = [one for one in series if one.largest]
    shown = drawable[:MOST]
    if not shown:
        return None
    what = f"{title}, {details(shown[0])}"
    curves = [_curve(one) for one in shown]
    svg = slopes.draw(curves, key, f"Scaling: {what}", " ".join(map(reached, shown)))
    dashed = " Dashed: the law that was fitted, a projection, not measured." if any(one.law for one in curves) else ""
    spread = " Right: share of a repeat in calls to MPI." if any(one.shares for one in curves) else ""
    text = (
        f"{what}. Points: measured, geometric mean of the processes; lines through them: 95 % intervals; hollow: no"
        f" interval. Dotted: ideal.{dashed}{spread}"
    )
    more = len(drawable) - len(shown)
    return CaptionedFigure(svg=svg, caption=f"{text} {more} more are in the table." if more else text)


def _curve(series: ScalingSeries) -> slopes.Curve:
    base = series.measured[0]
    each = base.cores / base.count  # cores of a rank or thread
    speeds = [slopes.CurvePoint(at=base.cores, value=float(base.cores), low=None, high=None, given=True)]
    efficiencies = [slopes.CurvePoint(at=base.cores, value=100.0, low=None, high=None, given=True)]
    for point in series.measured[1:]:
        if point.speed_up and point.efficiency:
            speeds.append(slopes.dot(point.cores, point.speed_up, base.cores))
            efficiencies.append(slopes.dot(point.cores, point.efficiency, 100.0))
    return slopes.Curve(
        label=name(series), speeds=speeds, efficiencies=efficiencies,
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
