"""``daasbench results``: show or export the tidy table."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import click

from daasbench.cli.options import results_options
from daasbench.cli.tables import seconds, show_table

COLUMNS = (
    "run", "platform", "kernel", "implementation", "size", "process", "outcome", "time [95 %]", "unit/s", "message",
)  # fmt: skip


@click.command("results", short_help="show or export the tidy table")
@results_options
@click.option("--attempts", is_flag=True, help="Show every attempt, not only the last.")
@click.option("--csv", "csv", type=click.Path(path_type=Path), metavar="FILE", help="Write CSV; - is standard output.")
@click.option("--parquet", type=click.Path(path_type=Path), metavar="FILE", help="Write Parquet.")
def results_command(results: tuple[Path, ...], attempts: bool, csv: Path | None, parquet: Path | None) -> None:
    """Show or export the tidy table: one row per case, platform and process (docs/reference/table.md)."""
    from daasbench.evidence.table import load, write_csv, write_parquet

    table = load(*results, attempts=attempts)
    if csv is not None and str(csv) == "-":
        click.echo(table.to_csv(index=False), nl=False)
    elif csv is not None:
        write_csv(table, csv)
        click.echo(f"{len(table)} rows in {csv}")
    if parquet is not None:
        write_parquet(table, parquet)
        click.echo(f"{len(table)} rows in {parquet}")
    if csv is None and parquet is None:
        show_table(COLUMNS, [_cells(row) for row in table.to_dict("records")])


def _cells(row: dict[Hashable, Any]) -> list[str]:
    """Return the cells of one row of the tidy table as text; a missing value is an empty cell."""
    median_s, low_s, high_s, rate = (
        None if row[name] is None or row[name] != row[name] else float(row[name])
        for name in ("median_s", "low_s", "high_s", "units_per_s")
    )
    return [
        str(row["run"]),
        str(row["platform"]),
        str(row["kernel"]),
        f"{row['implementation']} x{row['threads']}",
        row["size"] if isinstance(row["size"], str) else str(row["input"]),
        str(row["process"]),
        str(row["outcome"]),
        "" if median_s is None else seconds(median_s, low_s, high_s),
        "" if rate is None else f"{rate:.4g}",
        row["message"] if isinstance(row["message"], str) else "",
    ]
