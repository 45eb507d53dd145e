"""The answer box of a question, in the question's own terms: how fast, what one property changes, or what it costs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from daasbench.evidence.claims import UNCOMPARED, Comparison, ComparisonGroup, Decision, ProblemResults
from daasbench.evidence.entries import Entry, card
from daasbench.model import Outcome
from daasbench.statistics import too_uncertain

from ..blocks.answer import AnswerBox, caution, trust_line
from ..blocks.claims_in_words import HERE, OUTCOMES, cost, on, title, unit_size, units
from ..blocks.intervals import per_second, phrase, speed_of, speed_phrase, times_in_words
from ..blocks.mending import more_processes
from ..blocks.numbers import counted, listed, number
from ..blocks.questions import AnsweredQuestion
from .axes import Axis, find_axis, value_words

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

SHOWN = 2  # problems in the answer box; the table has all
SPEED = re.compile(r"\b(fast|faster|fastest|speed|quick|slow|slower|help)\b", re.IGNORECASE)
MONEY = re.compile(r"\b(cost|costs|cheap|cheaper|cheapest|price|money|pay|EUR)\b", re.IGNORECASE)
YES_OR_NO = re.compile(r"\s*(does|do|is it worth)\b.*\b(help|faster|worth|pay|gain|speed)", re.IGNORECASE)


def answer_box(asked: AnsweredQuestion, evidence: Evidence) -> AnswerBox:
    """Return the answer to a question, or what is missing for one."""
    missing = _missing(asked, evidence)
    sentences: tuple[str, ...] = ()
    if not missing:
        axis = find_axis(asked.problems)
        if is_about_money(asked, axis):
            sentences = _cost_answer(asked)
        elif axis:
            sentences = _axis_answer(axis, asked.text)
            missing = "" if sentences else _too_few(axis, asked, evidence)
        else:
            sentences = _speed_answer(asked)
    return AnswerBox(
        sentences=sentences,
        trust=trust_line(evidence, asked.problems),
        caution=caution(evidence, asked.problems),
        missing=missing,
    )


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


def _missing(asked: AnsweredQuestion, evidence: Evidence) -> str:
    """Return what is missing for any answer, with the command that gets it; empty if there is an answer."""
    groups = [group for problem in asked.problems for group in problem.measured]
    if not groups:
        return "Nothing was measured yet that answers it."
    if any(problem.first.case.start for problem in asked.problems):
        return "These cases measure starts. The report on starts answers it: daasbench report time_to_science"
    leaders = [group.fastest for group in groups if group.fastest]
    if not leaders:
        bad = {o: sum(entry.outcome is o for group in groups for entry in group.entries) for o in Outcome}
        how = listed(f"{counted(count, 'case')} {OUTCOMES[outcome]}" for outcome, count in bad.items() if count)
        run = groups[0].entries[0].first.run
        return f"No implementation has a correct result: {how}. The log has the reason: daasbench show log {run}"
    if all(entry.time and too_uncertain(entry.time) for entry in leaders):
        reached = speed_phrase(leaders[0])
        return (
            f"The speed is too uncertain to state: {reached}. Measure more processes on a quiet machine:"
            f" {more_processes(evidence, asked.problems)}"
        )
    return ""


def _speed_answer(asked: AnsweredQuestion) -> tuple[str, ...]:
    """Return how fast the machine is at the leading problems, and which code is the fastest."""
    groups = leading(asked.problems)
    shown = groups[:SHOWN]
    sentences = []
    for index, group in enumerate(shown):
        same = index > 0 and group.platform == shown[0].platform
        sentences.append(_speed_sentence(group, "It" if same else _subject(group.platform)))
    if asked.priced and len(shown) == 1 and shown[0].fastest:
        sentences.append(f"The cost is {' '.join(cost(shown[0].fastest))}.")
    more = len(groups) - len(shown)
    beside = f" {counted(more, 'more problem')} {'is' if more == 1 else 'are'} in the table below." if more else ""
    return (*sentences, _fastest_code(shown) + beside)


def _subject(platform: str) -> str:
    return "This machine" if platform == HERE else platform


def _speed_sentence(group: ComparisonGroup, subject: str) -> str:
    """Return what a platform does, how fast, and at which share of its limit."""
    entry = group.fastest
    if entry is None:
        return ""
    kernel = card(entry.case.kernel)
    verb = (kernel.card.verb if kernel else "") or f"runs {entry.case.kernel} at"
    return f"{subject} {verb} {_speed(entry)}{_share(entry)}."


def _speed(entry: Entry) -> str:
    """Return a speed and what it is a speed of: ``"160 frames/s of 2167 x 2070 pixels (150 to 170)"``."""
    found, size = speed_of(entry), unit_size(entry)
    if found is None:
        return ""
    text = phrase(found, per_second(entry.unit))
    main, bracket, rest = text.partition(" (")
    of = f" of {size}" if size else ""
    return f"{main}{of}{bracket}{rest}" if bracket else f"{main}{of}"


def _share(entry: Entry) -> str:
    """Return the share of the machine's limit that a speed is; nothing where it is above it, or too uncertain."""
    found = entry.fraction
    if found is None or found.value > 1 or too_uncertain(found):
        return ""
    resource = "memory" if (entry.limit_name or "").startswith("memory") else "arithmetic"
    return f", {number(100 * found.value, 2)} % of what its {resource} allows"


