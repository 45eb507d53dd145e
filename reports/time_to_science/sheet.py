"""The same figures as a sheet: one line for each way and state, units in the names of the columns."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from daasbench.evidence import phases
from daasbench.model import Basis
from daasbench.statistics import Interval

from ..summary.lines import outcome, why
from ..summary.sentences import LEVELS, details
from .keeping import keeping
from .launches import Launch, Question, whatever_start

if TYPE_CHECKING:
    from .page import Page


def sheet(page: Page) -> str:
    """Return every measured launch as CSV; a missing figure is an empty cell."""
    rows = [
        _row(question, launch)
        for question in page.questions
        if question.basis is Basis.MEASURED
        for implementation in question.implementations
        for launch in implementation
    ]
    written = io.StringIO()
    writer = csv.DictWriter(written, fieldnames=list(rows[0]) if rows else ["kernel"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def _row(question: Question, launch: Launch) -> dict[str, object]:
    case, entry = launch.case, launch.entry
    row: dict[str, object] = {
        "kernel": case.kernel, "problem": details(whatever_start(case)), "implementation": case.implementation,
        "version": case.version, "start": case.start, "platform": entry.platform, "nodes": case.nodes,
        "ranks": case.ranks, "threads": case.threads, "gpus": case.gpus, "basis": entry.basis.value,
        "outcome": outcome(entry), "message": why(entry), "processes": len(entry.rows),
        "processes_counted": len(launch.rows), "evidence_level": LEVELS[launch.level][0],
        "unit": entry.unit, "units_of_first_result": entry.units,
    }  # fmt: skip
    row |= _spread("first_result_s", launch.total)
    for phase in phases.PROCESS:
        row |= _spread(f"{phase}_s", launch.phase(phase))
    row |= {f"{phase}_s": launch.errand.seconds.get(phase) for phase in phases.JOB}
    seen = launch.footings
    row |= {
        "evicted_by": seen[0].evicted_by if seen else None,
        "left_bytes": max((one.left_bytes for one in seen), default=None),
        "came_bytes": min((one.came_bytes for one in seen), default=None),
        "read_bytes": min((one.read_bytes for one in seen), default=None),
        "major_faults": min((one.major_faults for one in seen), default=None),
        "foreign_cpu": max((one.foreign for one in seen), default=None),
    }
    rate = question.rate_of(launch)
    kept = next((one for one in keeping(question) if one.entry is rate), None)
    row |= {
        "beamline": kept.beamline.name if kept else None,
        "detector_units_per_s": kept.beamline.units_per_s if kept else None,
    }
    row |= _spread("keep_up_factor", kept.factor if kept else None)
    return row | {"commit": entry.first.commit}


def _spread(name: str, found: Interval | None) -> dict[str, object]:
    """Return value, low and high under their names; all empty without a value."""
    return {
        name: found.value if found else None,
        f"{name}_low": found.low if found else None,
        f"{name}_high": found.high if found else None,
    }
