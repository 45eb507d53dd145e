"""The page: what the evidence says, laid out once for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.evidence.claims import EvidenceLevel, ProblemResults
from daasbench.evidence.entries import Entry, card

from ..blocks import provenance
from ..blocks.answer import Answered
from ..blocks.claims_in_words import (
    LEVELS,
    across_platforms,
    cost_sentence,
    details,
    group_answer,
    projection,
    source,
    title,
    unit_size,
)
from ..blocks.comparison_table import ComparisonTable, tables
from ..blocks.numbers import amount, counted, listed, memory, number, plural
from ..blocks.page import CaptionedFigure, page_frame, render
from ..blocks.questions import questions
from ..figures.palette import colours
from . import pictures, reasons
from .answer_figure import answer_figure
from .answers import answer_box

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

TEMPLATES = Path(__file__).parent / "templates"
ORDERS = {
    "interleaved": "The implementations ran alternately; the others paused.",
    "blocks": "The implementations ran one after the other, in random order.",
    "serial": "The implementations ran one after the other, because they do not fit into memory together.",
}


@dataclass(frozen=True, kw_only=True)
class ProblemSection:
    """One problem: its facts, answers, tables and figures."""

    key: str
    title: str
    details: str
    facts: tuple[str, ...]
    answers: tuple[str, ...]
    level: tuple[str, str]
    tables: tuple[ComparisonTable, ...]
    pictures: tuple[CaptionedFigure, ...]


@dataclass(frozen=True, kw_only=True)
class SummaryPage:
    """Everything that a template may show, beside the frame."""

    level: tuple[str, str]
    priced: bool
    why: reasons.WhyTable | None
    how_sure: tuple[str, ...]
    changes: tuple[str, ...]
    sections: tuple[ProblemSection, ...]
    rooflines: tuple[CaptionedFigure, ...]
    versions: tuple[tuple[str, str, str], ...]
    packages: tuple[tuple[str, str], ...]
    inputs: tuple[tuple[str, str], ...]
    differences: tuple[tuple[str, str], ...]
    literature: tuple[tuple[str, str, str], ...]


def page_text(evidence: Evidence, problems: Sequence[ProblemResults], wanted: str) -> str:
    """Return the page as ``"html"`` or ``"md"``; Markdown has no figures."""
    drawn = wanted == "html"
    palette = colours(entry.case.implementation for problem in problems for entry in problem.newest if entry.counted)
    answered = [
        Answered(
            question=one.text, box=answer_box(one, evidence), figure=answer_figure(one, palette) if drawn else None
        )
        for one in questions(evidence, problems)
    ]
    page = _page(evidence, problems, palette if drawn else None)
    frame = page_frame(evidence, "summary", problems)
    return render(f"summary.{wanted}.j2", frame, TEMPLATES, answered=answered, page=page)


def _page(evidence: Evidence, found: Sequence[ProblemResults], palette: dict[str, str] | None) -> SummaryPage:
    """Return the page; without a palette no figure is made."""
    every = [entry for problem in found for entry in problem.entries]
    asked = questions(evidence, found)
    drawn = pictures.chosen(found) if palette is not None else []
    level = min((one.level_words for one in asked), key=lambda words: words[0], default=LEVELS[EvidenceLevel.NONE])
    return SummaryPage(
        level=level,
        priced=bool(asked) and all(one.priced for one in asked),
        why=reasons.why_table(found),
        how_sure=(*reasons.how_sure(evidence, found), *_notes(every, found, drawn, palette is not None)),
        changes=tuple(reasons.what_would_change(found)),
        sections=tuple(
            _section(problem, f"p{index}", palette if problem in drawn else None)
            for index, problem in enumerate(found, 1)
        ),
        rooflines=tuple(pictures.rooflines(found, evidence, palette)) if palette is not None else (),
        versions=tuple(provenance.versions(every)),
        packages=tuple(provenance.packages(evidence)),
        inputs=tuple(provenance.inputs(found)),
        differences=tuple(provenance.peers_that_differ(every)),
        literature=tuple(_literature(every)),
    )


def _section(problem: ProblemResults, key: str, palette: dict[str, str] | None) -> ProblemSection:
    case = problem.first.case
    answers = [group_answer(group) for group in problem.measured]
    answers += [across_platforms(problem), *(cost_sentence(group) for group in problem.measured)]
    answers += [projection(group) for group in problem.groups if group not in problem.measured]
    return ProblemSection(
        key=key,
        title=title(case),
        details=details(case),
        facts=tuple(_problem_facts(problem)),
        answers=tuple(answer for answer in answers if answer),
        level=LEVELS[problem.level],
        tables=tuple(tables(problem)),
        pictures=tuple(pictures.pictures(problem, key, palette)) if palette is not None else (),
    )


def _problem_facts(problem: ProblemResults) -> list[str]:
    records = [row.record for entry in problem.newest for row in entry.rows]
    works = [record.work for record in records if record.work]
    facts = [_sentence(source(problem.first.case))]
    if works:
        work = works[0]
        size = next((size for entry in problem.newest if (size := unit_size(entry))), "")
        units = work.unit if work.units == 1 else plural(work.unit)
        facts.append(f"One repeat computes {amount(work.units)} {units}{f' of {size}' if size else ''}.")
        least = [f"{memory(work.bytes)} of memory traffic"] if work.bytes else []
        least += [f"{number(work.flop)} {work.flop_type} operations"] if work.flop else []
        facts += [f"Minimum work per repeat: {listed(least)}."] if least else []
    blocks = {record.blocks for record in records if record.blocks}
    if blocks:
        fits = any(record.exceeds_cache is False for record in records)
        numbers = listed(str(count) for count in sorted(blocks))
        facts.append(f"The repeats rotate over {numbers} input {'block' if blocks == {1} else 'blocks'}.")
        facts += ["The inputs fit into the processor cache: real data would be slower."] if fits else []
    orders = sorted({record.order for record in records if record.order})
    return [*facts, *(ORDERS.get(order, order) for order in orders)]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _notes(
    every: Sequence[Entry], found: Sequence[ProblemResults], drawn: Sequence[ProblemResults], figures: bool
) -> list[str]:
    notes = []
    strangers = sorted({f"{e.case.kernel} / {e.case.implementation}" for e in every if e.peer is None})
    if strangers:
        notes.append(
            f"Not installed where this report was written: {listed(_some(strangers))}. The report cannot tell whether"
            " these are peers, and does not compare them as peers."
        )
    able = [problem for problem in found if any(group.comparable for group in problem.groups)]
    if figures and len(drawn) < len(able):
        notes.append(
            f"Figures are drawn for {len(drawn)} of {len(able)} problems, the first ones of each kernel. The tables"
            " have all of them."
        )
    older = sum(len(problem.entries) - len(problem.newest) for problem in found)
    if older:
        notes.append(
            f"{counted(older, 'case')} measured with an older commit of the suite {'is' if older == 1 else 'are'}"
            " excluded from the comparisons: a newer commit measured the same."
        )
    return notes


def _some(names: Sequence[str], shown: int = 6) -> list[str]:
    return [*names[:shown], f"{len(names) - shown} more"] if len(names) > shown + 1 else list(names)


def _literature(every: Sequence[Entry]) -> list[tuple[str, str, str]]:
    cited = []
    for kernel in sorted({entry.case.kernel for entry in every}):
        known = card(kernel)
        cited += [(known.card.title, one.text, one.doi) for one in known.card.literature] if known else []
    return cited
