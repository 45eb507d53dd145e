"""The same figures as a sheet: one line for each entry, units in the names of the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from daasbench.model import Basis
from daasbench.statistics import Interval

from .claims import Field, Problem, compare, level
from .entries import Entry
from .lines import outcome, role, why
from .sentences import LEVELS, details


def sheet(problems: Sequence[Problem], basis: Basis) -> str | None:
    """Return the entries on one basis as CSV; None if there are none. A missing figure is an empty cell."""
    rows = [
        _row(problem, entry, field)
        for problem in problems
        for field in problem.fields
        if field.basis is basis
        for entry in field.entries
    ]
    if not rows:
        return None
    written = io.StringIO()
    writer = csv.DictWriter(written, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def _row(problem: Problem, entry: Entry, field: Field) -> dict[str, object]:
    case, work = entry.case, next((row.record.work for row in entry.rows if row.record.work), None)
    good = entry in field.measuring_processes
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
        | _spread("median_s", entry.time)
        | {"interval_method": entry.time.method if entry.time else None}
        | {"unit": work.unit if work else None, "units_per_repeat": work.units if work else None}
        | _spread("units_per_s", _speed(entry))
        | {"reference": field.reference.case.implementation if field.reference else None}
        | _spread("times_as_fast_as_reference", _against(entry, field.reference if good else None))
        | {"best_peer": field.best_peer.case.implementation if field.best_peer else None}
        | _spread("times_as_fast_as_best_peer", _against(entry, field.best_peer if good else None))
        | {"limit_name": entry.limit_name}
        | _spread("limit_fraction", entry.fraction)
        | _accuracy(entry)
        | {"cores_used": entry.cores_used, "commit": entry.first.commit}
        | _money(entry)
    )  # fmt: skip


def _spread(name: str, found: Interval | None) -> dict[str, object]:
    """Return value, low and high under their names; all empty without a value."""
    return {
        name: found.value if found else None,
        f"{name}_low": found.low if found else None,
        f"{name}_high": found.high if found else None,
    }


def _speed(entry: Entry) -> Interval | None:
    found, units = entry.time, entry.units
    if found is None or units is None:
        return None
    low, high = (units / end if end else None for end in (found.high, found.low))
    return Interval(value=units / found.value, low=low, high=high, n=found.n, method=found.method)


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
    return _spread("cost_per_unit", entry.cost) | {
        "currency": row.currency if row else None,
        "price_date": row.price_date if row else None,
        "price_basis": row.price_basis if row else None,
        "price_source": entry.price.source if entry.cost and entry.price else None,
    }
