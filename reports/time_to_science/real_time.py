"""Real time: the steady rate over that of a declared detector, and what follows for a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import msgspec

from daasbench.errors import DaasbenchError
from daasbench.evidence.claims import EvidenceLevel, level
from daasbench.evidence.entries import Entry, card
from daasbench.model import Beamline, Case
from daasbench.scenario.beamline import alike, fitting_sizes
from daasbench.statistics import Interval

from ..blocks import caveats
from ..blocks.caveats import Caveat, Voids
from ..blocks.numbers import memory, plural
from .starts import COLD, EntryStarts, ProblemStarts

CLEAR = 1.25  # a projected keep-up factor has no interval: nearer to 1 than this it says nothing

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

    @cached_property
    def caveat(self) -> Caveat | None:
        """Return what voids the comparison with the detector: asked before every sentence and figure that claims it."""
        found = self.factor
        if sizes := self.unit_sizes:
            return self._other_size(*sizes)
        records = [row.record for row in self.entry.counted]
        void = caveats.caveat([found] if found else [], records)
        if void is None and found and (found.low or 0.0) >= 1 and records[0].exceeds_cache is False:
            return Caveat(
                kind=Voids.CACHE,
                sentence=f"The {plural(self.beamline.unit)} fit into the processor's cache: real ones take longer.",
                fix="Measure a larger size, in a table [[cases]] without start",
            )
        return void

    def _other_size(self, measured: float, declared: float) -> Caveat:
        case, unit = self.entry.case, self.beamline.unit
        fitting = sizes_like(case, declared)
        return Caveat(
            kind=Voids.SIZE,
            sentence=f"A measured {unit} has {memory(measured)}, one of {self.detector} {memory(declared)}.",
            fix=f"Measure {plural(unit)} of that size" + ("" if fitting else ": name a file with --input"),
            words=("--set", f"cases.sizes={fitting[0]}") if fitting else (),
        )

    @property
    def detector(self) -> str:
        """Return what it has to keep up with, in words: ``"the Eiger2 4M"``."""
        return f"the {self.beamline.detector}" if self.beamline.detector else f"the detector of {self.beamline.name}"

    @property
    def keeps_up(self) -> bool | None:
        """Return whether it keeps up, by its interval; None: the interval holds 1, or a caveat voids it."""
        found = self.factor
        if self.caveat or found is None or found.low is None or found.high is None or found.low < 1 <= found.high:
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
        if self.caveat or found is None or found.low is None or found.high is None:
            return None
        return math.ceil(1 / found.high), math.ceil(1 / found.low)

    @property
    def unit_sizes(self) -> tuple[float, float] | None:
        """Return bytes of a unit as measured and as declared, where they differ too much to be compared."""
        work, declared = self.entry.counted[0].record.work, self.beamline.unit_bytes
        if not declared or work is None or not work.units or not work.input_bytes:
            return None
        measured = work.input_bytes / work.units
        return None if alike(measured, declared) else (measured, declared)


def sizes_like(case: Case, unit_bytes: float) -> list[str]:
    """Return the sizes of a case's kernel whose unit has about so many bytes; none if the kernel is not installed."""
    kernel = card(case.kernel)
    if kernel is None or case.input_hash:
        return []
    try:
        return fitting_sizes(kernel, msgspec.convert(case.options, kernel.options), unit_bytes)
    except (DaasbenchError, msgspec.ValidationError, KeyError, TypeError, ValueError):
        return []  # the installed kernel has changed since


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


@dataclass(frozen=True, kw_only=True)
class ReadingFirst:
    """A projection: the keep-up factor if reading, computing and getting follow one another."""

    factor: float
    state: str  # of the start that showed how long reading takes

    @property
    def from_disk(self) -> bool:
        """Return whether the file was read from storage, and not from the system's memory."""
        return self.state in COLD

    @property
    def keeps_up(self) -> bool | None:
        """Return whether it keeps up; None: too near to 1 for a figure without an interval."""
        if 1 / CLEAR < self.factor < CLEAR:
            return None
        return self.factor > 1


def reading_first(problem: ProblemStarts, one: RealTime) -> ReadingFirst | None:
    """Return what reading first leaves of a keep-up factor, from storage if that was measured.

    None where no reading was measured, or a caveat voids the factor itself.
    """
    time, units = one.entry.time, one.entry.units
    if one.caveat or time is None or not units:
        return None
    starts = [start for mine in problem.by_implementation if problem.rate_of(mine[0]) is one.entry for start in mine]
    for start in sorted(starts, key=lambda start: start.case.start not in COLD):
        known = [found.value for name in EACH if (found := start.phase(name))]
        if start.entry.units and start.total is not None and not start.caveat and start.phase("read"):
            each_s = sum(known) / start.entry.units + time.value / units
            return ReadingFirst(factor=1 / each_s / one.beamline.units_per_s, state=start.case.start or "")
    return None


def dataset_s(problem: ProblemStarts, start: EntryStarts) -> float | None:
    """Return, as a projection, the seconds from the start to the last result of a whole data set; None: not known.

    What every process does once is taken as it is, what grows with the data in proportion to the first block, and
    the computing at the steady rate.
    """
    units, rate = start.entry.units, problem.rate_of(start)
    wanted = problem.beamline.dataset_units if problem.beamline else None
    if not wanted or not units or not rate.units or rate.time is None or start.total is None or start.caveat:
        return None
    if any(one.entry is rate and one.caveat for one in real_time(problem)):
        return None
    known = {name: found.value for name in (*FIXED, *EACH) if (found := start.phase(name))}
    once = sum(known.get(name, 0.0) for name in FIXED)
    growing = sum(known.get(name, 0.0) for name in EACH) / units
    return once + wanted * (growing + rate.time.value / rate.units)
