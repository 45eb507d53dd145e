"""The same figures as CSV: one row per implementation and state, units in the names of the columns."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.evidence import phases
from daasbench.model import Basis

from ..blocks.caveats import Voids
from ..blocks.claims_in_words import LEVELS, details
from ..blocks.comparison_table import outcome, why
from ..blocks.csv_table import csv_text, interval_cells
from .real_time import real_time
from .starts import EntryStarts, ProblemStarts, whatever_start


def starts_csv(problems: Sequence[ProblemStarts]) -> str:
    """Return every measured start as CSV; a missing figure is an empty cell."""
    rows = [
        _row(problem, start)
        for problem in problems
        if problem.basis is Basis.MEASURED
        for mine in problem.by_implementation
        for start in mine
    ]
    return csv_text(rows, ["kernel"])


def _row(problem: ProblemStarts, start: EntryStarts) -> dict[str, object]:
    case, entry = start.case, start.entry
    row: dict[str, object] = {
        "kernel": case.kernel, "problem": details(whatever_start(case)), "implementation": case.implementation,
        "version": case.version, "start": case.start, "platform": entry.platform, "nodes": case.nodes,
        "ranks": case.ranks, "threads": case.threads, "gpus": case.gpus, "basis": entry.basis.value,
        "outcome": outcome(entry), "message": why(entry), "processes": len(entry.rows),
        "processes_counted": len(start.rows), "evidence_level": LEVELS[start.level][0],
        "unit": entry.unit, "units_of_first_result": entry.units,
    }  # fmt: skip
    row |= interval_cells("first_result_s", start.total)
    for phase in phases.PROCESS:
        row |= interval_cells(f"{phase}_s", start.phase(phase))
    row |= {f"{phase}_s": start.around.seconds.get(phase) for phase in phases.JOB}
    seen = start.start_evidence
    row |= {
        "evicted_by": seen[0].evicted_by if seen else None,
        "left_bytes": max((one.left_bytes for one in seen), default=None),
        "came_bytes": min((one.came_bytes for one in seen), default=None),
        "read_bytes": min((one.read_bytes for one in seen), default=None),
        "major_faults": min((one.major_faults for one in seen), default=None),
        "foreign_cpu": max((one.foreign for one in seen), default=None),
    }
    rate = problem.rate_of(start)
    kept = next((one for one in real_time(problem) if one.entry is rate), None)
    row |= {
        "beamline": kept.beamline.name if kept else None,
        "detector_units_per_s": kept.beamline.units_per_s if kept else None,
    }
    void = kept.caveat if kept else None
    other = void is not None and void.kind is Voids.SIZE  # then the factor is that of another detector
    row |= interval_cells("keep_up_factor", kept.factor if kept and not other else None)
    row["keep_up_missing_because"] = void.kind.value if void else None
    return row | {"commit": entry.first.commit}
