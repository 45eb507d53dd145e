"""The report ``summary``: the question, its answer, and everything that a reader needs to check it.

::

    evidence -> entries -> claims -> sentences, lines, pictures, gaps -> page -> HTML, Markdown
                                                                      -> sheet -> CSV
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.errors import LedgerError, unknown

if TYPE_CHECKING:
    from daasbench.evidence import Evidence


@dataclass(frozen=True)
class SummaryReport:
    """One page for managers and engineers; see :class:`~daasbench.contracts.Report`."""

    name: str = "summary"
    title: str = "Summary: the question, its answer, and how sure it is"
    formats: tuple[str, ...] = ("html", "md", "csv")

    def write(self, evidence: Evidence, out: Path, formats: Sequence[str] = ()) -> list[Path]:
        """Write ``summary.html``, ``.md`` and ``.csv`` into `out`; return the files, the page first.

        What was projected or rehearsed goes into a sheet of its own: ``summary-projected.csv``.

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
        chosen = [known for known in self.formats if not formats or known in formats]
        with _collecting_later():
            texts = {name: text for wanted in chosen for name, text in _texts(evidence, wanted).items()}
        try:
            out.mkdir(parents=True, exist_ok=True)
            for name, text in texts.items():
                (out / name).write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise LedgerError(
                f"{out}: the report cannot be written ({error.strerror}); the records are untouched,"
                " name another folder with --out"
            ) from error
        return [out / name for name in texts]


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Keep the garbage collector from scanning all records again and again: it doubles the time of a figure."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _texts(evidence: Evidence, wanted: str) -> dict[str, str]:
    """Return the files of one format: name and content."""
    if wanted == "csv":
        from daasbench.model import Basis

        from .claims import problems
        from .entries import entries
        from .sheet import sheet

        found = problems(entries(evidence))
        names = {basis: "summary.csv" if basis is Basis.MEASURED else f"summary-{basis}.csv" for basis in Basis}
        return {names[basis]: text for basis in Basis if (text := sheet(found, basis)) is not None}
    from .page import page, render

    return {f"summary.{wanted}": render(page(evidence, drawn=wanted == "html"), f"summary.{wanted}.j2")}


report = SummaryReport()
