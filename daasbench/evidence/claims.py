"""What may be claimed: evidence levels, comparisons, and the answer of one problem on one platform.

Nothing here formats: a report puts a claim into words, and can only say what a claim holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from daasbench.evidence.entries import Entry
from daasbench.model import Basis
from daasbench.model.sizes import size_order
from daasbench.statistics import Interval, too_uncertain


class EvidenceLevel(IntEnum):
    """What the evidence for a claim reached."""

    NONE = -1
    RUNS = 0
    VERIFIED = 1
    INTERVAL = 2
    PLATFORMS = 3


class Decision(IntEnum):
    """What the interval of a ratio of speeds says."""

    SLOWER = -1
    UNDECIDED = 0
    FASTER = 1
    UNKNOWN = 2  # fewer than three processes on a side: no interval, no comparison
    UNCERTAIN = 3  # the interval spans more than a factor of 3: too uncertain to compare

    @property
    def claimed(self) -> bool:
        """Return whether it says which is faster."""
        return self in (Decision.SLOWER, Decision.FASTER)


UNCOMPARED = (Decision.UNKNOWN, Decision.UNCERTAIN)


def decision(ratio: Interval | None) -> Decision:
    """Return what the ratio decides.

    Nothing without an interval, nothing if the interval spans more than a factor of 3, and nothing if it holds 1.
    """
    if ratio is None or ratio.low is None or ratio.high is None:
        return Decision.UNKNOWN
    if too_uncertain(ratio):
        return Decision.UNCERTAIN
    if ratio.low > 1:
        return Decision.FASTER
    return Decision.SLOWER if ratio.high < 1 else Decision.UNDECIDED


def level(entry: Entry) -> EvidenceLevel:
    """Return the level of an entry's own figure; L2 needs an interval that is not too uncertain."""
    if not entry.counted:
        return EvidenceLevel.NONE
    if entry.case.quick and entry.verified_by is not None:  # also where several folders hold a quick look each
        return EvidenceLevel.VERIFIED
    if entry.verified_by is None:
        return EvidenceLevel.RUNS
    return EvidenceLevel.INTERVAL if is_certain(entry.time) else EvidenceLevel.VERIFIED


