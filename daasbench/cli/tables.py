"""Tables and JSON on standard output."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec

KINDS_LEGEND = "kind: ours = written for daasbench; peer = a package of others, measured for comparison."


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn by rich on a terminal, aligned plain text elsewhere."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(cell.replace("[", r"\[") for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[index]) for row in [columns, *rows]) for index in range(len(columns))]
    for row in [columns, *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def wrapped(text: str, indent: int = 4, first: int = 0) -> str:
    """Return a line as lines of the terminal's width, the first indented by `first`; one line in a pipe or a file."""
    if not sys.stdout.isatty():
        return " " * first + text
    width = shutil.get_terminal_size().columns
    return click.wrap_text(text, width, initial_indent=" " * first, subsequent_indent=" " * indent)


def print_json(thing: Any) -> None:
    """Print an object as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(thing), indent=1))  # bytes: JSON is always UTF-8
