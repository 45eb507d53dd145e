"""``daasbench report``: write a report from the records."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daasbench.cli.completion import complete_format, complete_report
from daasbench.cli.options import results_options
from daasbench.errors import UsageError, unknown_sentence
from daasbench.host.output_files import NOTHING_WRITTEN, output_error

if TYPE_CHECKING:
    from daasbench.evidence import Evidence


@click.command("report")
@click.argument("report", shell_complete=complete_report)
@results_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("report"),
    show_default=True,
    help="The folder to write into.",
)
@click.option(
    "--format",
    "formats",
    metavar="FORMAT",
    multiple=True,
    shell_complete=complete_format,
    show_default="all",
    help="Write html, md or csv. Repeat it, or join formats with commas.",
)
@click.option("--open", "show", is_flag=True, help="Open the page in the web browser.")
def report_command(report: str, results: tuple[Path, ...], out: Path, formats: tuple[str, ...], show: bool) -> None:
    """Write a report from the records of results folders.

    REPORT is a name that daasbench list reports prints. The same records give the same files.

    \b
    daasbench report summary --open
    daasbench report summary --results monday --results tuesday
    """  # noqa: D301  (the character \b tells click not to fill these lines)
    from daasbench import registry
    from daasbench.evidence import gather

    chosen = registry.report(report)
    wanted = _formats(formats, chosen.formats)
    if show and "html" not in wanted:
        raise UsageError("--open: no HTML page is written; add --format html")
    evidence = gather(*results)
    for note in pooled_notes(evidence, results):
        click.echo(f"note: {note}", err=True)
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
    if show:
        _open(written)


def _formats(asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the formats to write, each once."""
    wanted = [one.strip() for text in asked for one in text.split(",")] if asked else list(known)
    for one in wanted:
        if one not in known:
            raise UsageError(unknown_sentence("format", one, known, f"--format {','.join(asked)}"))
    return list(dict.fromkeys(wanted))


def pooled_notes(evidence: Evidence, folders: Sequence[Path]) -> list[str]:
    """Return sentences on which folders are read together, and on cases whose processes come from several runs."""
    notes = []
    names = {folder.resolve(): str(folder) for folder in folders}
    if len(names) > 1:
        notes.append(f"this report joins the records of {len(names)} folders: {', '.join(names.values())}")
    cases = evidence.table.groupby(["case", "platform", "basis", "commit"], dropna=False)["run"].nunique()
    if pooled := int((cases > 1).sum()):
        measured = "1 case was" if pooled == 1 else f"{pooled} cases were"
        notes.append(
            f"{measured} measured in more than one run; the report counts the processes of all runs together; "
            "to keep them apart, write one report per run: --results FOLDER/runs/RUN --out DIR"
        )
    return notes


def _open(written: Sequence[Path]) -> None:
    """Open the page in the web browser of the person; say where it is if there is no browser."""
    page = next(path for path in written if path.suffix == ".html").resolve()
    if not webbrowser.open(page.as_uri()):
        click.echo(f"note: no web browser was found; open this file: {page}", err=True)
