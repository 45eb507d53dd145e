"""The report ``summary``: the question, its answer, and everything that a reader needs to check it.

::

    evidence -> entries -> claims -> tables, pictures -> page -> HTML, Markdown
                                  -> csv_table -> CSV
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..blocks.files import FileReport

if TYPE_CHECKING:
    from daasbench.evidence import Evidence


def _files(evidence: Evidence, formats: Sequence[str]) -> dict[str, str]:
    """Return the page in each format, and as CSV one file per basis: ``summary-projected.csv``."""
    from daasbench.evidence.claims import problem_results
    from daasbench.evidence.entries import entries

    from .csv_table import csv_files
    from .page import page_text

    found = problem_results(entries(evidence))
    texts: dict[str, str] = {}
    for wanted in formats:
        texts |= csv_files(found) if wanted == "csv" else {f"summary.{wanted}": page_text(evidence, found, wanted)}
    return texts


report = FileReport(
    name="summary",
    title="Summary: the question, its answer, and how sure it is",
    formats=("html", "md", "csv"),
    files=_files,
)
