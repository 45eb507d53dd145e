"""The same figures as CSV: one row per point, units in the names of the columns."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.evidence.claims import level
from daasbench.statistics import Fit, Interval

from ..blocks.claims_in_words import LEVELS
from ..blocks.comparison_table import outcome
from ..blocks.csv_table import csv_text, interval_cells
from .scaling_series import ENOUGH, Communication, ScalingSeries, SeriesPoint
from .sentences import details, fault

HEAD = ("kernel", "problem", "intent", "implementation", "version", "platform", "step", "nodes", "ranks", "threads",
        "cores", "grown", "outcome", "message", "evidence_level", "series_level")  # fmt: skip


def series_csv(series: Sequence[ScalingSeries]) -> str:
    """Return the points as CSV; a missing figure is an empty cell, with its reason in a cell of its own."""
    return csv_text([_row(one, point) for one in series for point in one.points], HEAD)


def _row(series: ScalingSeries, point: SeriesPoint) -> dict[str, object]:
    case = point.entry.case
    words = (
        case.kernel, details(series), series.intent.value, case.implementation, case.version, series.platform,
        series.unit, case.nodes, case.ranks, case.threads, point.cores, case.grown, outcome(point.entry), fault(point),
        LEVELS[level(point.entry)][0], LEVELS[series.level][0],
    )  # fmt: skip
    good = point.fault is None
    return (
        dict(zip(HEAD, words, strict=True))
        | interval_cells("time_s", point.entry.time if good else None)
        | {"base": series.base.count if good and series.base else None}
        | interval_cells("speed_up", _sure(point.speed_up))
        | interval_cells("efficiency", _sure(point.efficiency))
        | interval_cells("incremental_efficiency", _sure(point.gain))
        | _communication(point, good)
        | _law(series)
    )


def _sure(found: Interval | None) -> Interval | None:
    """Return a ratio that has an interval; without one nothing is claimed."""
    return found if found and found.low is not None else None


def _communication(point: SeriesPoint, good: bool) -> dict[str, object]:
    found = point.communication if good else fault(point)
    seen = found if isinstance(found, Communication) else None
    return interval_cells("mpi_share", seen.share if seen else None) | {
        "mpi_share_least_rank": seen.least if seen else None,
        "mpi_share_most_rank": seen.most if seen else None,
        "mpi_calls": seen.calls if seen else None,
        "mpi_clock_share": seen.clock if seen else None,
        "mpi_missing_because": None if seen else found,
    }


def _law(series: ScalingSeries) -> dict[str, object]:
    """Return the projection, in columns that say that it is one."""
    found = series.fit
    fit = found if isinstance(found, Fit) else None
    beyond = fit.enough(ENOUGH) if fit else (None, None, None)
    return (
        {"projected_law": fit.law.value if fit else None}
        | interval_cells("projected_serial_fraction", fit.serial if fit else None)
        | {"projected_lack_of_fit": fit.lack_of_fit if fit else None, "projected_enough": ENOUGH}
        | dict(zip(("projected_beyond", "projected_beyond_low", "projected_beyond_high"), beyond, strict=True))
        | {"projection_missing_because": None if fit else found}
    )
