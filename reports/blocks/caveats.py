"""Caveats: what voids a verdict, and the command that measures what is missing.

A report asks here before it states a verdict, so that no page prints a verdict and, further down, why it does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from daasbench.evidence.claims import Comparison, ComparisonGroup
from daasbench.evidence.disturbance import medians_disturbed
from daasbench.model import Record
from daasbench.statistics import LEAST_PROCESSES, Interval, processes_needed, too_uncertain

from .mending import run_command
from .numbers import counted

if TYPE_CHECKING:
    from daasbench.evidence import Evidence


class Voids(StrEnum):
    """Why a verdict does not hold."""

    NOTHING = "nothing correct was measured"
    POINTS = "too few core counts"
    PROCESSES = "too few processes"
    UNCERTAIN = "too uncertain to compare"
    DISTURBED = "the machine was busy"
    SIZE = "frames of another size"
    CACHE = "frames in the cache"


@dataclass(frozen=True, kw_only=True)
class Caveat:
    """What voids a verdict: why, in a sentence, and how to measure what is missing.

    Attributes
    ----------
    fix
        What to do, without the command: ``"Measure it in 5 processes"``.
    words
        What is added to the command line of the run; none: the fix is no command.
    """

    kind: Voids
    sentence: str
    fix: str
    words: tuple[str, ...] = ()

    def missing(self, evidence: Evidence, runs: Iterable[str]) -> str:
        """Return why there is no verdict and what to do, the command last."""
        if not self.words:
            return f"{self.sentence} {self.fix}."
        return f"{self.sentence} {self.fix}: {run_command(evidence, max(runs, default=''), *self.words)}"


def caveat(figures: Sequence[Interval], records: Sequence[Record]) -> Caveat | None:
    """Return what voids a verdict on these figures, which these records made; None if nothing does."""
    if medians_disturbed(records):
        return disturbed()
    few = min((found.n for found in figures if found.low is None), default=None)
    if few is not None:
        many = "The figure comes from one process" if few == 1 else f"The figures come from {few} processes"
        return Caveat(
            kind=Voids.PROCESSES,
            sentence=f"{many}: too few for an interval, which needs {LEAST_PROCESSES}.",
            fix=f"Measure in {processes_needed(few)} processes",
            words=("--set", f"repeat.processes={processes_needed(few)}"),
        )
    wide = [found for found in figures if too_uncertain(found)]
    if wide:
        count = wide[0].n
        return uncertain(f"Too uncertain to compare: the {counted(count, 'process')} differ too much.", count)
    return None


def of_comparison(pair: Comparison) -> Caveat | None:
    """Return what voids a verdict on two entries; None if nothing does."""
    records = [row.record for entry in (pair.new, pair.base) for row in entry.counted]
    return caveat([pair.ratio] if pair.ratio else [], records)


def is_disturbed(group: ComparisonGroup) -> bool:
    """Return whether other work disturbed most of the processes of a group: its order is then not claimed."""
    return medians_disturbed(row.record for entry in group.comparable for row in entry.counted)


def uncertain(sentence: str, processes: int) -> Caveat:
    """Return the caveat of a figure whose interval, from so many processes, decides nothing."""
    wanted = processes_needed(processes)
    return Caveat(
        kind=Voids.UNCERTAIN,
        sentence=sentence,
        fix=f"Measure in {wanted} processes on a quiet machine",
        words=("--set", f"repeat.processes={wanted}"),
    )


def disturbed() -> Caveat:
    """Return the caveat of a machine that was busy while most of the processes measured."""
    return Caveat(
        kind=Voids.DISTURBED,
        sentence="Other work disturbed most of the processes, so their times are too long.",
        fix="Measure again on a quiet machine",
        words=("--again",),
    )
