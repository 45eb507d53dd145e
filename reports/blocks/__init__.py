"""Blocks: what every report shares. The names below are for authors of reports, in this folder or in a package.

A report is a :class:`FileReport` with a function from evidence to texts; docs/how-to/add-a-report.md builds one. A
name is imported when it is used, so that listing reports is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .files import FileReport

if TYPE_CHECKING:
    from daasbench.evidence.claims import EvidenceLevel, compare, level, problem_results
    from daasbench.evidence.entries import entries

    from ..figures import canvas
    from .answer import AnswerBox, Answered, caution, trust_line
    from .claims_in_words import LEVELS, OUTCOMES, details, group_answer, name, speed, time, title
    from .csv_table import csv_text, interval_cells
    from .numbers import counted, duration, factor, joined, listed, number, percent, rate
    from .page import CaptionedFigure, PlainPage, PlainSection, page_frame, render

_ROOM = __name__.rpartition(".")[0]
_CANVAS = f"{_ROOM}.figures.canvas"  # the module, not a name in it
_NAMES = {
    "daasbench.evidence.claims": ("EvidenceLevel", "compare", "level", "problem_results"),
    "daasbench.evidence.entries": ("entries",),
    f"{__name__}.answer": ("AnswerBox", "Answered", "caution", "trust_line"),
    f"{__name__}.claims_in_words": (
        "LEVELS", "OUTCOMES", "details", "group_answer", "name", "speed", "time", "title",
    ),
    f"{__name__}.csv_table": ("csv_text", "interval_cells"),
    f"{__name__}.numbers": ("counted", "duration", "factor", "joined", "listed", "number", "percent", "rate"),
    f"{__name__}.page": ("CaptionedFigure", "PlainPage", "PlainSection", "page_frame", "render"),
}  # fmt: skip
_LAZY = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "canvas":
        return importlib.import_module(_CANVAS)
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "LEVELS", "OUTCOMES", "AnswerBox", "Answered", "CaptionedFigure", "EvidenceLevel", "FileReport", "PlainPage",
    "PlainSection", "canvas", "caution", "compare", "counted", "csv_text", "details", "duration", "entries", "factor",
    "group_answer", "interval_cells", "joined", "level", "listed", "name", "number", "page_frame", "percent",
    "problem_results", "rate", "render", "speed", "time", "title", "trust_line",
]  # fmt: skip
