"""The page: what surrounds the content of every report, and the templates that render both as HTML and Markdown.

A report has templates of its own, which extend ``layout.html.j2`` and ``layout.md.j2``, or fills a
:class:`PlainPage` and has none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daasbench.evidence.claims import EvidenceLevel, ProblemResults, problem_results
from daasbench.evidence.entries import entries
from daasbench.scenario.goal import goal_notes

from . import provenance
from .answer import AnswerBox, Answered, caution, trust_line
from .claims_in_words import LEVELS
from .gaps import Gap, count_words, gaps

if TYPE_CHECKING:
    from daasbench.evidence import Evidence

COMMAND = re.compile(r"\bdaasbench (run|report|show) .*$", re.DOTALL)
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class CaptionedFigure:
    """A figure with its caption, which says in words what is not shown.

    Attributes
    ----------
    svg
        The figure as an element of a page.
    name
        That of its file, if it has one.
    title
        The finding that it shows, in a sentence.
    """

    svg: str
    caption: str
    name: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class PageFrame:
    """What every page has around its content."""

    report: str  # its name
    origin: str  # machine and dates, in one line
    trust: str  # how far the measurements can be trusted, in one line
    caution: str  # that the machine was busy; empty if it was not
    notes: tuple[str, ...]  # what a reader must know of the evidence as a whole
    warnings: tuple[str, ...]  # what could not be read
    gaps: tuple[Gap, ...]
    gap_words: str
    machines: tuple[provenance.ObservedMachine, ...]
    more_machines: int  # that are not shown
    runs: tuple[provenance.RunProvenance, ...]
    more_runs: int  # that are not shown
    levels: tuple[tuple[str, str], ...]


def page_frame(
    evidence: Evidence,
    report: str,
    problems: Sequence[ProblemResults] | None = None,
    runs: Sequence[str] | None = None,
) -> PageFrame:
    """Return what surrounds the content of a report.

    Parameters
    ----------
    report
        The report's name, as ``daasbench report`` knows it.
    problems
        The problems that the page is of: their gaps are listed; default: all of the evidence.
    runs
        The runs that the page is of; default: all of the evidence.
    """
    shown = problem_results(entries(evidence)) if problems is None else problems
    holes = gaps(shown, evidence)
    machines = provenance.machines(evidence)
    every = sorted({record.run for record in evidence.records}) if runs is None else runs
    newest = provenance.runs(evidence, report, every)
    return PageFrame(
        report=report,
        origin=provenance.origin(evidence, newest),
        trust=trust_line(evidence, shown),
        caution=caution(evidence, shown),
        notes=tuple(goal_notes(text for run, text in evidence.scenarios.items() if run in every)),
        warnings=tuple(evidence.warnings),
        gaps=tuple(holes),
        gap_words=count_words(holes),
        machines=tuple(machines[: provenance.MACHINES]),
        more_machines=max(0, len(machines) - provenance.MACHINES),
        runs=tuple(newest),
        more_runs=len(every) - len(newest),
        levels=tuple(LEVELS[level] for level in sorted(LEVELS) if level >= 0),
    )


@dataclass(frozen=True, kw_only=True)
class PlainSection:
    """A section of a plain page: sentences, a figure and a table, each if there is one."""

    title: str
    sentences: tuple[str, ...] = ()
    figure: CaptionedFigure | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class PlainPage:
    """A page without templates of its own: the question, its answer, the sections below.

    Attributes
    ----------
    answers
        One to three sentences, at most 25 words each; the first one answers. None if there is no answer.
    missing
        If there is no answer: what is missing, and the command that gets it.
    figure
        The one figure that shows the answer.
    """

    question: str
    answers: tuple[str, ...]
    level: EvidenceLevel
    sections: tuple[PlainSection, ...]
    missing: str = ""
    figure: CaptionedFigure | None = None

    @property
    def level_words(self) -> tuple[str, str]:
        """Return the level's sign and what it means."""
        return LEVELS[self.level]

    def text(self, frame: PageFrame, wanted: str) -> str:
        """Return the page as ``"html"``, one file that loads nothing, or as ``"md"``, without its figures."""
        box = AnswerBox(sentences=self.answers, trust=frame.trust, caution=frame.caution, missing=self.missing)
        top = [Answered(question=self.question, box=box, figure=self.figure)]
        return render(f"plain.{wanted}.j2", frame, answered=top, page=self)


def render(template: str, frame: PageFrame, folder: Path | None = None, **facts: Any) -> str:
    """Return a template (``scaling.html.j2``, ``scaling.md.j2``) filled with `frame` and `facts`.

    The fact `answered`, a sequence of :class:`Answered`, is the top of the page: questions and answers.

    Parameters
    ----------
    folder
        That of the report's own templates.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader([*([folder] if folder else []), TEMPLATES]),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["cell"] = markdown_cell
    templates.filters["command"] = html_command if template.endswith(".html.j2") else markdown_command
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    return templates.get_template(template).render(frame=frame, style=style, **facts)


def _split(text: str) -> tuple[str, str]:
    """Return a text and the command at its end, which is to be copied; it may have none."""
    found = COMMAND.search(text)
    return (text[: found.start()], found[0]) if found else (text, "")


def html_command(text: str) -> str:
    """Return text for a page, the command at its end as code."""
    from markupsafe import Markup, escape

    words, command = _split(text)
    return escape(words) + (Markup("<code>{}</code>").format(command) if command else "")


def markdown_command(text: str) -> str:
    """Return text for Markdown, the command at its end as code, so that it can be copied."""
    words, command = _split(text)
    if not command or "`" in command:
        return markdown_cell(text)
    return f"{markdown_cell(words)} `{' '.join(command.split())}`".strip()


def markdown_cell(text: object) -> str:
    """Return text that stays within one cell of a Markdown table, and is no markup."""
    flat = " ".join(str(text).split())
    for sign in "\\|`*_#[]":
        flat = flat.replace(sign, f"\\{sign}")
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
