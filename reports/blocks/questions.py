"""The questions that the runs asked, each with its problems and its answer."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from daasbench.evidence.claims import EvidenceLevel, ProblemResults

from .claims_in_words import LEVELS

if TYPE_CHECKING:
    from daasbench.evidence import Evidence


@dataclass(frozen=True, kw_only=True)
class AnsweredQuestion:
    """A question with the problems that were measured to answer it."""

    text: str
    problems: tuple[ProblemResults, ...]

    @cached_property
    def level(self) -> EvidenceLevel:
        """Return the level of the answer: the lowest of its problems."""
        return min((problem.level for problem in self.problems), default=EvidenceLevel.NONE)

    @property
    def level_words(self) -> tuple[str, str]:
        """Return the level's sign and what it means: the lowest counts; how many problems reach more is said."""
        sign, words = LEVELS[self.level]
        more = sum(problem.level > self.level for problem in self.problems)
        if more:
            reach = "reaches" if more == 1 else "reach"
            words += f" (the lowest of {len(self.problems)} problems; {more} {reach} a higher level)"
        return sign, words

    @property
    def priced(self) -> bool:
        """Return whether every problem has a fastest implementation with a cost at a dated price."""
        groups = [group for problem in self.problems for group in problem.measured if group.fastest]
        return bool(groups) and all(group.fastest.cost for group in groups if group.fastest)


def questions(evidence: Evidence, problems: Sequence[ProblemResults]) -> list[AnsweredQuestion]:
    """Return every question once, in the order of the problems; runs without a scenario ask what was measured."""
    found: dict[str, list[ProblemResults]] = {}
    texts = {run: asked(text) for run, text in evidence.scenarios.items()}
    for problem in problems:
        runs = sorted({row.record.run for entry in problem.newest for row in entry.rows})
        for text in dict.fromkeys(texts.get(run) or "What was measured?" for run in runs):
            found.setdefault(text, []).append(problem)
    return [AnsweredQuestion(text=text, problems=tuple(mine)) for text, mine in found.items()]


def asked(scenario: str) -> str | None:
    """Return the question of a scenario; None if its text is damaged (records are readable without it)."""
    try:
        question = tomllib.loads(scenario).get("question")
    except tomllib.TOMLDecodeError:
        return None
    return question if isinstance(question, str) and question.strip() else None
