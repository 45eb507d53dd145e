"""The report ``container_overhead``: how long a container takes to start, and how much slower is what runs inside.

::

    evidence -> overhead -> page (words, a figure) -> HTML, Markdown
                         -> CSV
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..blocks.files import FileReport

if TYPE_CHECKING:
    from daasbench.evidence import Evidence


def _files(evidence: Evidence, formats: Sequence[str]) -> dict[str, str]:
    from .overhead import overhead
    from .page import overhead_csv, page_text

    found = overhead(evidence)
    return {
        f"container_overhead.{wanted}": overhead_csv(found) if wanted == "csv" else page_text(evidence, found, wanted)
        for wanted in formats
    }


report = FileReport(
    name="container_overhead",
    title="Containers: how long they take to start, and how much slower is what runs inside",
    formats=("html", "md", "csv"),
    files=_files,
)
