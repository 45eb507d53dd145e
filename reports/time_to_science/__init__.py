"""The report ``time_to_science``: where the time goes until the first result, and whether a detector is kept up with.

::

    evidence -> launches -> keeping -> page -> HTML, Markdown, SVG
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
class TimeToScienceReport:
    """One page on starts; see :class:`~daasbench.contracts.Report`."""

    name: str = "time_to_science"
    title: str = "Time to science: where the time goes until the first result, and does it keep up"
    formats: tuple[str, ...] = ("html", "md", "csv", "svg")

    def write(self, evidence: Evidence, out: Path, formats: Sequence[str] = ()) -> list[Path]:
        """Write ``time_to_science.html``, ``.md``, ``.csv`` and each figure as ``.svg`` into `out`.

        Returns the files, the page first.

        Raises
        ------
        UnknownName
            If a format is not one of `formats`.
        LedgerError
            If a file cannot be written.
        """
        from .page import page, render
        from .sheet import sheet

        for wanted in formats:
            if wanted not in self.formats:
                raise unknown("format", wanted, self.formats, f"report {self.name}")
        chosen = [known for known in self.formats if not formats or known in formats]
        made = page(evidence)
        texts: dict[str, str] = {}
        for wanted in chosen:
            if wanted == "csv":
                texts["time_to_science.csv"] = sheet(made)
            elif wanted == "svg":
                texts |= {f"time_to_science-{picture.name}.svg": picture.svg for picture in made.pictures}
            else:
                texts[f"time_to_science.{wanted}"] = render(made, f"time_to_science.{wanted}.j2")
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


report = TimeToScienceReport()
