"""The report ``scaling``: what more cores, ranks and nodes bring, measured, and what a law projects from it.

::

    evidence -> entries -> climbs -> sentences, tables, pictures -> page -> HTML, Markdown
                                  -> sheet -> CSV
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
class ScalingReport:
    """Speed-up, efficiency, communication and the law they follow; see :class:`~daasbench.contracts.Report`."""

    name: str = "scaling"
    title: str = "Scaling: what more cores, ranks and nodes bring, and where it ends"
    formats: tuple[str, ...] = ("html", "md", "csv")

    def write(self, evidence: Evidence, out: Path, formats: Sequence[str] = ()) -> list[Path]:
        """Write ``scaling.html``, ``.md`` and ``.csv`` into `out`; return the files, the page first.

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
        texts = {f"scaling.{one}": _text(evidence, one) for one in self.formats if not formats or one in formats}
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


def _text(evidence: Evidence, wanted: str) -> str:
    from .climbs import survey

    if wanted == "csv":
        from .sheet import sheet

        return sheet(survey(evidence).climbs)
    from .page import page, render

    return render(page(evidence, drawn=wanted == "html"), f"scaling.{wanted}.j2")


report = ScalingReport()
