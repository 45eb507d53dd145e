"""The same figures as a sheet: one line for each rung, units in the names of the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from daasbench.statistics import Fit, Interval

from ..summary.claims import level
from ..summary.lines import outcome
from ..summary.sentences import LEVELS
from .climbs import ENOUGH, Climb, MpiTimes, Step
from .sentences import details, fault

HEAD = ("kernel", "problem", "intent", "implementation", "version", "platform", "step", "nodes", "ranks", "threads",
        "cores", "grown", "outcome", "message", "evidence_level", "climb_level")  # fmt: skip


def sheet(climbs: Sequence[Climb]) -> str:
    """Return the rungs as CSV; a missing figure is an empty cell, with its reason in a cell of its own."""
    rows = [_row(climb, step) for climb in climbs for step in climb.steps]
    written = io.StringIO()
    writer = csv.DictWriter(written, fieldnames=list(rows[0]) if rows else HEAD, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def _row(climb: Climb, step: Step) -> dict[str, object]:
    case = step.entry.case
    words = (
        case.kernel, details(climb), climb.intent.value, case.implementation, case.version, climb.platform, climb.unit,
        case.nodes, case.ranks, case.threads, step.cores, case.grown, outcome(step.entry), fault(step),
        LEVELS[level(step.entry)][0], LEVELS[climb.level][0],
    )  # fmt: skip
    good = step.fault is None
    return (
        dict(zip(HEAD, words, strict=True))
        | _spread("median_s", step.entry.time if good else None)
        | {"base": climb.base.count if good and climb.base else None}
        | _spread("speed_up", _sure(step.speed_up))
        | _spread("efficiency", _sure(step.efficiency))
        | _spread("gain_of_a_step", _sure(step.gain))
        | _talk(step, good)
        | _law(climb)
    )


def _sure(found: Interval | None) -> Interval | None:
    """Return a ratio that has an interval; without one nothing is claimed."""
    return found if found and found.low is not None else None


def _spread(name: str, found: Interval | None) -> dict[str, object]:
    """Return value, low and high under their names; all empty without a value."""
    return {
        name: found.value if found else None,
        f"{name}_low": found.low if found else None,
        f"{name}_high": found.high if found else None,
    }


def _talk(step: Step, good: bool) -> dict[str, object]:
    found = step.talk if good else fault(step)
    seen = found if isinstance(found, MpiTimes) else None
    return _spread("mpi_share", seen.share if seen else None) | {
        "mpi_share_least_rank": seen.least if seen else None,
        "mpi_share_most_rank": seen.most if seen else None,
        "mpi_calls": seen.calls if seen else None,
        "mpi_clock_share": seen.clock if seen else None,
        "mpi_missing_because": None if seen else found,
    }


def _law(climb: Climb) -> dict[str, object]:
    """Return the projection, in columns that say that it is one."""
    found = climb.fit
    fit = found if isinstance(found, Fit) else None
    beyond = fit.enough(ENOUGH) if fit else (None, None, None)
    return (
        {"projected_law": fit.law.value if fit else None}
        | _spread("projected_serial_fraction", fit.serial if fit else None)
        | {"projected_lack_of_fit": fit.lack_of_fit if fit else None, "projected_enough": ENOUGH}
        | dict(zip(("projected_beyond", "projected_beyond_low", "projected_beyond_high"), beyond, strict=True))
        | {"projection_missing_because": None if fit else found}
    )
