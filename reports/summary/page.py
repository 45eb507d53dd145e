"""The page: what the evidence says, laid out once for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daasbench.evidence.claims import ComparisonGroup, ProblemResults
from daasbench.evidence.entries import Entry, card
from daasbench.model import Outcome

from ..blocks import provenance
from ..blocks.claims_in_words import (
    LEVELS,
    across_platforms,
    cost_sentence,
    details,
    group_answer,
    name,
    projection,
    ratio,
    source,
    speed,
    title,
)
from ..blocks.comparison_table import ComparisonTable, tables
from ..blocks.numbers import amount, counted, listed, memory, number, plural
from ..blocks.page import CaptionedFigure, page_frame, render
from ..blocks.questions import AnsweredQuestion, questions
from . import pictures

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

TEMPLATES = Path(__file__).parent / "templates"
ORDERS = {
    "interleaved": "the implementations ran alternately, the waiting ones stopped",
    "blocks": "the implementations ran as randomised whole blocks",
    "serial": "the implementations ran one after the other, because they do not fit into memory together",
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
    overview: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class SummaryPage:
    """Everything that a template may show, beside the frame."""

    questions: tuple[AnsweredQuestion, ...]
    sections: tuple[ProblemSection, ...]
    rooflines: tuple[CaptionedFigure, ...]
    versions: tuple[tuple[str, str, str], ...]
    packages: tuple[tuple[str, str], ...]
    inputs: tuple[tuple[str, str], ...]
    differences: tuple[tuple[str, str], ...]
    literature: tuple[tuple[str, str, str], ...]
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def page_text(evidence: Evidence, problems: Sequence[ProblemResults], wanted: str) -> str:
    """Return the page as ``"html"`` or ``"md"``."""
    page = _page(evidence, problems, drawn=wanted == "html")
    return render(f"summary.{wanted}.j2", page_frame(evidence, "summary", problems), TEMPLATES, page=page)


def _page(evidence: Evidence, found: Sequence[ProblemResults], drawn: bool) -> SummaryPage:
    """Return the page; without `drawn` no figure is made (Markdown has none)."""
    every = [entry for problem in found for entry in problem.entries]
    with_figures = pictures.chosen(found) if drawn else []
    return SummaryPage(
        questions=tuple(questions(evidence, found)),
        sections=tuple(
            _section(problem, f"p{index}", problem in with_figures) for index, problem in enumerate(found, 1)
        ),
        rooflines=tuple(pictures.rooflines(found, evidence)) if drawn else (),
        versions=tuple(provenance.versions(every)),
        packages=tuple(provenance.packages(evidence)),
        inputs=tuple(provenance.inputs(found)),
        differences=tuple(provenance.peers_that_differ(every)),
        literature=tuple(_literature(every)),
        facts=tuple(_facts(evidence, every, found)),
        notes=tuple(_notes(every, found, with_figures, drawn)),
    )


def _section(problem: ProblemResults, key: str, drawn: bool) -> ProblemSection:
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
        pictures=tuple(pictures.pictures(problem, key)) if drawn else (),
        overview=tuple(_overview(group) for group in problem.measured),
    )


def _overview(group: ComparisonGroup) -> Mapping[str, Any]:
    """Return one line of the overview: the fastest of a competition."""
    fastest = group.fastest
    line: dict[str, Any] = {"platform": group.platform, "level": LEVELS[group.level]}
    if fastest is None:
        return line | {"fastest": "no verified result", "decided": "", "speed": "", "peer": "", "reference": ""}
    words = "sure" if group.decided else "cannot be told yet" if group.level >= 2 and group.rivals else "not compared"
    pairs = {"peer": group.best_peer, "reference": group.reference}
    for word, base in pairs.items():
        found = fastest.times_as_fast_as(base) if base and base is not fastest else None
        line[word] = ratio(found) if found and found.low is not None else ""
        line[f"{word}_name"] = name(base) if base else ""
    return line | {"fastest": name(fastest), "decided": words, "speed": " ".join(filter(None, speed(fastest)))}


def _problem_facts(problem: ProblemResults) -> list[str]:
    records = [row.record for entry in problem.newest for row in entry.rows]
    works = [record.work for record in records if record.work]
    facts = [source(problem.first.case)]
    if works:
        work = works[0]
        facts.append(f"one repeat computes {amount(work.units)} {work.unit if work.units == 1 else plural(work.unit)}")
        least = [f"{memory(work.bytes)} of memory traffic"] if work.bytes else []
        least += [f"{number(work.flop)} {work.flop_type} operations"] if work.flop else []
        facts += [f"minimum work of one repeat: {listed(least)}"] if least else []
    blocks = {record.blocks for record in records if record.blocks}
    if blocks:
        fits = any(record.exceeds_cache is False for record in records)
        cache = "; they do not exceed the cache four times, so part of the speed is the cache's" if fits else ""
        facts.append(f"repeats rotate over {listed(str(b) for b in sorted(blocks))} input blocks{cache}")
    orders = sorted({record.order for record in records if record.order})
    return [*facts, *(ORDERS.get(order, order) for order in orders)]


def _facts(evidence: Evidence, every: Sequence[Entry], found: Sequence[ProblemResults]) -> list[tuple[str, str]]:
    records = evidence.records
    good = sum(record.outcome is Outcome.OK for record in records)
    kernels = len({entry.case.kernel for entry in every})
    measured = sum(1 for problem in found if problem.first.case.input_hash or problem.first.case.input)
    return [
        ("Platforms", listed(sorted({entry.platform for entry in every}))),
        ("Scope", f"{counted(kernels, 'kernel')}, {counted(len(found), 'problem')}, {counted(len(every), 'case')}"),
        ("Inputs", _inputs(measured, len(found))),
        ("Evidence", f"{good} of {counted(len(records), 'process')} correct"),
        ("Dates", provenance.dates_of(records)),
        ("Suite commit", provenance.commits_of(records)),
    ]


def _inputs(measured: int, total: int) -> str:
    if measured in (0, total):
        return f"{'measured' if measured else 'generated'} data in every problem"
    return f"measured data in {measured} of {counted(total, 'problem')}, generated data in the others"


def _notes(
    every: Sequence[Entry], found: Sequence[ProblemResults], drawn: Sequence[ProblemResults], figures: bool
) -> list[str]:
    notes = []
    strangers = sorted({f"{e.case.kernel} / {e.case.implementation}" for e in every if e.peer is None})
    if strangers:
        notes.append(
            f"Not installed where this report was written: {listed(_some(strangers))}. It is"
            " therefore not known here whether these are peers, and they are not compared as peers."
        )
    able = [problem for problem in found if any(group.comparable for group in problem.groups)]
    if figures and len(drawn) < len(able):
        notes.append(
            f"Figures are drawn for {len(drawn)} of {len(able)} problems, the first ones of each kernel; the tables"
            " hold all of them."
        )
    older = sum(len(problem.entries) - len(problem.newest) for problem in found)
    if older:
        notes.append(
            f"{counted(older, 'case')} measured with an older commit of the suite {'is' if older == 1 else 'are'}"
            " excluded from the comparisons, because a newer commit measured the same."
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
