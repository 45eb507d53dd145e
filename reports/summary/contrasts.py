"""Two kinds of implementations that a question compares: GPU and processor, our code and the packages of the field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from daasbench.evidence.claims import Comparison, ComparisonGroup, Decision, ProblemResults, compare
from daasbench.model import Outcome

from ..blocks.caveats import of_comparison
from ..blocks.intervals import phrase, times_in_words
from ..blocks.numbers import counted, listed
from ..blocks.ratios import to

GPU = re.compile(r"\bGPUs?\b", re.IGNORECASE)
PEERS = re.compile(r"\b(peers?|packages?|production)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """What is compared with what, and the best of both for each problem; `missing`: why there is no pair."""

    new: str
    base: str
    plural: bool
    pairs: tuple[Comparison, ...]
    missing: str = ""


def find_contrast(question: str, problems: Sequence[ProblemResults]) -> Contrast | None:
    """Return what a question compares; None if it names neither a GPU nor the packages of the field."""
    groups = [group for problem in problems for group in problem.measured]
    if GPU.search(question):
        pairs = [pair for group in groups if (pair := _gpu_pair(group))]
        missing = "" if pairs else _why_no_gpu(groups)
        return Contrast(new="the GPU", base="the processor", plural=False, pairs=tuple(pairs), missing=missing)
    if PEERS.search(question):
        own = [compare(group.best_own, group.best_peer) for group in groups if group.best_own]
        pairs = [pair for pair in own if pair]
        missing = "" if pairs else "No production package has a correct result. The reasons are below."
        best = "the best package of the field"
        return Contrast(new="our implementations", base=best, plural=True, pairs=tuple(pairs), missing=missing)
    return None


def contrast_answer(contrast: Contrast) -> tuple[str, ...]:
    """Return how many times as fast one is as the other; nothing if no pair has enough processes."""
    known = [pair for pair in contrast.pairs if pair.ratio and not of_comparison(pair)]
    if not known:
        return ()
    are = "are" if contrast.plural else "is"
    subject = f"{contrast.new[0].upper()}{contrast.new[1:]}"
    if len(contrast.pairs) == 1:
        return (_single(known[0], f"{subject} {are}", contrast.base),)
    by_decision = {
        decision: [pair.ratio for pair in known if pair.decision is decision and pair.ratio]
        for decision in (Decision.FASTER, Decision.SLOWER, Decision.UNDECIDED)
    }
    faster, slower, same = by_decision.values()
    total = counted(len(contrast.pairs), "problem")
    first = f"{subject} {are} faster than {contrast.base} in {len(faster)} of {total}"
    first += f": {to(faster)} times as fast." if faster else "."
    rest = [f"slower in {len(slower)} ({to(slower)} times the speed)"] if slower else []
    rest += [f"not clearly different in {len(same)}"] if same else []
    rest += [f"not compared in {unknown}"] if (unknown := len(contrast.pairs) - len(known)) else []
    return (first, f"{'They' if contrast.plural else 'It'} {are} {listed(rest)}.") if rest else (first,)


def _single(pair: Comparison, start: str, base: str) -> str:
    ratio = phrase(pair.ratio, times_in_words) if pair.ratio else ""
    value, _, interval = ratio.partition(" times")
    if pair.decision is Decision.FASTER:
        return f"{start} {value} times as fast as {base}{interval}."
    if pair.decision is Decision.SLOWER:
        return f"{start} slower than {base}: {value} times the speed{interval}."
    return f"{start} not clearly faster or slower than {base}: {value} times the speed{interval}."


def _gpu_pair(group: ComparisonGroup) -> Comparison | None:
    """Return the fastest code on the GPU against the fastest on the processor."""
    gpu = next((entry for entry in group.comparable if entry.case.gpus), None)
    processor = next((entry for entry in group.comparable if not entry.case.gpus), None)
    return compare(gpu, processor) if gpu and processor else None


def _why_no_gpu(groups: Sequence[ComparisonGroup]) -> str:
    skipped = [
        row.record.message
        for group in groups
        for entry in group.entries
        for row in entry.rows
        if entry.case.gpus and row.record.outcome is Outcome.SKIPPED
    ]
    reason = f": {skipped[0]}" if skipped and skipped[0] else ""
    return f"No GPU was measured{reason}"
