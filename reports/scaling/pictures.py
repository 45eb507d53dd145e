"""The figure of a section: speed-up, efficiency and communication of its climbs."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.statistics import Fit

from ..figures import slopes
from ..summary.pictures import Picture
from .climbs import Climb, MpiTimes, Step, speed_of
from .sentences import details, name, reached

MOST = 6  # climbs in a figure: as many as can be told apart by colour
AHEAD = 4  # times as many cores as measured, so far a law is drawn
POINTS = 24  # of a law's curve


def picture(climbs: Sequence[Climb], key: str, title: str) -> Picture | None:
    """Return the figure of the climbs of one problem at one place; None if nothing was climbed."""
    shown = [climb for climb in climbs if climb.summit][:MOST]
    if not shown:
        return None
    what = f"{title}, {details(shown[0])}"
    lines = [_line(climb) for climb in shown]
    svg = slopes.draw(lines, key, f"Scaling: {what}", " ".join(map(reached, shown)))
    dashed = " Dashed: the law that was fitted, a projection, not measured." if any(one.law for one in lines) else ""
    spread = " Right: share of a repeat in calls to MPI." if any(one.shares for one in lines) else ""
    text = (
        f"{what}. Points: measured, geometric mean of the processes; lines through them: 95 % intervals; hollow: no"
        f" interval. Dotted: ideal.{dashed}{spread}"
    )
    more = len([climb for climb in climbs if climb.summit]) - len(shown)
    return Picture(svg=svg, caption=f"{text} {more} more are in the table." if more else text)


def _line(climb: Climb) -> slopes.Line:
    base = climb.measured[0]
    each = base.cores / base.count  # cores of a step
    speeds = [slopes.Dot(at=base.cores, value=float(base.cores), low=None, high=None, given=True)]
    efficiencies = [slopes.Dot(at=base.cores, value=100.0, low=None, high=None, given=True)]
    for step in climb.measured[1:]:
        if step.speed_up and step.efficiency:
            speeds.append(slopes.dot(step.cores, step.speed_up, base.cores))
            efficiencies.append(slopes.dot(step.cores, step.efficiency, 100.0))
    return slopes.Line(
        label=name(climb), speeds=speeds, efficiencies=efficiencies,
        shares=[slopes.dot(step.cores, step.talk.share, 100.0) for step in climb.measured if _talks(step)
                and isinstance(step.talk, MpiTimes)],
        law=_law(climb, base, each),
    )  # fmt: skip


def _talks(step: Step) -> bool:
    return isinstance(step.talk, MpiTimes)


def _law(climb: Climb, base: Step, each: float) -> list[tuple[float, float]]:
    """Return the law's curve, on the scale on which the lowest measured rung is ideal; empty without a fit."""
    fit, first = climb.fit, speed_of(base.entry)
    if not isinstance(fit, Fit) or climb.summit is None or first is None:
        return []
    ratio = (AHEAD * climb.summit.count / base.count) ** (1 / (POINTS - 1))
    counts = [base.count * ratio**point for point in range(POINTS)]
    return [(count * each, base.cores * speed / first) for count, speed in zip(counts, fit.speed(counts), strict=True)]
