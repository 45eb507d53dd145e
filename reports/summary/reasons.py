"""Why the answer is what it is, how sure it is, and what would change it: the sentences below the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daasbench.evidence.claims import ComparisonGroup, EvidenceLevel, ProblemResults, level
from daasbench.evidence.entries import Entry
from daasbench.model import Basis, Outcome

from ..blocks.caveats import is_disturbed
from ..blocks.claims_in_words import HERE, LEVELS, details, name, ratio, title, units
from ..blocks.comparison_table import EMPTY, table_row
from ..blocks.intervals import Cell, cell, share, speed
from ..blocks.mending import more_processes
from ..blocks.numbers import counted, listed, number

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

MOST_OF_LIMIT = 0.5  # share of the machine's limit below which faster code is clearly possible


@dataclass(frozen=True, kw_only=True)
class WhyTable:
    """The table that the answer rests on: at most six columns, best first."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def why_table(problems: Sequence[ProblemResults]) -> WhyTable | None:
    """Return the correct results of one problem, or the fastest of each of several; None without a correct result."""
    groups = [(problem, group) for problem in problems for group in problem.measured if group.fastest]
    if not groups:
        return None
    if len(groups) == 1:
        return _implementations(*groups[0])
    return WhyTable(
        caption="The fastest correct implementation of each problem. In brackets: 95 % interval across processes.",
        columns=("Problem", "Fastest", "Speed", "Times as fast as numpy", "Share of the machine's limit", "Evidence"),
        rows=tuple(_fastest(problem, group) for problem, group in groups),
    )


def _implementations(problem: ProblemResults, group: ComparisonGroup) -> WhyTable:
    rows = []
    for entry in group.comparable:
        row = table_row(entry, group)
        peer = row.against_peer if group.best_peer else EMPTY
        cells = [(row.name, row.platform[1]), row.speed, row.against_reference, peer, row.limit, row.cost]
        rows.append(tuple(cells))
    columns = ["Implementation", f"Speed: {units(group.comparable[0])}", "Times as fast as numpy",
               "Times as fast as the best peer", "Share of the machine's limit", "Cost"]  # fmt: skip
    kept = [0, 1, *(at for at in range(2, 6) if any(_says_something(row[at]) for row in rows))]
    return WhyTable(
        caption=f"{title(problem.first.case)}, fastest first. In brackets: 95 % interval across processes.",
        columns=tuple(columns[at] for at in kept),
        rows=tuple(tuple(row[at] for at in kept) for row in rows),
    )


def _says_something(found: Cell) -> bool:
    """Return whether a cell has a figure: a column of "not compared" is left out."""
    return found != EMPTY and found[0] not in ("1 ×", "not compared")


def _fastest(problem: ProblemResults, group: ComparisonGroup) -> tuple[Cell, ...]:
    fastest = group.fastest
    if fastest is None:
        return ()
    reference = table_row(fastest, group).against_reference
    busy = is_disturbed(group)
    order = (
        "busy machine: no order"
        if busy
        else "clearly the fastest"
        if group.decided
        else "no clear order"
        if len(group.comparable) > 1
        else "alone"
    )
    where = "" if group.platform == HERE else f", {group.platform}"
    return (
        (title(problem.first.case), details(problem.first.case)),
        (f"{name(fastest)}{where}", order),
        (speed(fastest)[0], f"{speed(fastest)[1]} {units(fastest)}".strip()),
        reference,
        cell(fastest.fraction, share) if fastest.fraction else EMPTY,
        (LEVELS[group.level][0], ""),
    )


def how_sure(evidence: Evidence, problems: Sequence[ProblemResults]) -> list[str]:
    """Return how sure the order of the implementations is, and what an interval says."""
    groups = [group for problem in problems for group in problem.measured if len(group.comparable) > 1]
    sentences = []
    if groups:
        clear = sum(group.decided and not is_disturbed(group) for group in groups)
        all_of = "In each case" if clear == len(groups) else f"In {clear} of {counted(len(groups), 'case')}"
        if clear:
            sentences.append(f"{all_of} the fastest code is clearly faster than the others (95 % confidence).")
        if any(map(is_disturbed, groups)):
            sentences.append(
                "Other work disturbed most of the processes: their times are too long, and no order is claimed."
            )
        sentences += [sentence for group in groups if (sentence := _unclear(group))]
    without = [problem for problem in problems if problem.measured and not any(g.fastest for g in problem.measured)]
    if without:
        names = listed(f"{title(problem.first.case)} ({details(problem.first.case)})" for problem in without)
        sentences.append(f"No implementation has a correct result: {names}.")
    weak = [entry for problem in problems for entry in problem.newest if _is_weak(entry)]
    if weak:
        sentences.append(
            f"{counted(len(weak), 'speed')} {'has' if len(weak) == 1 else 'have'} too few processes, or processes that"
            f" differ too much, to compare. To measure more: {more_processes(evidence, problems)}"
        )
    return [
        *sentences,
        "Intervals are 95 % intervals across processes. If the interval of a ratio contains 1, we cannot say which is"
        " faster. Intervals are not corrected for multiple comparisons.",
    ]


def _unclear(group: ComparisonGroup) -> str:
    rivals = group.rivals
    if (
        is_disturbed(group)
        or not rivals
        or group.fastest is None
        or rivals[0].ratio is None
        or group.level < EvidenceLevel.INTERVAL
    ):
        return ""
    names = listed([name(group.fastest), *(name(rival.base) for rival in rivals)])
    return f"{title(group.entries[0].case)}: no clear difference between {names} ({ratio(rivals[0].ratio)})."


def _is_weak(entry: Entry) -> bool:
    return entry.basis is Basis.MEASURED and bool(entry.counted) and level(entry) < EvidenceLevel.INTERVAL


def what_would_change(problems: Sequence[ProblemResults]) -> list[str]:
    """Return what could make the answer another: a GPU, real data, faster code."""
    entries = [entry for problem in problems for entry in problem.newest if entry.basis is Basis.MEASURED]
    sentences = []
    without = [entry for entry in entries if entry.case.gpus and entry.outcome is Outcome.SKIPPED]
    if without:
        names = listed(dict.fromkeys(entry.case.implementation for entry in without))
        sentences.append(f"A GPU: {names} could not be measured.")
    cached = dict.fromkeys(
        title(entry.case).split(" of ")[0]
        for entry in entries
        for row in entry.counted
        if row.record.exceeds_cache is False
    )
    if cached:
        sentences.append(
            f"Larger data: the inputs fit into the processor cache ({listed(cached)}). Real data would be slower."
        )
    generated = [problem for problem in problems if not (problem.first.case.input_hash or problem.first.case.input)]
    if generated and len(generated) == len(problems):
        sentences.append("Real data: the inputs were generated.")
    leaders = [group.fastest for problem in problems for group in problem.measured if group.fastest]
    low = sorted(entry.fraction.value for entry in leaders if entry.fraction and entry.fraction.value < MOST_OF_LIMIT)
    if low:
        range_ = " to ".join(dict.fromkeys(number(100 * value, 2) for value in (low[0], low[-1])))
        sentences.append(f"Faster code: the fastest reaches {range_} % of what the machine allows.")
    return sentences
