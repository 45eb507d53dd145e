"""The lines of a ``records.jsonl``, read as bytes and decoded.

If a line is torn, only this line is lost. A line of a newer schema is refused. All readers of ledgers use this module:
:mod:`daasbench.records.readers` and :class:`daasbench.evidence.columns.Reader`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from daasbench.errors import LedgerError
from daasbench.model import SCHEMA
from daasbench.records.schema import refuse_newer

Kind = TypeVar("Kind")

_INVALID = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Parser(Generic[Kind]):
    """Decode lines of a ``records.jsonl``: the result is None for a torn line; a newer schema raises LedgerError.

    Parameters
    ----------
    kind
        The type of the lines: :data:`daasbench.model.Line`, or a narrower type with the same tags.
    """

    def __init__(self, kind: type[Kind]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode

    def parse(self, text: bytes, path: Path) -> Kind | None:
        """Return the line, or None if `text` is not a complete and valid line; errors name `path`."""
        try:
            line = self._decode(text)
        except _INVALID:
            refuse_newer(text, path)
            return None
        if getattr(line, "schema", SCHEMA) > SCHEMA:
            refuse_newer(text, path)
        return line


def lines_of(path: Path, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield offset and text of each line that is not blank and starts between the bytes `start` and `end` (excluded).

    Raises
    ------
    LedgerError
        If the file cannot be read.
    """
    try:
        with path.open("rb", buffering=2**20) as file:
            if start:
                file.seek(start - 1)
                file.readline()  # the rest of a line that starts before
            offset = file.tell()
            for text in file:
                if end is not None and offset >= end:
                    return
                if not text.isspace():
                    yield offset, text
                offset += len(text)
    except OSError as error:
        raise LedgerError(f"{path}: cannot read records ({error.strerror}); nothing was changed") from error


def torn_sentence(path: Path, offsets: Sequence[int]) -> str:
    """Return the message about the torn or invalid lines that start at `offsets`; empty if there are none."""
    if not offsets:
        return ""
    numbers = ", ".join(map(str, line_numbers(path, offsets[:5]))) + (" ..." if len(offsets) > 5 else "")
    plural = "s" if len(offsets) > 1 else ""
    return (
        f"{path}: {len(offsets)} incomplete or invalid line{plural} excluded (line{plural} {numbers}); this happens if"
        " a process is killed or the disk is full; run the same command again to measure the missing cases"
    )


def line_numbers(path: Path, offsets: Sequence[int]) -> list[int]:
    """Return the numbers, from 1, of the lines that start at `offsets` (ascending)."""
    numbers, number, position = [], 1, 0
    with path.open("rb") as file:
        for offset in offsets:
            while position < offset:
                block = file.read(min(2**20, offset - position))
                number += block.count(b"\n")
                position += len(block)
            numbers.append(number)
    return numbers
