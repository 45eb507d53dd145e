"""Tables and JSON on standard output."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click
import msgspec


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


def seconds(value: float, low: float | None, high: float | None) -> str:
    """Return a time with its interval in one unit: ``11.7 ms [11.5, 11.9]``."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * scale >= 1 or unit == "µs":
            break
    time = f"{value * scale:.3g} {unit}"
    return time if low is None or high is None else f"{time} [{low * scale:.3g}, {high * scale:.3g}]"


def print_json(thing: Any) -> None:
    """Print an object as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(thing), indent=1).decode())
