"""How precisely the answer to a problem is known, and how many sets of processes would make it as precise as asked.

The number of processes then depends on what they measured, and that spoils an interval: measuring stops where the
interval is narrow by chance. So the first look is late, and a look that finds the interval too wide asks at once
for as many sets as seem to be missing. Simulated in ``tests/test_precision.py``; reasons in
``docs/decisions/0016-sets-are-added-until-the-interval-is-narrow.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from daasbench.evidence import phases
from daasbench.evidence.claims import ComparisonGroup, ProblemResults
from daasbench.evidence.entries import Entry
from daasbench.statistics import Interval, across_processes, relative_half_width

FIRST_LOOK = 7  # sets of processes; below it, no interval decides whether to stop
FIRST_SHARE = 2 / 3  # and of the most sets


@dataclass(frozen=True, kw_only=True)
class Precision:
    """The widest interval of the answer to one problem, over its platforms.

    Attributes
    ----------
    sets
        How many sets of processes were measured.
    width
        The relative half-width of the interval; None where the processes give none.
    """

    problem: ProblemResults
    sets: int
    width: float | None

    def reaches(self, asked: float) -> bool:
        """Return whether the interval is as narrow as `asked`, the relative half-width of a 95 % interval."""
        return self.width is not None and self.width <= asked


def precision(problem: ProblemResults) -> Precision | None:
    """Return how precisely the answer to a problem is known; None if nothing has a verified result."""
    intervals = [interval for group in problem.measured for interval in _intervals(group)]
    if not intervals:
        return None
    widths = [None if interval is None else relative_half_width(interval) for interval in intervals]
    known = [width for width in widths if width is not None]
    sets = 1 + max(row.record.process for entry in problem.newest for row in entry.rows)
    return Precision(problem=problem, sets=sets, width=max(known) if len(known) == len(widths) else None)


def sets_wanted(sets: int, most: int, width: float | None, asked: float) -> int:
    """Return how many sets of processes are wanted in all: `sets` if that is enough, at most `most`.

    Parameters
    ----------
    width, asked
        Relative half-widths of the 95 % interval: that of `sets` sets (None: there is no interval), and that to reach.
    """
    first = max(FIRST_LOOK, math.ceil(FIRST_SHARE * most))
    if sets < first:
        return min(first, most)
    if width is None:
        return most
    return sets if width <= asked else min(max(sets + 1, math.ceil(sets * (width / asked) ** 2)), most)


def _intervals(group: ComparisonGroup) -> Sequence[Interval | None]:
    """Return the intervals that the answer rests on.

    Those of the fastest against the next and against the reference; that of its time where nothing is compared.
    """
    fastest = group.fastest
    if fastest is None:
        return []
    if fastest.case.start:
        return [_first_result(entry) for entry in group.comparable]
    others = dict.fromkeys(entry for entry in (*group.comparable[1:2], group.reference) if entry not in (None, fastest))
    return [fastest.times_as_fast_as(other) for other in others if other] or [fastest.time]


def _first_result(entry: Entry) -> Interval | None:
    """Return the seconds from the start of a process to its first result."""
    totals = [phases.of_process(row.record).total_s for row in entry.counted]
    return across_processes(totals) if totals and min(totals) > 0 else None
