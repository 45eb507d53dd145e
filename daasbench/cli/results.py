"""``daasbench results``: show or export the tidy table."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from daasbench.cli.completion import complete_column
from daasbench.cli.options import json_option, nothing_yet, results_options
from daasbench.cli.tables import print_json, show_table, wrapped
from daasbench.errors import UsageError, unknown

TIME = "one repeat (95 %)"
SHOWN = ("run", "platform", "kernel", "implementation", "size", "process", "outcome", TIME, "rate")
DROPPED_IF_CONSTANT = ("run", "platform", "kernel", "size")
STDOUT = Path("-")


@click.command("results")
@results_options
@click.option("--attempts", is_flag=True, help="Show every attempt, not only the last.")
@click.option(
    "--columns",
    metavar="A,B,...",
    shell_complete=complete_column,
    help="Only these columns, in this order, joined with commas.",
)
@click.option("--csv", "csv", type=click.Path(path_type=Path), metavar="FILE", help="Write CSV; - is standard output.")
@click.option("--parquet", type=click.Path(path_type=Path), metavar="FILE", help="Write Parquet; - is standard output.")
@json_option
def results_command(
    results: tuple[Path, ...],
    attempts: bool,
    columns: str | None,
    csv: Path | None,
    parquet: Path | None,
    as_json: bool,
) -> None:
    """Show or export the table of all measurements.

    One row per case, platform and process. All columns and their units: in Python, help(daasbench.load).

    \b
    daasbench results --columns kernel,implementation,median_s
    daasbench results --csv table.csv
    """  # noqa: D301  (the character \b tells click not to fill these lines)
    quiet = _to_stdout(csv, parquet, as_json)
    wanted = _columns(columns)
    if as_json and nothing_yet(results):
        print_json({"schema": 1, "rows": []})
        return
    from daasbench.evidence.table import load

    table = load(*results, attempts=attempts)
    chosen = table[wanted] if wanted else table
    _export(chosen, csv, parquet, quiet)
    if as_json:
        print_json({"schema": 1, "rows": rows_of(chosen)})
    elif csv is None and parquet is None:
        _show(table, wanted)


def rows_of(table: Any) -> list[dict[str, Any]]:
    """Return the rows of a table by column, with every digit; a missing value is None."""
    rows: list[dict[str, Any]] = table.astype(object).where(table.notna(), None).to_dict("records")
    return rows


def _to_stdout(csv: Path | None, parquet: Path | None, as_json: bool) -> bool:
    """Return whether data go to standard output; raise UsageError if two do, or Parquet to a terminal."""
    to_stdout = [name for name, used in (("--json", as_json), ("--csv -", csv == STDOUT),
                                         ("--parquet -", parquet == STDOUT)) if used]  # fmt: skip
    if len(to_stdout) > 1:
        message = f"{' and '.join(to_stdout)}: both would be written to standard output"
        raise UsageError(f"{message}; name a file for all but one of them")
    if parquet == STDOUT and sys.stdout.isatty():
        raise UsageError("--parquet -: Parquet is not text and would disturb the terminal; name a file, or use a pipe")
    return bool(to_stdout)


def _columns(text: str | None) -> list[str]:
    """Return the chosen columns; empty for all."""
    from daasbench.evidence.units import UNITS

    names = [] if text is None else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in UNITS:
            raise unknown("column", name, UNITS, "--columns")
    if len(set(names)) < len(names):
        raise UsageError(f"--columns {text}: a column is named twice; name each column once")
    return names


def _export(table: Any, csv: Path | None, parquet: Path | None, quiet: bool) -> None:
    """Write the files; with `quiet`, standard output is left to the data."""
    from daasbench.evidence.table import write_csv, write_parquet

    if csv == STDOUT:
        click.echo(table.to_csv(index=False), nl=False)
    elif csv is not None:
        write_csv(table, csv)
        click.echo(f"{len(table)} rows in {csv}", err=quiet)
    if parquet == STDOUT:
        with tempfile.TemporaryDirectory() as folder:
            write_parquet(table, file := Path(folder) / "table.parquet")
            click.echo(file.read_bytes(), nl=False)
    elif parquet is not None:
        write_parquet(table, parquet)
        click.echo(f"{len(table)} rows in {parquet}", err=quiet)


def _show(table: Any, wanted: Sequence[str]) -> None:
    """Print the chosen columns of a table, or the few that fit a terminal; what all rows share is named once."""
    rows = rows_of(table[wanted] if wanted else table)
    if wanted:
        show_table(wanted, [[_text(row[name]) for name in wanted] for row in rows])
        return
    notes: dict[str, int] = {}
    processes: dict[tuple[Any, ...], int] = {}
    for row in rows:
        processes[_measurement(row)] = max(row["process"] + 1, processes.get(_measurement(row), 0))
    cells = [_cells(row, processes[_measurement(row)], notes) for row in rows]
    constant = [name for name in DROPPED_IF_CONSTANT if len({row[name] for row in cells}) == 1]
    if constant:
        click.echo(wrapped(", ".join(f"{name} {cells[0][name]}" for name in constant)))
    shown = [name for name in SHOWN if name not in constant and any(row[name] for row in cells)]
    show_table(shown, [[row[name] for name in shown] for row in cells])
    for message, number in notes.items():
        click.echo(wrapped(f"[{number}] {message}"))
    if TIME in shown:
        click.echo(
            wrapped("95 %: interval of the repeats within one process; reports have the interval of all processes")
        )


def _text(value: Any) -> str:
    """Return one cell; a missing value is an empty cell."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _measurement(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what the processes of one measurement share."""
    return row["run"], row["platform"], row["case"], row["commit"]


def _cells(row: dict[str, Any], processes: int, notes: dict[str, int]) -> dict[str, str]:
    """Return the cells of one row by their heading; a message goes to `notes` and gets a number."""
    from daasbench.cli.figures import rate

    message = row["message"]
    return {
        "run": str(row["run"]),
        "platform": str(row["platform"]),
        "kernel": str(row["kernel"]),
        "implementation": _implementation(row),
        "size": str(row["size"] or row["input"] or ""),
        "process": f"{row['process'] + 1} of {processes}",
        "outcome": f"{row['outcome']} [{notes.setdefault(message, len(notes) + 1)}]" if message else row["outcome"],
        TIME: "" if row["median_s"] is None else _time(row),
        "rate": "" if row["units_per_s"] is None else rate(row["units_per_s"], _plural(row)),
    }


def _time(row: dict[str, Any]) -> str:
    """Return the median of a process with its interval: ``"11.7 ms (11.5 to 11.9)"``."""
    from daasbench.cli.figures import with_range
    from daasbench.evidence.digits import time_unit
    from daasbench.statistics import Interval

    found = Interval(value=row["median_s"], low=row["low_s"], high=row["high_s"], n=row["repeats"] or 0, method="")
    return " ".join(filter(None, with_range(found, time_unit(found.value))))


def _plural(row: dict[str, Any]) -> str:
    """Return the unit of a row in the plural."""
    from daasbench.cli.names import kernel_of

    kernel = kernel_of(row["kernel"])
    return str(kernel.card.units) if kernel else f"{row['unit']}s"


def _implementation(row: dict[str, Any]) -> str:
    """Return an implementation with its ranks and threads where it has more than one of them."""
    resources = [f"{row[name]} {name}" for name in ("ranks", "threads") if (row[name] or 1) > 1]
    return f"{row['implementation']} ({', '.join(resources)})" if resources else str(row["implementation"])
