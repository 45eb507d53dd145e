"""The comparison table: one row per entry, every cell a figure with its unit, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from daasbench.evidence.claims import ComparisonGroup, Decision, ProblemResults, compare
from daasbench.evidence.entries import Entry
from daasbench.model import Basis, Outcome

from .claims_in_words import OUTCOMES, cost, price_note, resources, speed, time
from .intervals import Cell as Cell
from .intervals import cell, share, times
from .numbers import NOTHING, counted, number, spans

EMPTY: Cell = (NOTHING, "")
BASES = {
    Basis.MEASURED: "measured",
    Basis.PROJECTED: "projected from a model, not measured",
    Basis.REHEARSED: "rehearsed against a stand-in, not measured on the platform",
}


@dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """One row of a table, in words."""

    name: str
    role: str  # ours, peer, reference
    version: str
    platform: Cell
    time: Cell
    speed: Cell
    against_reference: Cell
    against_peer: Cell
    per_core: Cell
    limit: Cell
    accuracy: Cell
    cost: Cell
    outcome: Outcome
    outcome_words: str
    why: str


@dataclass(frozen=True, kw_only=True)
class ComparisonTable:
    """The rows of one problem on one basis, fastest first, those without a figure last."""

    basis: Basis
    caption: str
    rows: tuple[ComparisonRow, ...]
    unit: str
    prices: tuple[str, ...]
    has_peer: bool
    has_reference: bool


def tables(problem: ProblemResults) -> list[ComparisonTable]:
    """Return a table for each basis, so that what was measured never shares a column with anything else."""
    made = []
    for basis in Basis:
        groups = [group for group in problem.groups if group.basis is basis]
        pairs = [(entry, group) for group in groups for entry in group.entries]
        if not pairs:
            continue
        pairs.sort(key=lambda pair: pair[0].seconds)
        made.append(
            ComparisonTable(
                basis=basis,
                caption=BASES[basis],
                rows=tuple(table_row(entry, group) for entry, group in pairs),
                unit=next((entry.unit for entry, _ in pairs if entry.units), "repeat"),
                prices=tuple(
                    dict.fromkeys(f"{entry.platform}: price {price_note(entry)}" for entry, _ in pairs if entry.cost)
                ),
                has_peer=any(group.best_peer for group in groups),
                has_reference=any(group.reference for group in groups),
            )
        )
    return made


def role(entry: Entry) -> str:
    """Return what an entry is in a comparison: ours, peer or reference."""
    return "reference" if entry.is_reference else "peer" if entry.peer else "ours"


def table_row(entry: Entry, group: ComparisonGroup) -> ComparisonRow:
    """Return the row of an entry within its group."""
    good = bool(entry.counted) and entry in group.comparable
    return ComparisonRow(
        name=entry.case.implementation,
        role=role(entry),
        version=entry.case.version,
        platform=_platform(entry),
        time=time(entry) if entry.time else EMPTY,
        speed=speed(entry) if entry.time else EMPTY,
        against_reference=_ratio(entry, group.reference) if good else EMPTY,
        against_peer=_ratio(entry, group.best_peer) if good else EMPTY,
        per_core=_ratio(entry, group.best_peer or group.reference, per_core=True) if good else EMPTY,
        limit=_limit(entry),
        accuracy=_accuracy(entry),
        cost=cost(entry, group.cheapest) if entry.cost else EMPTY,
        outcome=entry.outcome,
        outcome_words=outcome(entry),
        why=why(entry),
    )


def _platform(entry: Entry) -> Cell:
    used = entry.cores_used
    return entry.platform, resources(entry.case) + (f", {number(used, 2)} cores used" if used else "")


def _ratio(entry: Entry, base: Entry | None, per_core: bool = False) -> Cell:
    if base is None:
        return EMPTY
    if entry is base:
        return "1 ×", "(by definition)"
    pair = compare(entry, base, per_core)
    if pair is None or pair.ratio is None:
        return EMPTY
    if pair.ratio.low is None or pair.ratio.high is None:
        return "not compared", "(too few processes)"
    main, interval = cell(pair.ratio, times)
    return main, f"{interval}: no clear difference" if pair.decision is Decision.UNDECIDED else interval


def _limit(entry: Entry) -> Cell:
    found = entry.fraction
    if found is None:
        return EMPTY
    main, interval = cell(found, share)
    return main, f"{interval} of {limit_words(entry.limit_name)}".strip()


def limit_words(name: str | None) -> str:
    """Return the name of a limit of the machine in words: ``"memory (read)"``, ``"arithmetic (float32)"``."""
    room, _, what = (name or "").partition("_")
    return {"memory": f"memory ({what})", "matmul": f"arithmetic ({what})"}.get(room, (name or "").replace("_", " "))


def _accuracy(entry: Entry) -> Cell:
    worst = entry.worst
    if worst is None or worst.record.error is None:
        return (NOTHING, "error is not a number") if entry.outcome is Outcome.WRONG else EMPTY
    error, tolerance = worst.record.error, worst.record.tolerance
    main = "0" if error == 0 else number(error, 2)
    by = worst.record.verified_by
    judged = f"verified by {by}" if by else "not verified"
    if tolerance is None or not math.isfinite(tolerance):
        return main, judged
    sign = "≤" if error <= tolerance else ">"
    return f"{main} {sign} {number(tolerance, 2)}", judged


def outcome(entry: Entry) -> str:
    """Return how the processes of an entry ended: ``"ok, 3 processes"``, ``"failed: 1 of 3 processes"``."""
    if len(entry.outcomes) == 1:
        return f"{OUTCOMES[entry.outcome]}, {counted(len(entry.rows), 'process')}"
    ordered = [o for o in Outcome if o in entry.outcomes]
    return "; ".join(f"{OUTCOMES[o]}: {entry.outcomes[o]} of {counted(len(entry.rows), 'process')}" for o in ordered)


def why(entry: Entry) -> str:
    """Return the sentences that explain what is not ok, each once, with the processes that it belongs to."""
    reasons: dict[str, list[int]] = {}
    for row in entry.rows:
        if row.record.outcome is not Outcome.OK:
            reasons.setdefault(explanation(row.record.outcome, row.record.message), []).append(row.record.process + 1)
    if len(reasons) == 1 and len(entry.outcomes) == 1:
        return next(iter(reasons))
    return " ".join(f"Process {spans(processes)}: {text.rstrip('.')}." for text, processes in reasons.items())


def explanation(outcome: Outcome, message: str) -> str:
    """Return why there is no figure: the record's own sentence, or what its outcome says."""
    return message or {
        Outcome.WRONG: "The result is not the expected one. It is not compared.",
        Outcome.TIMEOUT: "It did not end within its time limit.",
    }.get(outcome, "The record gives no reason.")
