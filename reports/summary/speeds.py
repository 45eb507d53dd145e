"""How fast a machine is at the problems of a question, at which share of its limit, and which code is the fastest."""

from __future__ import annotations

from collections.abc import Sequence

from daasbench.evidence.claims import UNCOMPARED, ComparisonGroup, ProblemResults, compare
from daasbench.evidence.entries import Entry, card
from daasbench.statistics import too_uncertain

from ..blocks.caveats import is_disturbed
from ..blocks.claims_in_words import HERE, cost, details, unit_size
from ..blocks.intervals import per_second, phrase, speed_of, times_in_words
from ..blocks.numbers import counted, listed, number
from ..blocks.questions import AnsweredQuestion

SHOWN = 2  # problems in the answer box; the table has all


def leading(problems: Sequence[ProblemResults]) -> list[ComparisonGroup]:
    """Return the groups that the answer names: the first problem of each kernel, then the second of each."""
    seen: dict[str, int] = {}
    ranked = []
    for index, problem in enumerate(problems):
        group = next((group for group in problem.measured if group.fastest), None)
        if group is not None:
            kernel = problem.first.case.kernel
            seen[kernel] = seen.get(kernel, 0) + 1
            ranked.append((seen[kernel], index, group))
    return [group for _, _, group in sorted(ranked, key=lambda one: one[:2])]


def speed_answer(asked: AnsweredQuestion) -> tuple[str, ...]:
    """Return how fast the machine is at the leading problems, and which code is the fastest."""
    groups = leading(asked.problems)
    shown = groups[:SHOWN]
    sentences = []
    for index, group in enumerate(shown):
        same = index > 0 and group.platform == shown[0].platform
        sentences.append(speed_sentence(group, "It" if same else subject_of(group.platform)))
    if asked.priced and len(shown) == 1 and shown[0].fastest:
        sentences.append(f"The cost is {' '.join(cost(shown[0].fastest))}.")
    more = len(groups) - len(shown)
    beside = f" {counted(more, 'more problem')} {'is' if more == 1 else 'are'} in the table below." if more else ""
    return (*sentences, fastest_code(shown) + beside)


def which_answer(group: ComparisonGroup) -> tuple[str, ...]:
    """Return which code is the fastest and by how much; nothing if there are too few processes to compare."""
    fastest, rivals = group.fastest, group.rivals
    if fastest is None or is_disturbed(group) or any(rival.decision in UNCOMPARED for rival in rivals):
        return ()
    speed = speed_sentence(group, "It" if not rivals else subject_of(group.platform))
    if rivals:
        ratio = f" ({phrase(rivals[0].ratio, times_in_words)} as fast)" if rivals[0].ratio else ""
        return f"There is no clear difference between {_fastest(group).replace(' or ', ' and ')}{ratio}.", speed
    base = group.reference if group.reference is not fastest else None
    pair = compare(fastest, base or next(iter(group.comparable[1:]), None))
    against = ""
    if pair and pair.ratio:
        against = f", {phrase(pair.ratio, times_in_words)} as fast as {pair.base.case.implementation}"
    return f"{fastest.case.implementation} is the fastest of {len(group.comparable)}{against}.", speed


def subject_of(platform: str) -> str:
    """Return a platform as the subject of a sentence."""
    return "This machine" if platform == HERE else platform


def speed_sentence(group: ComparisonGroup, subject: str) -> str:
    """Return what a platform does, at least how fast if it was busy, and at which share of its limit."""
    entry = group.fastest
    if entry is None:
        return ""
    kernel, speed = card(entry.case.kernel), _speed(entry, busy=is_disturbed(group))
    if kernel and kernel.card.verb:
        chosen = ", ".join(f"{option} {value}" for option, value in sorted(entry.case.options.items()))
        mode = f" ({chosen})" if chosen else ""
        return f"{subject} {kernel.card.verb} {speed}{_share(entry)}{mode}."
    options = details(entry.case).partition(", ")[2]
    what = f"{entry.case.kernel} ({options})" if options else entry.case.kernel
    return f"{subject} reaches {speed} in {what}{_share(entry)}."


def _speed(entry: Entry, busy: bool) -> str:
    """Return a speed and what it is a speed of: ``"160 frames/s of 2167 x 2070 pixels (150 to 170)"``.

    On a busy machine it is a lower limit: of processes that differ too much, the speed of the slowest.
    """
    found, size = speed_of(entry), unit_size(entry)
    if found is None:
        return ""
    unit, of, least = per_second(entry.unit), f" of {size}" if size else "", "at least " if busy else ""
    if too_uncertain(found):
        between, _, processes = phrase(found, unit).partition(" in ")
        if busy and found.least:
            scale = unit(found.value)
            slowest = f"{number(found.least / scale.by, 2)}{scale.word}{scale.sign}"
            return f"at least {slowest}{of} (the slowest of {processes})"
        return f"{between}{of} (in {processes})"
    main, bracket, rest = phrase(found, unit).partition(" (")
    return f"{least}{main}{of}{bracket}{rest}" if bracket else f"{least}{main}{of}"


def _share(entry: Entry) -> str:
    """Return the share of the machine's limit that a speed is; nothing where it is above it, or too uncertain."""
    found = entry.fraction
    if found is None or found.value > 1 or too_uncertain(found):
        return ""
    resource = "memory" if (entry.limit_name or "").startswith("memory") else "arithmetic"
    return f", {number(100 * found.value, 2)} % of what its {resource} allows"


def fastest_code(groups: Sequence[ComparisonGroup]) -> str:
    """Return which implementations are the fastest, each once; those that do not differ clearly are joined by "or"."""
    names = ", ".join(dict.fromkeys(_fastest(group) for group in groups))
    if all(len({entry.case.implementation for entry in group.comparable}) == 1 for group in groups):
        return f"Code: {names}."
    if any(map(is_disturbed, groups)):
        return "The fastest code cannot be told yet: the machine was busy."
    rivals = [rival for group in groups for rival in group.rivals]
    if any(rival.decision in UNCOMPARED for rival in rivals):
        return f"The fastest code cannot be told yet: {names}."
    return f"Fastest code: {names}{' (no clear difference)' if rivals else ''}."


def _fastest(group: ComparisonGroup) -> str:
    if group.fastest is None:
        return ""
    names = [group.fastest.case.implementation, *(rival.base.case.implementation for rival in group.rivals)]
    return listed(dict.fromkeys(names), "or")
