"""Write docs/reference/cli.md from the commands themselves.

    python docs/make_cli.py

`page` returns the same without writing, so that a test can tell whether the page is up to date.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import click

from daasbench.cli import COMMANDS, daasbench

FILE = Path(__file__).resolve().parent / "reference/cli.md"


def main() -> None:
    """Write the page."""
    FILE.write_text(page(), encoding="utf-8")
    print(FILE)


def page() -> str:
    """Return the text of the page."""
    context = click.Context(daasbench, info_name="daasbench", **daasbench.context_settings)
    lines = [
        "# Command line",
        "",
        "`docs/make_cli.py` writes this page from the help of the commands. See also [exit codes](exit-codes.md) and"
        " [JSON output](json.md).",
        "",
        "| Command | Does |",
        "|---|---|",
        *(f"| [`daasbench {name}`](#daasbench-{name}) | {text} |" for name, (_, text) in COMMANDS.items()),
        "",
        *options(daasbench, context),
    ]
    for name in COMMANDS:
        command = daasbench.get_command(context, name)
        if command is None:
            raise LookupError(f"command {name} cannot be loaded")
        lines += section(command, click.Context(command, info_name=name, parent=context))
    return "\n".join(lines).rstrip() + "\n"


def section(command: click.Command, context: click.Context) -> list[str]:
    """Return the section of one command."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    words = paragraphs(inspect.cleandoc(command.help or ""))
    return [f"## daasbench {command.name}", "", f"    {usage}", "", *words, *options(command, context)]


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a help text; those that click shall not wrap (after a backspace) are code."""
    lines: list[str] = []
    for block in text.split("\n\n"):
        if block.startswith("\b\n"):
            lines += [*(f"    {line}" for line in block.splitlines()[1:]), ""]
        else:
            lines += [" ".join(block.split()), ""]
    return lines


def options(command: click.Command, context: click.Context) -> list[str]:
    """Return the table of a command's options."""
    found = [one.get_help_record(context) for one in command.get_params(context) if isinstance(one, click.Option)]
    rows = [f"| `{names}` | {text} |" for names, text in filter(None, found)]
    return ["| Option | Meaning |", "|---|---|", *rows, ""]


if __name__ == "__main__":
    main()
