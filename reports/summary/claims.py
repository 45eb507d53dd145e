"""What may be claimed: evidence levels, comparisons, and the answer of one problem at one place.

Nothing here formats: :mod:`.sentences` puts a claim into words, and can only say what a claim holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from daasbench.model import Basis
from daasbench.statistics import Interval

from .entries import Entry

SIZES = ("tiny", "small", "medium", "large")


class Level(IntEnum):
    """What the evidence for a claim reached."""

    NONE = -1
    RUNS = 0
    VERIFIED = 1
    INTERVAL = 2
    PLATFORMS = 3


class Verdict(IntEnum):
    """What the interval of a ratio of speeds says."""

    SLOWER = -1
    UNDECIDED = 0
    FASTER = 1
    UNKNOWN = 2  # fewer than two processes on either side: no interval, no comparison


def verdict(ratio: Interval | None) -> Verdict:
    """Return what the ratio decides: nothing without an interval, and nothing if the interval holds 1."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return Verdict.UNKNOWN
    if ratio.low > 1:
        return Verdict.FASTER
    return Verdict.SLOWER if ratio.high < 1 else Verdict.UNDECIDED


def level(entry: Entry) -> Level:
    """Return the level of an entry's own figure."""
    if not entry.counted:
        return Level.NONE
    if entry.verified_by is None:
        return Level.RUNS
    return Level.INTERVAL if entry.time and entry.time.low is not None else Level.VERIFIED


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The speed of `new` in multiples of that of `base`."""

    new: Entry
    base: Entry
    ratio: Interval | None

    @property
    def verdict(self) -> Verdict:
        """Return what may be said of it."""
        return verdict(self.ratio)


def compare(new: Entry, base: Entry | None, per_core: bool = False) -> Comparison | None:
    """Return how `new` does against `base`; None if there is none, or it is the same entry."""
    if base is None or new is base:
        return None
    return Comparison(new=new, base=base, ratio=new.times_as_fast_as(base, per_core))


@dataclass(frozen=True, kw_only=True)
class Field:
    """The entries that compete: one problem, one platform, one basis, newest commit of each; fastest first."""

    entries: tuple[Entry, ...]

    @property
    def platform(self) -> str:
        """Return where they ran."""
        return self.entries[0].platform

    @property
    def basis(self) -> Basis:
        """Return where the figures come from."""
        return self.entries[0].basis

    @cached_property
    def measuring_processes(self) -> tuple[Entry, ...]:
        """Return the entries that may be compared: verified, not wrong."""
        return tuple(entry for entry in self.entries if level(entry) >= Level.VERIFIED)

    @property
    def fastest(self) -> Entry | None:
        """Return the contender with the shortest time, whether or not that is decided."""
        return self.measuring_processes[0] if self.measuring_processes else None

    @cached_property
    def best_peer(self) -> Entry | None:
        """Return the fastest verified production package."""
        return next((entry for entry in self.measuring_processes if entry.peer), None)

    @cached_property
    def best_own(self) -> Entry | None:
        """Return the fastest verified entry that is not a peer."""
        return next((entry for entry in self.measuring_processes if not entry.peer), None)

    @cached_property
    def reference(self) -> Entry | None:
        """Return the fastest verified run of the numpy reference."""
        return next((entry for entry in self.measuring_processes if entry.is_reference), None)

    @cached_property
    def rivals(self) -> tuple[Comparison, ...]:
        """Return the fastest against each other contender that it is not shown to be faster than."""
        if self.fastest is None:
            return ()
        pairs = (compare(self.fastest, other) for other in self.measuring_processes[1:])
        return tuple(pair for pair in pairs if pair and pair.verdict is not Verdict.FASTER)

    @cached_property
    def level(self) -> Level:
        """Return the level of the answer: of the fastest, and of what it is compared with."""
        if self.fastest is None:
            ran = [level(entry) for entry in self.entries]
            return max(ran, default=Level.NONE)
        if any(rival.verdict is Verdict.UNKNOWN for rival in self.rivals):
            return Level.VERIFIED
        return level(self.fastest)

    @property
    def decided(self) -> bool:
        """Return whether the fastest is faster than every other contender, by intervals; one alone decides nothing."""
        return len(self.measuring_processes) > 1 and not self.rivals and self.level >= Level.INTERVAL

    @property
    def cheapest(self) -> Entry | None:
        """Return the contender with the least cost per unit; None without prices or in several currencies."""
        priced = [entry for entry in self.measuring_processes if entry.cost]
        if len({entry.counted[0].currency for entry in priced}) != 1:
            return None
        return min(priced, key=lambda entry: entry.cost.value if entry.cost else 0.0)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is computed, and everything that was tried on it."""

    id: str
    entries: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        """Return the entry that stands for what all share."""
        return self.entries[0]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Return its competitions: by basis (measured first), then platform."""
        grouped: dict[tuple[int, str], list[Entry]] = {}
        for entry in self.newest:
            grouped.setdefault((list(Basis).index(entry.basis), entry.platform), []).append(entry)
        return tuple(
            Field(entries=tuple(sorted(grouped[key], key=lambda entry: entry.seconds))) for key in sorted(grouped)
        )

    @cached_property
    def newest(self) -> tuple[Entry, ...]:
        """Return the entries without those that a later commit of the suite measured again."""
        latest: dict[tuple[str, str, Basis], Entry] = {}
        for entry in self.entries:
            place = (entry.case.id, entry.platform, entry.basis)
            if place not in latest or entry.started_at > latest[place].started_at:
                latest[place] = entry
        return tuple(latest.values())

    @property
    def measured(self) -> tuple[Field, ...]:
        """Return the competitions whose figures were measured: only these answer a question."""
        return tuple(field for field in self.fields if field.basis is Basis.MEASURED)

    @cached_property
    def level(self) -> Level:
        """Return the level of the answer; L3 if the same implementation leads, decided, on two machines."""
        fields = [field for field in self.measured if field.fastest]
        if not fields:
            return max((field.level for field in self.measured), default=Level.NONE)
        leaders = {field.fastest.case.implementation for field in fields if field.fastest}
        places = {_machine(field) for field in fields}
        if len(places) > 1 and len(leaders) == 1 and all(field.decided for field in fields):
            return Level.PLATFORMS
        return min(field.level for field in fields)


def _machine(field: Field) -> tuple[str, ...]:
    """Return what tells machines apart; a platform whose machine was not observed stands for itself."""
    machine = field.fastest.machine if field.fastest else None
    if machine is None:
        return (field.platform,)
    return (machine.host, machine.cpu, str(machine.cores), machine.gpu or "")


def problems(entries: Sequence[Entry]) -> list[Problem]:
    """Return the problems of these entries: by kernel, then size, options and input."""
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(entry.case.problem_id, []).append(entry)
    found = [Problem(id=key, entries=tuple(mine)) for key, mine in grouped.items()]
    return sorted(found, key=_order)


def _order(problem: Problem) -> tuple[object, ...]:
    case = problem.first.case
    size = SIZES.index(case.size) if case.size in SIZES else len(SIZES)
    return (case.kernel, bool(case.input_hash), size, case.size or "", sorted(map(str, case.options.items())),
            case.seed or 0, case.nodes, case.input or "", problem.id)  # fmt: skip
