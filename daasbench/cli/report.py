"""``daasbench report``: write a report from the records."""

from __future__ import annotations

from pathlib import Path

import click

from daasbench.cli.options import results_options
from daasbench.errors import UsageError, unknown_sentence
from daasbench.host.output_files import NOTHING_WRITTEN, output_error


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
    except OSError as error:
        raise output_error(out, error, option="--out", state=NOTHING_WRITTEN) from error
    try:
        written = chosen.write(evidence, out, wanted)
    except OSError as error:  # of a report that does not say itself what it has written
        state = "some of the report may have been written, the records are untouched"
        raise output_error(Path(error.filename or out), error, option="--out", state=state) from error
    for path in written:
        click.echo(path)
