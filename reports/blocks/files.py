"""A report as files: the formats that were asked for, written whole or not at all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daasbench.errors import unknown
from daasbench.host.output_files import write_texts

if TYPE_CHECKING:
    from daasbench.evidence import Evidence


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """A report that consists of text files; see :class:`~daasbench.contracts.Report`.

    Attributes
    ----------
    name
        That of its entry point; its main files are called ``name.html``, ``name.md`` ...
    title
        One line for ``daasbench list reports``.
    formats
        Every format that it can write, the main one first.
    files
        The function that makes it: evidence and formats (in the order of `formats`) to content by file name, the
        main file first. It must import what is slow (pandas, matplotlib, jinja2) inside, so that listing reports
        is quick.
    """

    name: str
    title: str
    formats: tuple[str, ...]
    files: Callable[[Evidence, Sequence[str]], Mapping[str, str]]

    def write(self, evidence: Evidence, out: Path, formats: Sequence[str] = ()) -> list[Path]:
        """Write the report into the folder `out`, which is made; return the files, the main one first.

        Parameters
        ----------
        formats
            Some of `formats`; none means all of them.

        Raises
        ------
        UnknownName
            If a format is not one of `formats`.
        OutputError
            If a file cannot be written; the message says which were.
        """
        for wanted in formats:
            if wanted not in self.formats:
                raise unknown("format", wanted, self.formats, f"report {self.name}")
        chosen = [known for known in self.formats if not formats or known in formats]
        with _garbage_collected_later():
            texts = self.files(evidence, chosen)
        return write_texts(out, texts)


@contextmanager
def _garbage_collected_later() -> Iterator[None]:
    """Keep the garbage collector from scanning all records again and again: it doubles the time of a figure."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
