"""STAR files of RELION: named loops of a text file as columns."""

from __future__ import annotations

from collections.abc import Iterable


def table_in(text: str, name: str) -> dict[str, list[str]]:
    """Return the columns of the loop in the block ``data_<name>``, by label without ``_rln``; empty if absent."""
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    for words in lines:
        if words == [f"data_{name}"]:
            return _columns(lines)
    return {}


def write_table(name: str, columns: dict[str, list[str]]) -> str:
    """Return the text of one loop."""
    labels = "\n".join(f"_rln{label} #{number}" for number, label in enumerate(columns, 1))
    rows = "\n".join(" ".join(row) for row in zip(*columns.values(), strict=True))
    return f"\ndata_{name}\n\nloop_\n{labels}\n{rows}\n"


def _columns(lines: Iterable[list[str]]) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {}
    filled = False
    for words in lines:
        if words and words[0].startswith("data_"):
            break
        if words and words[0].startswith("_rln") and not filled:
            columns[words[0].removeprefix("_rln")] = []
        elif len(words) == len(columns) > 0:
            filled = True
            for column, word in zip(columns.values(), words, strict=True):
                column.append(word)
        elif filled:
            break
    return columns
