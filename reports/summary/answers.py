"""The answer box of a question, in the question's own terms: how fast, what one property changes, or what it costs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from daasbench.model import Outcome
from daasbench.statistics import too_uncertain

from ..blocks.answer import AnswerBox, caution, trust_line
from ..blocks.claims_in_words import OUTCOMES
from ..blocks.intervals import speed_phrase
from ..blocks.mending import more_processes
from ..blocks.numbers import counted, listed
from ..blocks.questions import AnsweredQuestion
from .axes import Axis, axis_answer, find_axis, value_words
from .contrasts import contrast_answer, find_contrast
from .money import cost_answer, is_about_money
from .speeds import leading, speed_answer, which_answer

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

WHICH = re.compile(r"\s*(which|what)\b.*\b(fast|fastest|faster|best|quickest)\b", re.IGNORECASE)
FEW = "There are too few processes to tell, or they differ too much."


def answer_box(asked: AnsweredQuestion, evidence: Evidence) -> AnswerBox:
    """Return the answer to a question, or what is missing for one."""
    missing = _missing(asked)
    sentences: tuple[str, ...] = ()
    if not missing:
        sentences, missing = _answer(asked, evidence)
    return AnswerBox(
        sentences=sentences,
        trust=trust_line(evidence, asked.problems),
        caution=caution(evidence, asked.problems),
        missing=missing,
    )


def _answer(asked: AnsweredQuestion, evidence: Evidence) -> tuple[tuple[str, ...], str]:
    """Return the sentences that answer, or what is missing for them."""
    contrast, axis = find_contrast(asked.text, asked.problems), find_axis(asked.problems)
    if contrast:
        said = contrast_answer(contrast)
        few = f"{FEW} To measure more: {more_processes(evidence, asked.problems)}"
        return (*said, *speed_answer(asked)[: 3 - len(said)]) if said else (), "" if said else contrast.missing or few
    if axis and not is_about_money(asked, axis):
        said = axis_answer(axis, asked.text)
        return said, "" if said else _too_few(axis, asked, evidence)
    if uncertain := _too_uncertain(asked, evidence):
        return (), uncertain
    if is_about_money(asked, axis):
        return cost_answer(asked), ""
    if len(leading(asked.problems)) == 1 and WHICH.match(asked.text):
        said = which_answer(leading(asked.problems)[0])
        few = f"{FEW} To measure more: {more_processes(evidence, asked.problems)}"
        return said, "" if said else few
    return speed_answer(asked), ""


def _missing(asked: AnsweredQuestion) -> str:
    """Return what is missing for any answer, with the command that gets it; empty if there is an answer."""
    groups = [group for problem in asked.problems for group in problem.measured]
    if not groups:
        return "No measurement answers this question yet."
    if any(problem.first.case.start for problem in asked.problems):
        return "These cases measure starts. The report on starts answers it: daasbench report time_to_science"
    leaders = [group.fastest for group in groups if group.fastest]
    if not leaders:
        bad = {o: sum(entry.outcome is o for group in groups for entry in group.entries) for o in Outcome}
        how = listed(f"{counted(count, 'case')} {OUTCOMES[outcome]}" for outcome, count in bad.items() if count)
        run = groups[0].entries[0].first.run
        return f"No implementation has a correct result: {how}. The log has the reason: daasbench show log {run}"
    return ""


def _too_uncertain(asked: AnsweredQuestion, evidence: Evidence) -> str:
    """Return that no speed can be stated, if all are too uncertain, with the command that mends it."""
    groups = [group for problem in asked.problems for group in problem.measured]
    leaders = [group.fastest for group in groups if group.fastest]
    if not all(entry.time and too_uncertain(entry.time) for entry in leaders):
        return ""
    return (
        f"The speed is too uncertain to state: {speed_phrase(leaders[0])}. Measure more processes on a quiet machine:"
        f" {more_processes(evidence, asked.problems)}"
    )


def _too_few(axis: Axis, asked: AnsweredQuestion, evidence: Evidence) -> str:
    pair = axis.pairs[0]
    more, less = value_words(axis.noun, pair.new), value_words(axis.noun, pair.base)
    how = "too uncertain" if pair.ratio and too_uncertain(pair.ratio) else "measured in too few processes"
    return f"The ratio of {more} to {less} is {how}. To measure more: {more_processes(evidence, asked.problems)}"
