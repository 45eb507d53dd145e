"""The same figures as CSV: one row per entry, units in the names of the columns."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.evidence.claims import ComparisonGroup, ProblemResults, compare, level
from daasbench.evidence.entries import Entry
from daasbench.model import Basis
from daasbench.statistics import Interval

from ..blocks.claims_in_words import LEVELS, details
from ..blocks.comparison_table import outcome, role, why
from ..blocks.csv_table import csv_text, interval_cells
from ..blocks.intervals import speed_of


def csv_files(problems: Sequence[ProblemResults]) -> dict[str, str]:
    """Return one CSV per basis that has entries, by file name; a missing figure is an empty cell."""
    names = {basis: "summary.csv" if basis is Basis.MEASURED else f"summary-{basis}.csv" for basis in Basis}
    return {names[basis]: csv_text(rows) for basis in Basis if (rows := _rows(problems, basis))}


def _rows(problems: Sequence[ProblemResults], basis: Basis) -> list[dict[str, object]]:
    return [
        _row(problem, entry, group)
        for problem in problems
        for group in problem.groups
        if group.basis is basis
        for entry in group.entries
    ]


def _row(problem: ProblemResults, entry: Entry, group: ComparisonGroup) -> dict[str, object]:
    case, work = entry.case, next((row.record.work for row in entry.rows if row.record.work), None)
    good = entry in group.comparable
    return (
        {
            "kernel": case.kernel, "problem": details(case), "problem_id": problem.id, "size": case.size,
            "seed": case.seed, "input": case.input, "input_hash": case.input_hash,
            "implementation": case.implementation, "version": case.version, "role": role(entry),
            "platform": entry.platform, "nodes": case.nodes, "ranks": case.ranks, "threads": case.threads,
            "gpus": case.gpus, "basis": entry.basis.value, "outcome": outcome(entry), "message": why(entry),
            "processes": len(entry.rows), "processes_counted": len(entry.counted),
            "evidence_level": LEVELS[level(entry)][0],
        }
        | interval_cells("time_s", entry.time)
        | {"interval_method": entry.time.method if entry.time else None}
        | {"unit": work.unit if work else None, "units_per_repeat": work.units if work else None}
        | interval_cells("units_per_s", speed_of(entry) if entry.units else None)
        | {"reference": group.reference.case.implementation if group.reference else None}
        | interval_cells("times_as_fast_as_reference", _against(entry, group.reference if good else None))
        | {"best_peer": group.best_peer.case.implementation if group.best_peer else None}
        | interval_cells("times_as_fast_as_best_peer", _against(entry, group.best_peer if good else None))
        | {"limit_name": entry.limit_name}
        | interval_cells("limit_fraction", entry.fraction)
        | _accuracy(entry)
        | {"cores_used": entry.cores_used, "commit": entry.first.commit}
        | _money(entry)
    )  # fmt: skip


def _against(entry: Entry, base: Entry | None) -> Interval | None:
    """Return the ratio of speeds where both sides support an interval; nothing is claimed below that."""
    pair = compare(entry, base)
    return pair.ratio if pair and pair.ratio and pair.ratio.low is not None else None


def _accuracy(entry: Entry) -> dict[str, object]:
    worst = entry.worst.record if entry.worst else None
    return {
        "error": worst.error if worst else None,
        "tolerance": worst.tolerance if worst else None,
        "verified_by": worst.verified_by if worst else None,
    }


def _money(entry: Entry) -> dict[str, object]:
    row = entry.counted[0] if entry.cost else None
    return interval_cells("cost_per_unit", entry.cost) | {
        "currency": row.currency if row else None,
        "price_date": row.price_date if row else None,
        "price_basis": row.price_basis if row else None,
        "price_source": entry.price.source if entry.cost and entry.price else None,
    }
