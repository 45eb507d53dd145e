"""The report ``scaling``: what more cores, ranks and nodes bring, measured, and what a law projects from it.

::

    evidence -> entries -> scaling series -> sentences, tables, pictures -> page -> HTML, Markdown
                                          -> csv_table -> CSV
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..blocks.files import FileReport

if TYPE_CHECKING:
    from daasbench.evidence import Evidence


def _files(evidence: Evidence, formats: Sequence[str]) -> dict[str, str]:
    from daasbench.evidence.claims import problem_results
    from daasbench.evidence.entries import entries

    from .csv_table import series_csv
    from .page import page_text
    from .scaling_series import survey

    problems = problem_results(entries(evidence))
    found = survey(evidence, problems)
    return {
        f"scaling.{wanted}": series_csv(found.series)
        if wanted == "csv"
        else page_text(evidence, problems, found, wanted)
        for wanted in formats
    }


report = FileReport(
    name="scaling",
    title="Scaling: how many cores, ranks and nodes are worth using",
    formats=("html", "md", "csv"),
    files=_files,
)
