"""The version of the files of a results folder: files of a newer daasbench are refused."""

from __future__ import annotations

from pathlib import Path

import msgspec

from daasbench.errors import LedgerError
from daasbench.model import SCHEMA


class _Versioned(msgspec.Struct):
    schema: int = SCHEMA


_decode = msgspec.json.Decoder(_Versioned).decode


def refuse_newer(text: bytes, path: Path) -> None:
    """Raise LedgerError if a newer daasbench wrote a JSON text; an incomplete text is accepted here."""
    try:
        schema = _decode(text).schema
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    if schema > SCHEMA:
        raise LedgerError(
            f"{path}: a newer daasbench wrote this file (schema {schema}; this daasbench reads schemas up to"
            f" {SCHEMA}); nothing was changed; upgrade daasbench to that version"
        )
