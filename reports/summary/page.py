"""The page: what the evidence says, laid out once for HTML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daasbench.model import Outcome

from ..wording import amount, counted, listed, memory, number, plural
from . import gaps as gap_list
from . import pictures, surroundings
from .claims import Field, Problem, problems
from .entries import Entry, card, entries
from .lines import Table, tables
from .questions import Question, questions
from .sentences import (
    LEVELS,
    across_platforms,
    cost_sentence,
    details,
    field_answer,
    name,
    projection,
    ratio,
    source,
    speed,
    title,
)

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

TEMPLATES = Path(__file__).parent / "templates"
ORDERS = {
    "interleaved": "contenders took turns, the waiting ones stopped",
    "blocks": "contenders ran as randomised whole blocks",
    "serial": "contenders ran one after the other, because they do not fit into memory together",
}


@dataclass(frozen=True, kw_only=True)
class Section:
    """One problem: its facts, answers, tables and figures."""

    key: str
    title: str
    details: str
    facts: tuple[str, ...]
    answers: tuple[str, ...]
    level: tuple[str, str]
    tables: tuple[Table, ...]
    pictures: tuple[pictures.Picture, ...]
    overview: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything that a template may show."""

    questions: tuple[Question, ...]
    sections: tuple[Section, ...]
    rooflines: tuple[pictures.Picture, ...]
    gaps: tuple[gap_list.Gap, ...]
    gap_words: str
    sites: tuple[surroundings.Site, ...]
    runs: tuple[surroundings.Run, ...]
    run_count: int
    versions: tuple[tuple[str, str, str], ...]
    packages: tuple[tuple[str, str], ...]
    inputs: tuple[tuple[str, str], ...]
    differences: tuple[tuple[str, str], ...]
    literature: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    levels: tuple[tuple[str, str], ...]


def page(evidence: Evidence, drawn: bool = True) -> Page:
    """Return the page; without `drawn` no figure is made (Markdown has none)."""
    every = entries(evidence)
    found = problems(every)
    with_figures = pictures.chosen(found) if drawn else []
    holes = gap_list.gaps(found, evidence)
    runs = {record.run for record in evidence.records}
    return Page(
        questions=tuple(questions(evidence, found)),
        sections=tuple(
            _section(problem, f"p{index}", problem in with_figures) for index, problem in enumerate(found, 1)
        ),
        rooflines=tuple(pictures.rooflines(found, evidence)) if drawn else (),
        gaps=tuple(holes),
        gap_words=gap_list.count_words(holes),
        sites=tuple(surroundings.sites(evidence)),
        runs=tuple(surroundings.runs(evidence)),
        run_count=len(runs),
        versions=tuple(surroundings.versions(every)),
        packages=tuple(surroundings.packages(evidence)),
        inputs=tuple(surroundings.inputs(found)),
        differences=tuple(surroundings.peers_that_differ(every)),
        literature=tuple(_literature(every)),
        warnings=tuple(evidence.warnings),
        facts=tuple(_facts(evidence, every, found)),
        notes=tuple(_notes(every, found, with_figures, drawn)),
        levels=tuple(LEVELS[level] for level in sorted(LEVELS) if level >= 0),
    )


def _section(problem: Problem, key: str, drawn: bool) -> Section:
    case = problem.first.case
    answers = [field_answer(field) for field in problem.measured]
    answers += [across_platforms(problem), *(cost_sentence(field) for field in problem.measured)]
    answers += [projection(field) for field in problem.fields if field not in problem.measured]
    return Section(
        key=key,
        title=title(case),
        details=details(case),
        facts=tuple(_problem_facts(problem)),
        answers=tuple(answer for answer in answers if answer),
        level=LEVELS[problem.level],
        tables=tuple(tables(problem)),
        pictures=tuple(pictures.pictures(problem, key)) if drawn else (),
        overview=tuple(_overview(field) for field in problem.measured),
    )


def _overview(field: Field) -> Mapping[str, Any]:
    """Return one line of the overview: the fastest of a competition."""
    fastest = field.fastest
    line: dict[str, Any] = {"platform": field.platform, "level": LEVELS[field.level]}
    if fastest is None:
        return line | {"fastest": "no verified result", "decided": "", "speed": "", "peer": "", "reference": ""}
    words = "decided" if field.decided else "undecided" if field.level >= 2 and field.rivals else "not compared"
    pairs = {"peer": field.best_peer, "reference": field.reference}
    for word, base in pairs.items():
        found = fastest.times_as_fast_as(base) if base and base is not fastest else None
        line[word] = ratio(found) if found and found.low is not None else ""
        line[f"{word}_name"] = name(base) if base else ""
    return line | {"fastest": name(fastest), "decided": words, "speed": " ".join(filter(None, speed(fastest)))}


