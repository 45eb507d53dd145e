"""Ladders: the same kernel and way on more and more ranks or threads, and whether their work is what was intended.

Strong scaling keeps the whole problem, weak scaling the problem of each core. Pure; what ran and what is planned
are grouped by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Generic, TypeVar

from daasbench.model import Case, Work

TOLERANCE = 0.1  # within which the work of a core is constant: edges of cubes are whole numbers

Thing = TypeVar("Thing")


class Intent(StrEnum):
    """What a scenario keeps constant while it climbs."""

    STRONG = "strong"  # the whole work
    WEAK = "weak"  # the work of each core


@dataclass(frozen=True, kw_only=True)
class Rung(Generic[Thing]):
    """One step: a case, its work (None: nothing ran that could tell), and what the caller keeps of it."""

    case: Case
    work: Work | None
    thing: Thing

    @property
    def cores(self) -> int:
        """Return the cores that it asks for, on all nodes together."""
        return self.case.ranks * self.case.threads


@dataclass(frozen=True, kw_only=True)
class Ladder(Generic[Thing]):
    """The rungs of one way to compute, fewest cores first; each number of cores once.

    `interleaved_with`: what ran on as many cores as a rung, on more nodes, and is none.
    """

    rungs: tuple[Rung[Thing], ...]
    beside: tuple[Rung[Thing], ...] = ()

    @property
    def first(self) -> Case:
        """Return the case of the lowest rung."""
        return self.rungs[0].case

    @property
    def of_ranks(self) -> bool:
        """Return whether it climbs by ranks; by threads of one process otherwise."""
        return any(rung.case.ranks > 1 for rung in self.rungs)

    @property
    def step(self) -> str:
        """Return what is added from rung to rung: ``"rank"``, ``"rank of 4 threads"``, ``"thread"``."""
        if not self.of_ranks:
            return "thread"
        return "rank" if self.first.threads == 1 else f"rank of {self.first.threads} threads"

    def count(self, rung: Rung[Thing]) -> int:
        """Return how many of its steps a rung is."""
        return rung.case.ranks if self.of_ranks else rung.case.threads


def rungs_to(most: int) -> list[int]:
    """Return 1, 2, 4 ... and `most`, which need be no power of two."""
    return [*(1 << power for power in range(most.bit_length()) if 1 << power < most), most]


def planned_ladders(rungs: Iterable[Rung[Thing]], *, across_sizes: bool = False) -> list[Ladder[Thing]]:
    """Return the ladders that the cases of one table shall be: everything but resources is equal in each.

    `across_sizes`: sizes are paired with resources, and differ from rung to rung. Where ranks differ, each number
    of threads a rank has a ladder. A single rung is none.
    """
    found: list[Ladder[Thing]] = []
    for implementation in _implementations(rungs):
        sizes: dict[str, list[Rung[Thing]]] = {}
        for rung in implementation:
            sizes.setdefault("" if across_sizes else rung.case.size or "", []).append(rung)
        found += filter(None, map(_ladder, sizes.values()))
    return found


def found_ladders(rungs: Iterable[Rung[Thing]]) -> list[Ladder[Thing]]:
    """Return the ladders in what was measured, of one scenario or of several together.

    Of one problem on several numbers of cores; of one size that grew with the cores; and what is left over,
    each number of cores with a size of its own. One rung may stand in two ladders.
    """
    found: list[Ladder[Thing]] = []
    for implementation in _implementations(rungs):
        same: dict[tuple[object, ...], list[Rung[Thing]]] = {}
        for rung in implementation:
            size, grown = rung.case.size or "", rung.case.grown
            same.setdefault(("strong", size, grown), []).append(rung)
            if any(one.case.grown > 1 and one.case.size == rung.case.size for one in implementation):
                same.setdefault(("weak", size, Fraction(grown, rung.cores)), []).append(rung)
        made = [ladder for ladder in map(_ladder, same.values()) if ladder]
        used = {id(rung) for ladder in made for rung in ladder.rungs}
        made += filter(None, [_ladder([rung for rung in implementation if id(rung) not in used])])
        found += made
    return found


def _implementations(rungs: Iterable[Rung[Thing]]) -> list[list[Rung[Thing]]]:
    """Return rungs apart by everything but resources, size and growth; ranks apart by the threads of each."""
    implementations: dict[str, list[Rung[Thing]]] = {}
    for rung in rungs:
        case = rung.case
        key = (case.kernel, case.implementation, case.version, case.input_hash, case.seed,
               sorted(case.options.items()), case.cache, case.start, case.gpus)  # fmt: skip
        implementations.setdefault(repr(key), []).append(rung)
    parts: dict[tuple[str, int], list[Rung[Thing]]] = {}
    for name, implementation in implementations.items():
        by_ranks = any(rung.case.ranks > 1 for rung in implementation)
        for rung in implementation:
            parts.setdefault((name, rung.case.threads if by_ranks else rung.case.ranks), []).append(rung)
    return list(parts.values())


def _ladder(rungs: Sequence[Rung[Thing]]) -> Ladder[Thing] | None:
    """Return the ladder of these rungs; of two with as many cores, the one on fewer nodes stays."""
    ordered = sorted(rungs, key=lambda rung: (rung.cores, -rung.case.nodes))
    each = tuple({rung.cores: rung for rung in ordered}.values())
    kept = {id(rung) for rung in each}
    beside = tuple(rung for rung in ordered if id(rung) not in kept)
    return Ladder(rungs=each, beside=beside) if len(each) > 1 else None


def load(work: Work) -> float:
    """Return the amount of a problem: bytes of its input in memory, else what else is counted of it."""
    return work.input_bytes or work.bytes or work.flop or work.units


def effort(work: Work) -> float:
    """Return how much has to be done: operations, else bytes, else units; what a speed counts a second of."""
    return work.flop or work.bytes or work.units


def breach(ladder: Ladder[Thing], intent: Intent) -> str | None:
    """Return how a ladder breaks an intent, with the numbers; None if it keeps it.

    Strong: units and input are equal on all rungs. Weak: the input of a core is constant within
    :data:`TOLERANCE`.
    """
    known = [(rung, rung.work) for rung in ladder.rungs if rung.work is not None]
    for rung, work in known[1:]:
        base, base_work = known[0]
        if intent is Intent.STRONG:
            if (work.units, load(work)) != (base_work.units, load(base_work)):
                return f"{_told(ladder, base, base_work, 1)}, {_told(ladder, rung, work, 1)}"
            continue
        each, base_each = load(work) / rung.cores, load(base_work) / base.cores
        if not abs(each - base_each) <= TOLERANCE * base_each:
            more = each / base_each - 1
            return (
                f"{_told(ladder, base, base_work, base.cores)}, {_told(ladder, rung, work, rung.cores)} a core:"
                f" {100 * abs(more):.3g} % {'more' if more > 0 else 'less'}, {100 * TOLERANCE:.3g} % are allowed"
            )
    return None


def kept(ladder: Ladder[Thing]) -> Intent | None:
    """Return what a ladder keeps constant, whatever was intended; None: neither."""
    return next((intent for intent in Intent if breach(ladder, intent) is None), None)


def _told(ladder: Ladder[Thing], rung: Rung[Thing], work: Work, cores: int) -> str:
    count = ladder.count(rung)
    word = ladder.step.replace("rank", "ranks", 1).replace("thread", "threads", 1) if count > 1 else ladder.step
    if ladder.step.startswith("rank of"):
        word = f"{'ranks' if count > 1 else 'rank'} of {ladder.first.threads} threads"
    what = f"{load(work) / cores:.4g} {_measure(work)}"
    units = f" ({work.units:.6g} {work.unit}{'' if work.units == 1 else 's'})" if cores == 1 else ""
    return f"on {count} {word} {what}{units}"


def _measure(work: Work) -> str:
    return "bytes of input" if work.input_bytes else "bytes" if work.bytes else "flop" if work.flop else work.unit
