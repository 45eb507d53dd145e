"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from daasbench.cli.completion import complete_folder
from daasbench.errors import UsageError

DEFAULT_FOLDER = Path("results")


def _folders(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:  # noqa: ARG001  (click's form)
    """Return the folder, or the folders, of ``--results``; refuse a value that cannot be meant."""
    for name in value if isinstance(value, tuple) else (value,):
        if not str(name).strip() or str(name).startswith("--"):
            raise UsageError(f"--results {str(name)!r}: is not the name of a folder; write --results DIR")
    return tuple(map(Path, value)) if isinstance(value, tuple) else Path(value)


def nothing_yet(folders: tuple[Path, ...]) -> bool:
    """Return whether these folders are there, or are the default, and hold no records; not for a misspelled name."""
    from daasbench.records.layout import RECORDS_FILE

    for folder in folders:
        if folder.is_dir():
            if any(folder.rglob(RECORDS_FILE)):
                return False
        elif folder != DEFAULT_FOLDER or folder.exists():
            return False
    return True


Decorator = Callable[[Any], Any]

results_option: Decorator = click.option(
    "--results",
    metavar="DIR",
    default=str(DEFAULT_FOLDER),
    show_default=True,
    callback=_folders,
    shell_complete=complete_folder,
    help="The results folder.",
)

results_options: Decorator = click.option(
    "--results",
    "results",
    multiple=True,
    metavar="DIR",
    default=[str(DEFAULT_FOLDER)],
    show_default=str(DEFAULT_FOLDER),
    callback=_folders,
    shell_complete=complete_folder,
    help="A results folder, or any folder with records. Repeat it for several folders.",
)

json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def no_runs(results: Path) -> UsageError:
    """Return the error for a folder without runs."""
    from daasbench.cli.names import command

    if nothing_yet((results,)):
        return UsageError(f"{results}: nothing measured yet: {command('run', 'quickstart', results=results)}")
    what = "holds no runs" if results.is_dir() else "no such folder"
    return UsageError(f"{results}: {what}; name a results folder with --results DIR")