def is_certain(interval: Interval | None) -> bool:
    """Return whether there is an interval, of three processes or more, within a factor of 3."""
    return interval is not None and interval.low is not None and not too_uncertain(interval)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The speed of `new` in multiples of that of `base`."""

    new: Entry
    base: Entry
    ratio: Interval | None

    @property
    def decision(self) -> Decision:
        """Return what may be said of it; nothing of quick looks."""
        return Decision.UNKNOWN if self.new.case.quick else decision(self.ratio)


def compare(new: Entry, base: Entry | None, per_core: bool = False) -> Comparison | None:
    """Return how `new` does against `base`; None if there is none, or it is the same entry."""
    if base is None or new is base:
        return None
    return Comparison(new=new, base=base, ratio=new.times_as_fast_as(base, per_core))


@dataclass(frozen=True, kw_only=True)
class ComparisonGroup:
    """Entries that may be compared: one problem, platform and basis, the newest commit of each; fastest first."""

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
    def comparable(self) -> tuple[Entry, ...]:
        """Return the entries that may be compared: verified, not wrong."""
        return tuple(entry for entry in self.entries if level(entry) >= EvidenceLevel.VERIFIED)

    @property
    def fastest(self) -> Entry | None:
        """Return the comparable entry with the shortest time, whether or not that is decided."""
        return self.comparable[0] if self.comparable else None

    @cached_property
    def best_peer(self) -> Entry | None:
        """Return the fastest verified production package."""
        return next((entry for entry in self.comparable if entry.peer), None)

    @cached_property
    def best_own(self) -> Entry | None:
        """Return the fastest verified entry that is not a peer."""
        return next((entry for entry in self.comparable if not entry.peer), None)

    @cached_property
    def reference(self) -> Entry | None:
        """Return the fastest verified run of the numpy reference."""
        return next((entry for entry in self.comparable if entry.is_reference), None)

    @cached_property
    def rivals(self) -> tuple[Comparison, ...]:
        """Return the fastest against each other comparable entry that it is not shown to be faster than."""
        if self.fastest is None:
            return ()
        pairs = (compare(self.fastest, other) for other in self.comparable[1:])
        return tuple(pair for pair in pairs if pair and pair.decision is not Decision.FASTER)

    @cached_property
    def level(self) -> EvidenceLevel:
        """Return the level of the answer: of the fastest, and of what it is compared with."""
        if self.fastest is None:
            ran = [level(entry) for entry in self.entries]
            return max(ran, default=EvidenceLevel.NONE)
        if any(rival.decision in UNCOMPARED for rival in self.rivals):
            return EvidenceLevel.VERIFIED
        return level(self.fastest)

    @property
    def decided(self) -> bool:
        """Return whether the fastest is faster than every other entry, by intervals; one alone decides nothing."""
        return len(self.comparable) > 1 and not self.rivals and self.level >= EvidenceLevel.INTERVAL

    @property
    def cheapest(self) -> Entry | None:
        """Return the comparable entry with the least cost per unit; None without prices or in several currencies."""
        priced = [entry for entry in self.comparable if entry.cost]
        if len({entry.counted[0].currency for entry in priced}) != 1:
            return None
        return min(priced, key=lambda entry: entry.cost.value if entry.cost else 0.0)


@dataclass(frozen=True, kw_only=True)
class ProblemResults:
    """One problem, and the entries of every implementation, platform and basis that computed it."""

    id: str
    entries: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        """Return an entry with what all share."""
        return self.entries[0]

    @cached_property
    def groups(self) -> tuple[ComparisonGroup, ...]:
        """Return its groups: by basis (measured first), then platform."""
        grouped: dict[tuple[int, str], list[Entry]] = {}
        for entry in self.newest:
            grouped.setdefault((list(Basis).index(entry.basis), entry.platform), []).append(entry)
        return tuple(
            ComparisonGroup(entries=tuple(sorted(grouped[key], key=lambda entry: entry.seconds)))
            for key in sorted(grouped)
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
    def measured(self) -> tuple[ComparisonGroup, ...]:
        """Return the groups whose figures were measured: only these answer a question."""
        return tuple(group for group in self.groups if group.basis is Basis.MEASURED)

    @cached_property
    def level(self) -> EvidenceLevel:
        """Return the level of the answer; L3 if the same implementation leads, decided, on two machines."""
        groups = [group for group in self.measured if group.fastest]
        if not groups:
            return max((group.level for group in self.measured), default=EvidenceLevel.NONE)
        leaders = {group.fastest.case.implementation for group in groups if group.fastest}
        places = {_machine(group) for group in groups}
        if len(places) > 1 and len(leaders) == 1 and all(group.decided for group in groups):
            return EvidenceLevel.PLATFORMS
        return min(group.level for group in groups)


def _machine(group: ComparisonGroup) -> tuple[str, ...]:
    """Return what tells machines apart; a platform whose machine was not observed stands for itself."""
    machine = group.fastest.machine if group.fastest else None
    if machine is None:
        return (group.platform,)
    return (machine.host, machine.cpu, str(machine.cores), machine.gpu or "")


def problem_results(entries: Sequence[Entry]) -> list[ProblemResults]:
    """Return the problems of these entries: by kernel, then size, options and input."""
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(entry.case.problem_id, []).append(entry)
    found = [ProblemResults(id=key, entries=tuple(mine)) for key, mine in grouped.items()]
    return sorted(found, key=_order)


def _order(problem: ProblemResults) -> tuple[object, ...]:
    case = problem.first.case
    return (case.kernel, bool(case.input_hash), size_order(case.size), sorted(map(str, case.options.items())),
            case.seed or 0, case.nodes, case.input or "", problem.id)  # fmt: skip
