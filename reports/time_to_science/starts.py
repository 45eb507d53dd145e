"""From entries to starts: one implementation of one problem on one platform, started from one state."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from daasbench.evidence import phases
from daasbench.evidence.claims import EvidenceLevel, is_certain, level
from daasbench.evidence.entries import Entry, ProcessResult, entries
from daasbench.model import Basis, Beamline, Case, StartEvidence
from daasbench.statistics import Interval, across_processes, median_interval, phase_interval, ratio

from ..blocks import caveats
from ..blocks.caveats import Caveat

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

STATES = ("warm", "uncompiled", "cold", "first")
COLD = ("cold", "first")  # the files are on disk only
UNCOMPILED = ("uncompiled", "first")
BUSY = 0.05  # foreign share of the processors above which a start was disturbed


@dataclass(frozen=True, kw_only=True, eq=False)
class EntryStarts:
    """The starts of one entry, each a process, and the phases of the job around them."""

    entry: Entry
    around: phases.Parts  # of the job: medians over the jobs

    @property
    def case(self) -> Case:
        """Return the case, whose `start` says from which state."""
        return self.entry.case

    @cached_property
    def parts(self) -> Mapping[int, phases.Parts]:
        """Return the phases of each process that counts, by its number."""
        return {index: phases.of_process(row.record) for index, row in enumerate(self.rows)}

    @property
    def rows(self) -> tuple[ProcessResult, ...]:
        """Return the processes that count, whose state was seen."""
        return tuple(row for row in self.entry.counted if row.record.start_evidence)

    @property
    def start_evidence(self) -> tuple[StartEvidence, ...]:
        """Return what was seen of the state of each process that counts."""
        return tuple(row.record.start_evidence for row in self.rows if row.record.start_evidence)

    def phase(self, name: str) -> Interval | None:
        """Return the seconds of a phase, with the interval across processes where it allows one; None: not seen."""
        seen = [parts.seconds[name] for parts in self.parts.values() if name in parts.seconds]
        return phase_interval(seen) if seen else None

    @cached_property
    def totals(self) -> Mapping[int, float]:
        """Return the seconds until the first result, by process."""
        return {index: parts.total_s for index, parts in self.parts.items() if "compute" in parts.seconds}

    @cached_property
    def total(self) -> Interval | None:
        """Return the seconds until the first result; None if nothing counts."""
        return across_processes(list(self.totals.values())) if self.totals else None

    @cached_property
    def disturbed(self) -> int:
        """Return during how many of these starts others used much of the processors."""
        return sum(seen.foreign > BUSY for seen in self.start_evidence)

    @cached_property
    def caveat(self) -> Caveat | None:
        """Return what voids the total: asked before every sentence and figure that claims it."""
        if self.disturbed > len(self.rows) / 2:
            return caveats.disturbed()
        return caveats.caveat([self.total] if self.total else [], [])

    @property
    def compiles(self) -> bool:
        """Return whether it makes or loads compiled code; a start without any is the same compiled or not."""
        return any(seen.compiled_before or seen.compiled_after for seen in self.start_evidence)

    @property
    def level(self) -> EvidenceLevel:
        """Return the level of the total: an interval needs several starts."""
        if self.total is None:
            return EvidenceLevel.NONE
        found = level(self.entry)
        certain = is_certain(self.total) and not self.caveat
        return found if certain else min(found, EvidenceLevel.VERIFIED)

    def times_as_long_as(self, base: EntryStarts) -> Interval | None:
        """Return how many times as long this start takes; they did not run alternately, so nothing is paired."""
        if not self.totals or not base.totals:
            return None
        apart = {-1 - index: seconds for index, seconds in base.totals.items()}
        return ratio(base=apart, new=self.totals)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProblemStarts:
    """The starts of one problem on one platform, with the entries that show the steady rate of the same cases."""

    starts: tuple[EntryStarts, ...]
    steady: Mapping[str, Entry]  # by the id of the case, whatever its start
    beamline: Beamline | None

    @property
    def first(self) -> EntryStarts:
        """Return a start with what all share."""
        return self.starts[0]

    @property
    def basis(self) -> Basis:
        """Return where the figures come from."""
        return self.first.entry.basis

    @cached_property
    def by_implementation(self) -> tuple[tuple[EntryStarts, ...], ...]:
        """Return the starts of each implementation, the states in their order; those without a figure last."""
        grouped: dict[str, list[EntryStarts]] = {}
        for start in self.starts:
            grouped.setdefault(whatever_start(start.case).id, []).append(start)
        found = [tuple(sorted(mine, key=_state)) for mine in grouped.values()]
        return tuple(sorted(found, key=lambda mine: not any(one.total for one in mine)))

    def rate_of(self, start: EntryStarts) -> Entry:
        """Return the entry whose repeats show the steady rate: of many blocks if there is one, else its own."""
        return self.steady.get(whatever_start(start.case).id, start.entry)


def whatever_start(case: Case) -> Case:
    """Return the case without its start."""
    return msgspec.structs.replace(case, start=None)


def _state(start: EntryStarts) -> int:
    return STATES.index(start.case.start or "warm")


def problem_starts(evidence: Evidence) -> list[ProblemStarts]:
    """Return the starts of the evidence by problem, platform, basis and commit, in the order of the table."""
    every = entries(evidence)
    steady = {_place(entry): entry for entry in every if not entry.case.start and entry.counted}
    grouped: dict[tuple[str, ...], list[EntryStarts]] = {}
    for entry in every:
        if entry.case.start:
            key = (whatever_start(entry.case).problem_id, entry.platform, entry.basis, entry.first.commit)
            grouped.setdefault(key, []).append(EntryStarts(entry=entry, around=_around(evidence, entry)))
    return [_problem(evidence, starts, steady) for starts in grouped.values()]


def _problem(
    evidence: Evidence, starts: Sequence[EntryStarts], steady: Mapping[tuple[str, ...], Entry]
) -> ProblemStarts:
    found = {}
    for start in starts:
        case = whatever_start(start.case)
        if entry := steady.get((case.id, *_place(start.entry)[1:])):
            found[case.id] = entry
    rate = next(filter(None, (beamline_of(evidence, start.entry) for start in starts)), None)
    return ProblemStarts(starts=tuple(starts), steady=found, beamline=rate)


def _place(entry: Entry) -> tuple[str, ...]:
    return (entry.case.id, entry.platform, entry.basis, entry.first.commit)


def beamline_of(evidence: Evidence, entry: Entry) -> Beamline | None:
    """Return the beamline that the scenario of an entry's newest run declares, in the unit of its kernel."""
    text = evidence.scenarios.get(max(row.record.run for row in entry.rows), "")
    try:
        declared = msgspec.convert(tomllib.loads(text).get("beamline"), Beamline)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        return None
    return declared if entry.unit in ("repeat", declared.unit) else None


def _around(evidence: Evidence, entry: Entry) -> phases.Parts:
    """Return the phases around an entry's jobs: the median of the jobs that saw each."""
    jobs = sorted({(row.record.run, row.record.job) for row in entry.rows})
    each = [phases.of_job(evidence.journals.get(run, []), job) for run, job in jobs]
    seconds = {
        name: median_interval([one.seconds[name] for one in each if name in one.seconds]).value
        for name in phases.JOB
        if any(name in one.seconds for one in each)
    }
    missing = {name: each[0].missing[name] for name in phases.JOB if name not in seconds}
    return phases.Parts(seconds=seconds, missing=missing)