def _problem_facts(problem: Problem) -> list[str]:
    records = [row.record for entry in problem.newest for row in entry.rows]
    works = [record.work for record in records if record.work]
    message = [source(problem.first.case)]
    if works:
        work = works[0]
        message.append(
            f"one repeat computes {amount(work.units)} {work.unit if work.units == 1 else plural(work.unit)}"
        )
        least = [f"{memory(work.bytes)} of memory traffic"] if work.bytes else []
        least += [f"{number(work.flop)} {work.flop_type} operations"] if work.flop else []
        message += [f"least work of one repeat: {listed(least)}"] if least else []
    blocks = {record.blocks for record in records if record.blocks}
    if blocks:
        fits = any(record.exceeds_cache is False for record in records)
        cache = "; they do not exceed the cache four times, so part of the speed is the cache's" if fits else ""
        message.append(f"repeats rotate over {listed(str(b) for b in sorted(blocks))} input blocks{cache}")
    message += [ORDERS.get(order, order) for order in sorted({record.order for record in records if record.order})]
    return message


def _facts(evidence: Evidence, every: Sequence[Entry], found: Sequence[Problem]) -> list[tuple[str, str]]:
    records = evidence.records
    days = sorted({record.started_at[:10] for record in records if record.started_at})
    commits = sorted({record.commit for record in records if record.commit})
    good = sum(record.outcome is Outcome.OK for record in records)
    kernels = len({entry.case.kernel for entry in every})
    measured = sum(1 for problem in found if problem.first.case.input_hash or problem.first.case.input)
    return [
        ("Platforms", listed(sorted({entry.platform for entry in every}))),
        ("Scope", f"{counted(kernels, 'kernel')}, {counted(len(found), 'problem')}, {counted(len(every), 'case')}"),
        ("Inputs", _inputs(measured, len(found))),
        ("Evidence", f"{good} of {counted(len(records), 'process')} verified right"),
        ("Dates", " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "not recorded"),
        ("Suite commit", listed(commits) or "not recorded"),
    ]


def _inputs(measured: int, total: int) -> str:
    if measured in (0, total):
        return f"{'measured' if measured else 'generated'} data in every problem"
    return f"measured data in {measured} of {counted(total, 'problem')}, generated data in the others"


def _notes(every: Sequence[Entry], found: Sequence[Problem], drawn: Sequence[Problem], figures: bool) -> list[str]:
    message = []
    strangers = sorted({f"{e.case.kernel} / {e.case.implementation}" for e in every if e.peer is None})
    if strangers:
        message.append(
            f"Not installed where this report was written: {listed(_some(strangers))}. Whether these are peers is"
            " therefore not known here, and they are not compared as peers."
        )
    able = [problem for problem in found if any(field.measuring_processes for field in problem.fields)]
    if figures and len(drawn) < len(able):
        message.append(
            f"Figures are drawn for {len(drawn)} of {len(able)} problems, the first ones of each kernel; the tables"
            " hold all of them."
        )
    older = sum(len(problem.entries) - len(problem.newest) for problem in found)
    if older:
        message.append(
            f"{counted(older, 'case')} measured with an older commit of the suite {'is' if older == 1 else 'are'} left"
            " out of the comparisons, because a newer commit measured the same."
        )
    return message


def _some(names: Sequence[str], shown: int = 6) -> list[str]:
    return [*names[:shown], f"{len(names) - shown} more"] if len(names) > shown + 1 else list(names)


def _literature(every: Sequence[Entry]) -> list[tuple[str, str, str]]:
    cited = []
    for kernel in sorted({entry.case.kernel for entry in every}):
        known = card(kernel)
        cited += [(known.card.title, one.text, one.doi) for one in known.card.literature] if known else []
    return cited


def render(page: Page, template: str) -> str:
    """Return the page through a template: ``summary.html.j2`` or ``summary.md.j2``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    house = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    house.filters["cell"] = _markdown_cell
    style = (TEMPLATES / "summary.css").read_text(encoding="utf-8")
    return house.get_template(template).render(page=page, style=style)


def _markdown_cell(text: object) -> str:
    """Return text that stays within one cell of a Markdown table, and is no markup."""
    flat = " ".join(str(text).split())
    for sign in "\\|`*_#[]":
        flat = flat.replace(sign, f"\\{sign}")
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
