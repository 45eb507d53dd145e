"""``daasbench show log``: what the jobs of a run wrote, such as the whole message of a failure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from daasbench.cli.options import no_runs
from daasbench.cli.tables import print_json
from daasbench.errors import UsageError, unknown
from daasbench.records import runs
from daasbench.records.layout import LOG_FILE


def show_log(run: str, job: str | None, results: Path, as_json: bool) -> None:
    """Print the logs of the jobs of a run, or of one job; the first letters of each name are enough.

    Raises
    ------
    UsageError
        If there is no such run or job, or several begin with these letters.
    """
    folders = {folder.id: folder for folder in runs.runs(results)}
    if not folders:
        raise no_runs(results)
    folder = folders[chosen("run", run, list(folders), f"--results {results}")]
    names = folder.job_ids()
    wanted = names if job is None else [chosen("job", job, names, f"run {folder.id}")]
    logs = {name: folder.job_folder(name) / LOG_FILE for name in wanted}
    texts = {name: path.read_text(errors="replace") for name, path in logs.items() if path.is_file()}
    if as_json:
        rows = [{"job": name, "file": str(logs[name]), "text": text} for name, text in texts.items()]
        print_json({"schema": 1, "run": folder.id, "logs": rows})
        return
    if not texts:
        raise UsageError(
            f"show log: no job of run {folder.id} has a log yet; the log of a queued job comes with collect"
        )
    for name, text in texts.items():
        click.echo(f"{logs[name]}:")
        click.echo(text or "(empty)\n", nl=False)


def chosen(kind: str, asked: str, names: Sequence[str], where: str) -> str:
    """Return the name that is asked for, or the only one that begins so, or that contains it."""
    if asked in names:
        return asked
    for matches in ([n for n in names if n.startswith(asked)], [n for n in names if asked in n]):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise UsageError(f"{where}: {len(matches)} {kind}s match {asked!r}; name one: {', '.join(matches[-5:])}")
    raise unknown(kind, asked, names, where)
