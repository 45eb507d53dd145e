"""``daasbench report``: write a report from the records."""

from __future__ import annotations

from pathlib import Path

import click

from daasbench.cli.options import results_options
from daasbench.errors import LedgerError, UsageError, unknown_sentence


@click.command("report", short_help="write a report from the records")
@click.argument("report")
@results_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("report"),
    show_default=True,
    help="The folder to write into.",
)
@click.option("--format", "formats", metavar="html,md,csv", help="Only these formats.", show_default="all")
def report_command(report: str, results: tuple[Path, ...], out: Path, formats: str | None) -> None:
    """Write REPORT from the records of results folders; the same records give the same bytes."""
    from daasbench import registry
    from daasbench.evidence import gather

    chosen = registry.report(report)
    wanted = list(chosen.formats) if formats is None else [one.strip() for one in formats.split(",")]
    for one in wanted:
        if one not in chosen.formats:
            raise UsageError(unknown_sentence("format", one, chosen.formats, f"--format {formats}"))
    evidence = gather(*results)
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = chosen.write(evidence, out, wanted)
    except OSError as error:
        place = error.filename or out
        message = f"{place}: cannot be written: {error.strerror}; free some space or choose another --out"
        raise LedgerError(message) from error
    for path in written:
        click.echo(path)
