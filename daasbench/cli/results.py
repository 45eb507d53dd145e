"""``daasbench results``: the tidy table."""

from __future__ import annotations

from pathlib import Path

import click

from daasbench.cli.scenario_options import results_folder

many_results = click.option(
    "--results",
    "results",
    multiple=True,
    metavar="DIR",
    default=["results"],
    show_default="results",
    callback=results_folder,
    help="A results folder, or any folder with records; may be given several times.",
)


@click.command("results", short_help="the tidy table: one row a case, platform and process")
@many_results
@click.option("--attempts", is_flag=True, help="Show every attempt, not only the last.")
@click.option("--csv", "csv", type=click.Path(path_type=Path), metavar="FILE", help="Write CSV; - is standard output.")
@click.option("--parquet", type=click.Path(path_type=Path), metavar="FILE", help="Write Parquet.")
def results_command(results: tuple[Path, ...], attempts: bool, csv: Path | None, parquet: Path | None) -> None:
    """Show the tidy table, or write it: one row a case, platform and process (docs/reference/table.md)."""
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
        _show(table)


def _show(table: object) -> None:
    from daasbench.cli.tables import seconds, show_table

    columns = (
        "run",
        "platform",
        "kernel",
        "implementation",
        "size",
        "process",
        "outcome",
        "time [95 %]",
        "unit/s",
        "message",
    )
    rows = []
    for row in table.to_dict("records"):  # type: ignore[attr-defined]
        size = row["size"] if isinstance(row["size"], str) else str(row["input"])
        timed = row["median_s"] == row["median_s"] and row["median_s"] is not None
        low = row["low_s"] if row["low_s"] == row["low_s"] else None
        high = row["high_s"] if row["high_s"] == row["high_s"] else None
        rate = row["units_per_s"]
        rows.append(
            [
                str(row["run"]),
                str(row["platform"]),
                str(row["kernel"]),
                f"{row['implementation']} x{row['threads']}",
                size,
                str(row["process"]),
                str(row["outcome"]),
                seconds(float(row["median_s"]), low, high) if timed else "",
                f"{rate:.4g}" if rate == rate and rate is not None else "",
                row["message"] if isinstance(row["message"], str) else "",
            ]
        )
    show_table(columns, rows)
