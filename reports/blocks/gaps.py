"""Gaps: every case without a figure, why, and how to fill it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daasbench.evidence.claims import ProblemResults
from daasbench.model import Outcome

from .claims_in_words import OUTCOMES, details
from .comparison_table import explanation
from .numbers import listed

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

SHOWN = 6  # problems named in one gap before the rest is counted


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Cases that lack a figure for the same reason."""

    kernel: str
    implementation: str
    platform: str
    outcome: str
    reason: str
    why: str
    where: str
    processes: int


def gaps(problems: Sequence[ProblemResults], evidence: Evidence) -> list[Gap]:
    """Return every gap, cases with the same explanation together; planned cases without a record last."""
    found: dict[tuple[str, ...], list[str]] = {}
    for problem in problems:
        where = details(problem.first.case)
        for entry in problem.entries:
            for row in entry.rows:
                record = row.record
                if record.outcome is Outcome.OK:
                    continue
                why = explanation(record.outcome, record.message)
                key = (entry.case.kernel, entry.case.implementation, entry.platform,
                       OUTCOMES[record.outcome], str(record.reason or ""), why)  # fmt: skip
                found.setdefault(key, []).append(where)
    for missing in evidence.planned_missing:
        case = missing.planned.case
        key = (case.kernel, case.implementation, missing.platform, "not yet run", "",
               missing.planned.skip or "It is planned. Run the same scenario again to measure it.")  # fmt: skip
        found.setdefault(key, []).append(details(case))
    return [_gap(key, places) for key, places in found.items()]


def _gap(key: tuple[str, ...], places: list[str]) -> Gap:
    kernel, implementation, platform, outcome, reason, why = key
    names = list(dict.fromkeys(places))
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return Gap(
        kernel=kernel, implementation=implementation, platform=platform, outcome=outcome, reason=reason,
        why=why, where="; ".join([*names[:SHOWN], *more]), processes=len(places),
    )  # fmt: skip


def count_words(gaps: Sequence[Gap]) -> str:
    """Return how many processes lack a figure, by outcome: ``"3 skipped and 1 failed"``."""
    totals: dict[str, int] = {}
    for gap in gaps:
        totals[gap.outcome] = totals.get(gap.outcome, 0) + gap.processes
    return listed(f"{count} {word}" for word, count in totals.items())
