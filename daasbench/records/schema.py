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
    """Raise LedgerError if a JSON text was written by a newer daasbench; a text that is not whole passes."""
    try:
        schema = _decode(text).schema
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    if schema > SCHEMA:
        raise LedgerError(
            f"{path}: written with schema {schema}, and this daasbench reads up to {SCHEMA}; nothing was changed;"
            " upgrade it with pip install --upgrade daasbench"
        )
