"""The lines of a ``records.jsonl``, decoded tolerantly: what is torn costs itself, what is newer is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from daasbench.errors import LedgerError
from daasbench.model import SCHEMA

FILE = "records.jsonl"

Kind = TypeVar("Kind")


def torn_sentence(path: Path, offsets: Sequence[int]) -> str:
    """Return the sentence on the torn or invalid lines that start at `offsets`; empty for none."""
    if not offsets:
        return ""
    numbers = ", ".join(map(str, line_numbers(path, offsets[:5]))) + (" ..." if len(offsets) > 5 else "")
    return (
        f"{path}: {len(offsets)} torn or invalid line{'s' if len(offsets) > 1 else ''} left out (line {numbers}), "
        f"as a kill or a full disk leaves; what they would have said is measured again"
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


class _Stub(msgspec.Struct):
    schema: int = SCHEMA


class Parser(Generic[Kind]):
    """Decode lines of a ``records.jsonl`` tolerantly: None for a torn one, LedgerError for a newer schema.

    Parameters
    ----------
    kind
        The type of the lines: :data:`daasbench.model.Line`, or a narrower one that shares its tags.
    """

    def __init__(self, kind: type[Kind]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._stub = msgspec.json.Decoder(_Stub).decode

    def parse(self, text: bytes, path: Path) -> Kind | None:
        """Return the line, or None where `text` is no whole and valid one; `path` is for the error."""
        try:
            line = self._decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._refuse_newer(text, path)
            return None
        if getattr(line, "schema", SCHEMA) > SCHEMA:
            self._refuse_newer(text, path)
        return line

    def _refuse_newer(self, text: bytes, path: Path) -> None:
        try:
            schema = self._stub(text).schema
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        refuse_newer(schema, path)


def refuse_newer(schema: int, path: Path) -> None:
    """Raise LedgerError if a file was written by a newer daasbench than this one."""
    if schema > SCHEMA:
        raise LedgerError(
            f"{path}: written with schema {schema}, and this daasbench reads up to {SCHEMA}; upgrade it with "
            f"pip install --upgrade daasbench (nothing was changed)"
        )


def lines_of(path: Path, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank and start at a byte from `start` to below `end`, after that offset.

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
