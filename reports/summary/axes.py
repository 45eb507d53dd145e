"""The one property in which the cases of a question differ: threads, ranks or platform. Then the answer is about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from daasbench.evidence.claims import Comparison, Decision, ProblemResults, compare
from daasbench.evidence.entries import Entry

from ..blocks.caveats import of_comparison
from ..blocks.claims_in_words import HERE, units
from ..blocks.intervals import phrase, speed_phrase, times_in_words
from ..blocks.numbers import counted, listed
from ..blocks.ratios import to

YES_OR_NO = re.compile(r"\s*(does|do|is it worth)\b.*\b(help|faster|worth|pay|gain|speed)", re.IGNORECASE)
AXES: dict[str, Callable[[Entry], Hashable]] = {
    "thread": lambda entry: entry.case.threads,
    "rank": lambda entry: entry.case.ranks,
    "GPU": lambda entry: entry.case.gpus,
    "platform": lambda entry: entry.platform,
}


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What differs, and the pairs of entries that differ in nothing else, that with the fastest entry first."""

    noun: str
    pairs: tuple[Comparison, ...]


def find_axis(problems: Sequence[ProblemResults]) -> Axis | None:
    """Return the only property that differs between entries of the same implementation; None for none or several."""
    varying = {noun: pairs for noun in AXES if (pairs := _pairs(noun, problems))}
    if len(varying) != 1:
        return None
    noun, pairs = next(iter(varying.items()))
    return Axis(noun=noun, pairs=tuple(pairs))


def value_words(noun: str, entry: Entry) -> str:
    """Return the value of an entry on an axis: ``"2 threads"``, ``"this machine"``."""
    value = AXES[noun](entry)
    if noun == "platform":
        return "this machine" if value == HERE else str(value)
    return f"{value} {noun}{'s' if value != 1 else ''}" if noun == "GPU" else counted(int(str(value)), noun)


def axis_answer(axis: Axis, question: str) -> tuple[str, ...]:
    """Return what one property changes; nothing if a caveat voids it."""
    pair = axis.pairs[0]
    ratio = pair.ratio
    if ratio is None or of_comparison(pair):
        return ()
    more, less = value_words(axis.noun, pair.new), value_words(axis.noun, pair.base)
    are, yes_or_no = "is" if axis.noun == "platform" or more.startswith("1 ") else "are", YES_OR_NO.match(question)
    size = phrase(ratio, times_in_words)
    value, _, interval = size.partition(" times")
    if pair.decision is Decision.FASTER:
        first = f"{more} {are} {value} times as fast as {less}{interval}."
    elif pair.decision is Decision.SLOWER:
        first = f"{more} {are} slower than {less}: {value} times the speed{interval}."
    else:
        first = f"no clear difference between {more} and {less}: {value} times the speed{interval}."
    prefix = {Decision.FASTER: "Yes: ", Decision.SLOWER: "No: "}.get(pair.decision, "") if yes_or_no else ""
    first = f"{prefix}{first}" if prefix else f"{first[0].upper()}{first[1:]}"
    return first, _both_speeds(axis.noun, pair), *_others(axis)


def _both_speeds(noun: str, pair: Comparison) -> str:
    word = "on" if noun == "platform" else "with"
    parts = [f"{speed_phrase(entry)} {word} {value_words(noun, entry)}" for entry in (pair.base, pair.new)]
    return f"{pair.new.case.implementation} reaches {listed(parts)}: {units(pair.new)}."


def _others(axis: Axis) -> list[str]:
    """Return the sentence on the other pairs: between which factors they lie."""
    ratios = [pair.ratio for pair in axis.pairs[1:] if pair.ratio and not of_comparison(pair)]
    if not ratios:
        return []
    return [f"In {counted(len(ratios), 'other comparison')} of the table the ratio is {to(ratios)}."]


def _pairs(noun: str, problems: Sequence[ProblemResults]) -> list[Comparison]:
    """Return for each problem and implementation the entry with the most of `noun` against that with the least."""
    found: list[tuple[float, Comparison]] = []
    for index, problem in enumerate(problems):
        alike: dict[tuple[Hashable, ...], list[Entry]] = {}
        for group in problem.measured:
            for entry in group.comparable:
                rest = [axis(entry) for other, axis in AXES.items() if other != noun]
                alike.setdefault((entry.case.implementation, *rest), []).append(entry)
        fastest = min((entry.seconds for entries in alike.values() for entry in entries), default=0.0)
        for entries in alike.values():
            ordered = sorted(entries, key=lambda entry: _order(noun, entry))
            pair = compare(ordered[-1], ordered[0])
            if pair and AXES[noun](ordered[0]) != AXES[noun](ordered[-1]):
                has_fastest = any(entry.seconds == fastest for entry in entries)
                found.append((index if has_fastest else len(problems) + index, pair))
    return [pair for _, pair in sorted(found, key=lambda one: one[0])]


def _order(noun: str, entry: Entry) -> tuple[bool, str | int]:
    """Return what sorts entries along an axis: counts by number, platforms by name with this machine first."""
    if noun == "platform":
        return entry.platform != HERE, entry.platform
    return False, int(str(AXES[noun](entry)))
