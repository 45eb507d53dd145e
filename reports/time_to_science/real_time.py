"""Real time: the steady rate over that of a declared detector, and what follows for a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass

from daasbench.evidence.claims import EvidenceLevel, level
from daasbench.evidence.entries import Entry
from daasbench.model import Beamline
from daasbench.statistics import Interval

from .starts import EntryStarts, ProblemStarts

ALIKE = 1.25  # two sizes of a unit that differ by less are taken as one

FIXED = ("interpreter", "start", "import", "context", "setup", "compile")
EACH = ("read", "put", "get")  # grow with the data


@dataclass(frozen=True, kw_only=True, eq=False)
class RealTime:
    """One implementation against the rate of a detector."""

    entry: Entry  # whose repeats show the rate
    beamline: Beamline
    from_start: bool  # its repeats are those of starts: of one block

    @property
    def factor(self) -> Interval | None:
        """Return the processing rate over the detector's; None without a rate in units."""
        time, units = self.entry.time, self.entry.units
        if time is None or not units:
            return None
        low, high = (units / end / self.beamline.units_per_s if end else None for end in (time.high, time.low))
        value = units / time.value / self.beamline.units_per_s
        return Interval(value=value, low=low, high=high, n=time.n, method=time.method)

    @property
    def keeps_up(self) -> bool | None:
        """Return whether it keeps up, by its interval; None: the interval holds 1, or there is none."""
        found = self.factor
        if found is None or found.low is None or found.high is None or found.low < 1 <= found.high:
            return None
        return found.low >= 1

    @property
    def level(self) -> EvidenceLevel:
        """Return the level of the rate."""
        return level(self.entry)

    @property
    def workers(self) -> tuple[int, int] | None:
        """Return, as a projection, how many such workers would keep up if they did not disturb each other."""
        found = self.factor
        if found is None or found.low is None or found.high is None:
            return None
        return math.ceil(1 / found.high), math.ceil(1 / found.low)

    @property
    def unit_sizes(self) -> tuple[float, float] | None:
        """Return bytes of a unit as measured and as declared, where they differ too much to be compared."""
        work, declared = self.entry.counted[0].record.work, self.beamline.unit_bytes
        if not declared or work is None or not work.units or not work.input_bytes:
            return None
        measured = work.input_bytes / work.units
        return None if 1 / ALIKE < measured / declared < ALIKE else (measured, declared)


def real_time(problem: ProblemStarts) -> list[RealTime]:
    """Return how each implementation keeps up; nothing without a declared beamline."""
    if problem.beamline is None:
        return []
    found = [(problem.rate_of(mine[0]), mine[0].entry) for mine in problem.by_implementation]
    return [
        RealTime(entry=entry, beamline=problem.beamline, from_start=entry is own)
        for entry, own in found
        if entry.counted and entry.units
    ]


def factor_with_reading(problem: ProblemStarts, one: RealTime) -> tuple[float, str] | None:
    """Return, as a projection, the keep-up factor if reading, computing and getting follow one another.

    And from which start its reading is known: the first state that was measured. None where none was.
    """
    time, units = one.entry.time, one.entry.units
    for mine in problem.by_implementation:
        rate = problem.rate_of(mine[0])
        for start in mine if rate is one.entry else ():
            known = [found.value for name in EACH if (found := start.phase(name))]
            if time is not None and units and start.entry.units and start.total is not None and known:
                each_s = sum(known) / start.entry.units + time.value / units
                return 1 / each_s / one.beamline.units_per_s, start.case.start or ""
    return None


def dataset_s(problem: ProblemStarts, start: EntryStarts) -> float | None:
    """Return, as a projection, the seconds from the start to the last result of a whole data set.

    What every process does once is taken as it is, what grows with the data in proportion to the first block, and
    the computing at the steady rate.
    """
    units, rate = start.entry.units, problem.rate_of(start)
    wanted = problem.beamline.dataset_units if problem.beamline else None
    if not wanted or not units or not rate.units or rate.time is None or start.total is None:
        return None
    known = {name: found.value for name in (*FIXED, *EACH) if (found := start.phase(name))}
    once = sum(known.get(name, 0.0) for name in FIXED)
    growing = sum(known.get(name, 0.0) for name in EACH) / units
    return once + wanted * (growing + rate.time.value / rate.units)
