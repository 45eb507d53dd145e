"""The answer box of a question, in the question's own terms: how fast, what one property changes, or what it costs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from daasbench.evidence.claims import Comparison, compare
from daasbench.model import Outcome
from daasbench.statistics import too_uncertain

from ..blocks.answer import AnswerBox, caution, trust_line
from ..blocks.caveats import of_comparison, uncertain
from ..blocks.claims_in_words import OUTCOMES
from ..blocks.intervals import speed_phrase
from ..blocks.numbers import counted, listed
from ..blocks.questions import AnsweredQuestion
from .axes import axis_answer, find_axis
from .contrasts import contrast_answer, find_contrast
from .money import cost_answer, is_about_money
from .speeds import leading, speed_answer, which_answer

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

WHICH = re.compile(r"\s*(which|what)\b.*\b(fast|fastest|faster|best|quickest)\b", re.IGNORECASE)


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
        missing = contrast.missing or _why_not(contrast.pairs, evidence)
        return (*said, *speed_answer(asked)[: 3 - len(said)]) if said else (), "" if said else missing
    if axis and not is_about_money(asked, axis):
        said = axis_answer(axis, asked.text)
        return said, "" if said else _why_not(axis.pairs, evidence)
    if missing := _too_uncertain(asked, evidence):
        return (), missing
    if is_about_money(asked, axis):
        return cost_answer(asked), ""
    if len(leading(asked.problems)) == 1 and WHICH.match(asked.text):
        (group,) = leading(asked.problems)
        said = which_answer(group)
        pairs = [pair for other in group.comparable[1:] if (pair := compare(group.fastest or other, other))]
        return said, "" if said else _why_not(pairs, evidence)
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
    first = leaders[0]
    sentence = f"The speed is too uncertain to state: {speed_phrase(first)}."
    return uncertain(sentence, len(first.counted)).missing(evidence, {row.record.run for row in first.rows})


def _why_not(pairs: Sequence[Comparison], evidence: Evidence) -> str:
    """Return what voids the comparison of these pairs, and the command that measures what is missing."""
    runs = {row.record.run for pair in pairs for entry in (pair.new, pair.base) for row in entry.counted}
    found = next((caveat_ for pair in pairs if (caveat_ := of_comparison(pair))), None)
    return found.missing(evidence, runs) if found else "There is nothing to compare."
