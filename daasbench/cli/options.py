"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from daasbench.errors import UsageError


def _folders(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:  # noqa: ARG001  (click's form)
    """Return the folder, or the folders, of ``--results``; refuse a value that cannot be meant."""
    for name in value if isinstance(value, tuple) else (value,):
        if not str(name).strip() or str(name).startswith("--"):
            raise UsageError(f"--results {str(name)!r}: is not the name of a folder; write --results DIR")
    return tuple(map(Path, value)) if isinstance(value, tuple) else Path(value)


Decorator = Callable[[Any], Any]

results_option: Decorator = click.option(
    "--results",
    metavar="DIR",
    default="results",
    show_default=True,
    callback=_folders,
    help="The results folder.",
)

results_options: Decorator = click.option(
    "--results",
    "results",
    multiple=True,
    metavar="DIR",
    default=["results"],
    show_default="results",
    callback=_folders,
    help="A results folder, or any folder with records; may be given several times.",
)

json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/reference/json.md).")
