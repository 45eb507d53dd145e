"""Three readers of ledgers: for whole files, for the few fields that a resume needs, and for a file that still grows.

A fourth reader, :class:`daasbench.evidence.columns.Reader`, makes the columns of the tidy table.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from daasbench.model import SCHEMA, Line, Record
from daasbench.records.layout import RECORDS_FILE
from daasbench.records.lines import Parser, line_numbers, lines_of, torn_sentence
from daasbench.records.schema import refuse_newer

_RECORD = b'{"type":"record"'  # how the line of a record begins: the tag is written first


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The content of one ledger.

    `lines` are in order. `torn` has the numbers, from 1, of the torn or invalid lines, and `warning` is the message
    about them, empty if there are none.
    """

    lines: list[Line]
    torn: list[int]
    warning: str


def read_lines(path: Path) -> Reading:
    """Return the lines of one ``records.jsonl``; torn and invalid lines are counted and excluded.

    Raises
    ------
    LedgerError
        If the file cannot be read, or a newer daasbench wrote it.
    """
    parser: Parser[Line] = Parser(Line)  # type: ignore[arg-type]  # a union is not a type to mypy
    lines: list[Line] = []
    torn: list[int] = []
    for offset, text in lines_of(path):
        line = parser.parse(text, path)
        if line is None:
            torn.append(offset)
        else:
            lines.append(line)
    return Reading(lines=lines, torn=line_numbers(path, torn), warning=torn_sentence(path, torn))


class Fields(msgspec.Struct):
    """Base class of views of a line with the few fields that a caller needs; the other fields are not decoded."""

    type: str = ""
    schema: int = SCHEMA


View = TypeVar("View", bound=Fields)


class FieldReader(Generic[View]):
    """Read a few fields of all lines below a folder: ten thousand records in a fraction of a second.

    Parameters
    ----------
    view
        The fields.
    """

    def __init__(self, view: type[View]) -> None:
        self.torn = 0  # lines that were torn or invalid
        self._decode = msgspec.json.Decoder(view).decode

    def read(self, folder: Path) -> Iterator[View]:
        """Yield the fields of every valid line, file by file.

        Raises
        ------
        LedgerError
            If a newer daasbench wrote a line.
        """
        for path in sorted(folder.rglob(RECORDS_FILE)):
            with open(path, "rb") as stream:
                for text in stream:
                    try:
                        line = self._decode(text)
                    except msgspec.DecodeError:
                        self.torn += 1
                        continue
                    if line.schema > SCHEMA:
                        refuse_newer(text, path)
                    yield line


class Tail:
    """Reads the records that another process is appending to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._rest = b""
        self._decoder = msgspec.json.Decoder(Record)

    def new_records(self) -> list[Record]:
        """Return the records that were completed since the last call."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self._offset)
                text = stream.read()
        except OSError:
            return []
        self._offset += len(text)
        *whole, self._rest = (self._rest + text).split(b"\n")
        records = []
        for line in whole:
            if line.startswith(_RECORD):
                with contextlib.suppress(msgspec.DecodeError):
                    records.append(self._decoder.decode(line))
        return records
