"""``daasbench init``: write a template of a scenario, a platform or a kernel."""

from __future__ import annotations

import keyword
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import click

from daasbench.cli import templates
from daasbench.cli.completion import complete_file
from daasbench.cli.kinds import Kind
from daasbench.errors import UsageError
from daasbench.host.output_files import output_error


@dataclass(frozen=True, kw_only=True)
class Template:
    """What is written for a kind, and the command that uses it."""

    text: str
    suffix: str
    next_command: str  # with {file} for the path of the file


TEMPLATES = {
    "scenario": Template(text=templates.SCENARIO, suffix=".toml", next_command="daasbench run {file}"),
    "platform": Template(text=templates.PLATFORM, suffix=".toml", next_command="daasbench doctor --platform {file}"),
    "kernel": Template(text=templates.KERNEL, suffix=".py", next_command="daasbench run {file} --quick"),
}


@click.command("init")
@click.argument("kind", type=Kind(list(TEMPLATES)), metavar="KIND")
@click.argument("name", required=False, shell_complete=complete_file)
def init_command(kind: str, name: str | None) -> None:
    """Write a template with comments; it works as it stands.

    KIND is scenario, platform or kernel. NAME is the name of the file; without it, the file is my_KIND. A file that
    exists is never changed.

    \b
    daasbench init kernel my_sums
    daasbench run ./my_sums.py --quick
    """  # noqa: D301  (the character \b tells click not to fill these lines)
    template = TEMPLATES[kind]
    path = _path(name or f"my_{kind}", template.suffix)
    shown = str(path) if path.is_absolute() or len(path.parts) > 1 else f"./{path}"
    text = template.text.replace("FILE", shlex.quote(shown)).replace("NAME", _identifier(path.stem))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_new(path, text)
    except FileExistsError as error:
        in_the_way = "exists, and was not changed" if path.exists() else "a file has the name of its folder"
        raise UsageError(f"{path}: {in_the_way}; to write another file: daasbench init {kind} NAME") from error
    except OSError as error:
        raise output_error(path, error, option="NAME", state="nothing was written") from error
    click.echo(f"{path}: written\nnext:    {template.next_command.format(file=shlex.quote(shown))}")


def _write_new(path: Path, text: str) -> None:
    """Write a file that must not exist; nothing of it remains if the disk is full."""
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            path.unlink()
            raise


def _path(name: str, suffix: str) -> Path:
    """Return the path of the file; the suffix is added where it is missing."""
    path = Path(name)
    if not path.stem or path.name in ("", ".", "..") or name.endswith("/"):
        raise UsageError(f"{name!r}: is not the name of a file; write a name such as my_kernel")
    return path if path.suffix == suffix else path.with_name(path.name + suffix)


def _identifier(stem: str) -> str:
    """Return a name that Python accepts for a function."""
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    return name if name[:1].isalpha() and not keyword.iskeyword(name) else f"kernel_{name}"
