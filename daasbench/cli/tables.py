"""Tables and JSON on standard output."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
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


def show_run(folder: Path) -> None:
    """Print one line per case and platform of a run: median over its processes, interval, and outcome."""
    from daasbench.evidence.table import load

    table = load(folder)
    groups = table.groupby(["kernel", "case", "platform"], sort=False, observed=True)
    rows = [_row(group) for _, group in groups]
    rows.sort(key=lambda row: (row[0], row[1], row[-1]))
    columns = ("kernel", "problem", "implementation", "platform", "time [95 %]", "rate", "limit", "outcome")
    show_table(columns, [row[:-1] for row in rows])


def _row(group: Any) -> tuple[Any, ...]:
    from daasbench.statistics.intervals import across_processes

    first = group.iloc[0]
    good = group[group["outcome"] == "ok"]
    problem = first["size"] if isinstance(first["size"], str) else str(first["input"]).rpartition("/")[2]
    options = first["options"]
    if isinstance(options, str) and options:
        problem += f" {options}"
    head = (str(first["kernel"]), problem, _implementation(first), str(first["platform"]))
    outcomes = " ".join(
        f"{count} {outcome}" for outcome, count in group["outcome"].value_counts(sort=False).items() if count
    )
    medians = [float(median) for median in good["median_s"].dropna()]
    if not medians:
        messages = [str(message) for message in group["message"].dropna() if str(message)]
        return *head, "", "", "", f"{outcomes}: {messages[0]}" if messages else outcomes, math.inf
    time = across_processes(medians)
    unit = first["unit"] if isinstance(first["unit"], str) else "unit"
    rate = float(good["units"].dropna().iloc[0]) / time.value
    fraction = good["limit_fraction"].dropna()
    limit = f"{float(fraction.median()):.0%} of {good['limit_name'].dropna().iloc[0]}" if len(fraction) else ""
    return *head, seconds(time.value, time.low, time.high), f"{rate:.4g} {unit}/s", limit, outcomes, time.value


def _implementation(row: Any) -> str:
    ranks, threads = int(row["ranks"]), int(row["threads"])
    resources = f"{threads} thread{'s' if threads > 1 else ''}"
    if ranks > 1:
        resources = f"{ranks} ranks" if threads == 1 else f"{ranks} ranks × {resources}"
    return f"{row['implementation']} ({resources})"


def seconds(value: float, low: float | None, high: float | None) -> str:
    """Return a time with its interval in one unit: ``11.7 ms [11.5, 11.9]``."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * scale >= 1 or unit == "µs":
            break
    time = f"{value * scale:.3g} {unit}"
    return time if low is None or high is None else f"{time} [{low * scale:.3g}, {high * scale:.3g}]"


def print_json(thing: Any) -> None:
    """Print an object as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(thing), indent=1))  # bytes: JSON is always UTF-8
