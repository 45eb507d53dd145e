"""What a unit of work costs, if that is the question: where it is lowest, and what it is elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence

from daasbench.evidence.claims import ProblemResults
from daasbench.evidence.disturbance import medians_disturbed
from daasbench.evidence.entries import Entry

from ..blocks.claims_in_words import cost, on, title
from ..blocks.numbers import counted, listed
from ..blocks.questions import AnsweredQuestion
from .axes import Axis
from .speeds import SHOWN, fastest_code, leading, speed_sentence, subject_of

SPEED = re.compile(r"\b(fast|faster|fastest|speed|quick|slow|slower|help)\b", re.IGNORECASE)
MONEY = re.compile(r"\b(cost|costs|cheap|cheaper|cheapest|price|money|pay|EUR)\b", re.IGNORECASE)


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


def cost_answer(asked: AnsweredQuestion) -> tuple[str, ...]:
    """Return what the first problems cost where that is lowest, and what they cost on the other platforms."""
    sentences = []
    several = len(asked.problems) > 1
    for problem in asked.problems[:SHOWN]:
        priced = by_cost(problem)
        if priced:
            best = priced[0]
            what = f"{title(best.case).split(' of ')[0]}: " if several else ""
            code = best.case.implementation
            most = "at most " if medians_disturbed(row.record for row in best.counted) else ""
            said = f"{what}{most}{' '.join(cost(best))}, with {code} {on(best.platform)}."
            sentences.append(said[0].upper() + said[1:])
    if several:
        more = len(asked.problems) - SHOWN
        return (*sentences, f"{counted(more, 'more problem')} in the table below.") if more > 0 else tuple(sentences)
    others = _elsewhere(by_cost(asked.problems[0]))
    group = leading(asked.problems)[0]
    speed = speed_sentence(group, subject_of(group.platform))
    return (*sentences, *([others] if others else [speed, fastest_code([group])]))


def _elsewhere(priced: Sequence[Entry]) -> str:
    """Return the lowest cost on each platform but the cheapest one."""
    lowest = {entry.platform: entry for entry in reversed(priced)}
    rest = [entry for entry in priced[1:] if lowest[entry.platform] is entry and entry.platform != priced[0].platform]
    if not rest:
        return ""
    parts = [f"{cost(entry, priced[0])[0]} {on(entry.platform)}" for entry in rest[:3]]
    return f"It costs {listed(parts)}."
