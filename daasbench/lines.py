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


def torn_sentence(path: Path, torn: Sequence[int]) -> str:
    """Return the sentence on the torn or invalid lines of a file, counted from 1; empty for none."""
    if not torn:
        return ""
    numbers = ", ".join(map(str, torn[:5])) + (" ..." if len(torn) > 5 else "")
    return (
        f"{path}: {len(torn)} torn or invalid line{'s' if len(torn) > 1 else ''} left out (line {numbers}), as "
        f"a kill or a full disk leaves; what they would have said is measured again"
    )


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


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not blank, with their numbers from 1.

    Raises
    ------
    LedgerError
        If the file cannot be read.
    """
    try:
        with path.open("rb", buffering=2**20) as file:
            for number, text in enumerate(file, 1):
                if not text.isspace():
                    yield number, text
    except OSError as error:
        raise LedgerError(f"{path}: cannot read records ({error.strerror}); nothing was changed") from error