def _fastest_code(groups: Sequence[ComparisonGroup]) -> str:
    """Return which implementations are the fastest, each once; those that do not differ clearly are joined by "or"."""
    names = ", ".join(dict.fromkeys(_fastest(group) for group in groups))
    if all(len({entry.case.implementation for entry in group.comparable}) == 1 for group in groups):
        return f"Code: {names}."
    rivals = [rival for group in groups for rival in group.rivals]
    if any(rival.decision in UNCOMPARED for rival in rivals):
        return f"The fastest code cannot be told yet: {names}."
    return f"Fastest code: {names}{' (no clear difference)' if rivals else ''}."


def _fastest(group: ComparisonGroup) -> str:
    if group.fastest is None:
        return ""
    names = [group.fastest.case.implementation, *(rival.base.case.implementation for rival in group.rivals)]
    return listed(dict.fromkeys(names), "or")


def _axis_answer(axis: Axis, question: str) -> tuple[str, ...]:
    """Return what one property changes; nothing if the processes do not tell."""
    pair = axis.pairs[0]
    ratio = pair.ratio
    if ratio is None or pair.decision in UNCOMPARED:
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
    values = [pair.ratio.value for pair in axis.pairs[1:] if pair.ratio and pair.ratio.low is not None]
    if not values:
        return []
    first, last = number(min(values), 2), number(max(values), 2)
    range_ = first if first == last else f"{first} to {last}"
    return [f"In {counted(len(values), 'other comparison')} of the table the ratio is {range_}."]


def _too_few(axis: Axis, asked: AnsweredQuestion, evidence: Evidence) -> str:
    pair = axis.pairs[0]
    more, less = value_words(axis.noun, pair.new), value_words(axis.noun, pair.base)
    how = "too uncertain" if pair.ratio and too_uncertain(pair.ratio) else "measured in too few processes"
    return f"The ratio of {more} to {less} is {how}. To measure more: {more_processes(evidence, asked.problems)}"


def is_about_money(asked: AnsweredQuestion, axis: Axis | None) -> bool:
    """Return whether the answer is a cost: the problems are priced, and the question is not of speed or threads."""
    about_speed = SPEED.search(asked.text) and not MONEY.search(asked.text)
    priced = asked.priced and all(by_cost(problem) for problem in asked.problems if problem.measured)
    return bool(priced) and not about_speed and (axis is None or axis.noun == "platform")


def by_cost(problem: ProblemResults) -> list[Entry]:
    """Return the priced entries of a problem on all platforms, the lowest cost first; none in several currencies."""
    priced = [entry for group in problem.measured for entry in group.comparable if entry.cost]
    if len({entry.counted[0].currency for entry in priced}) != 1:
        return []
    return sorted(priced, key=lambda entry: entry.cost.value if entry.cost else 0.0)


def _cost_answer(asked: AnsweredQuestion) -> tuple[str, ...]:
    """Return what the first problems cost where that is lowest, and what they cost on the other platforms."""
    sentences = []
    several = len(asked.problems) > 1
    for problem in asked.problems[:SHOWN]:
        priced = by_cost(problem)
        if priced:
            best = priced[0]
            what = f"{title(best.case).split(' of ')[0]}: " if several else ""
            code = best.case.implementation
            sentences.append(f"{what}{' '.join(cost(best))}, with {code} {on(best.platform)}.")
    if several:
        more = len(asked.problems) - SHOWN
        return (*sentences, f"{counted(more, 'more problem')} in the table below.") if more > 0 else tuple(sentences)
    others = _elsewhere(by_cost(asked.problems[0]))
    group = leading(asked.problems)[0]
    speed = _speed_sentence(group, _subject(group.platform))
    return (*sentences, *([others] if others else [speed, _fastest_code([group])]))


def _elsewhere(priced: Sequence[Entry]) -> str:
    """Return the lowest cost on each platform but the cheapest one."""
    lowest = {entry.platform: entry for entry in reversed(priced)}
    rest = [entry for entry in priced[1:] if lowest[entry.platform] is entry and entry.platform != priced[0].platform]
    if not rest:
        return ""
    parts = [f"{cost(entry, priced[0])[0]} {on(entry.platform)}" for entry in rest[:3]]
    return f"It costs {listed(parts)}."
