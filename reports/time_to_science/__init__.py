"""The report ``time_to_science``: where the time goes until the first result, and whether it keeps up with a detector.

::

    evidence -> starts -> real_time -> page -> HTML, Markdown, SVG
                                    -> csv_table -> CSV
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..blocks.files import FileReport

if TYPE_CHECKING:
    from daasbench.evidence import Evidence


def _files(evidence: Evidence, formats: Sequence[str]) -> dict[str, str]:
    """Return the page in each format, and each figure as a file of its own."""
    from .csv_table import starts_csv
    from .page import page, page_text
    from .starts import problem_starts

    found = problem_starts(evidence)
    made = page(evidence, found)
    texts: dict[str, str] = {}
    for wanted in formats:
        if wanted == "csv":
            texts["time_to_science.csv"] = starts_csv(found)
        elif wanted == "svg":
            texts |= {f"time_to_science-{figure.name}.svg": figure.svg for figure in made.figures}
        else:
            texts[f"time_to_science.{wanted}"] = page_text(evidence, found, made, wanted)
    return texts


report = FileReport(
    name="time_to_science",
    title="Time to science: how long the first result takes, and whether the analysis keeps up",
    formats=("html", "md", "csv", "svg"),
    files=_files,
)
