"""The report ``container_overhead``: how long a container takes to start, and how much slower is what runs inside.

::

    evidence -> overhead -> page (words, a figure) -> HTML, Markdown
                         -> CSV
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.errors import LedgerError, unknown

if TYPE_CHECKING:
    from daasbench.evidence import Evidence


@dataclass(frozen=True)
class ContainerOverheadReport:
    """One page; see :class:`~daasbench.contracts.Report`."""

    name: str = "container_overhead"
    title: str = "Containers: how long they take to start, and how much slower is what runs inside"
    formats: tuple[str, ...] = ("html", "md", "csv")

    def write(self, evidence: Evidence, out: Path, formats: Sequence[str] = ()) -> list[Path]:
        """Write ``container_overhead.html``, ``.md`` and ``.csv`` into `out`; return the files, the page first.

        Raises
        ------
        UnknownName
            If a format is not one of `formats`.
        LedgerError
            If a file cannot be written.
        """
        for wanted in formats:
            if wanted not in self.formats:
                raise unknown("format", wanted, self.formats, f"report {self.name}")
        from .overhead import overhead
        from .page import render

        found = overhead(evidence)
        chosen = [known for known in self.formats if not formats or known in formats]
        texts = {f"{self.name}.{wanted}": render(found, wanted) for wanted in chosen}
        try:
            out.mkdir(parents=True, exist_ok=True)
            for name, text in texts.items():
                (out / name).write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            message = f"{out}: the report cannot be written ({error.strerror}); the records are untouched"
            raise LedgerError(f"{message}, name another folder with --out") from error
        return [out / name for name in texts]


report = ContainerOverheadReport()
