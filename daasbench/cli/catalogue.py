"""``daasbench list`` and ``show``: the installed plug-ins and files, and one of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from daasbench.cli.completion import complete_job, complete_shown
from daasbench.cli.kinds import Kind
from daasbench.cli.log import show_log
from daasbench.cli.options import json_option, results_option
from daasbench.cli.tables import KINDS_LEGEND, print_json, show_table, wrapped
from daasbench.errors import UsageError, unknown

KINDS = ("kernels", "scenarios", "platforms", "runners", "reports")
_HEADERS = {"in_addition": "computes in addition", "leaves_out": "does not include"}
SHOWN = ("kernel", "scenario", "platform", "report", "log")


@click.command("list")
@click.argument("kind", type=Kind(KINDS), metavar="[KIND]", required=False)
@json_option
def list_command(kind: str | None, as_json: bool) -> None:
    """List what is installed.

    KIND is kernels, scenarios, platforms, runners or reports. Without KIND, all of them are listed. An entry that
    cannot be loaded is listed with its error.
    """
    from daasbench import registry

    listed = {one: _rows(one) for one in ([kind] if kind else KINDS)}
    warnings = registry.warnings()
    if as_json and kind:
        print_json({"schema": 1, "kind": kind, "entries": listed[kind], "warnings": warnings})
        return
    if as_json:
        print_json({"schema": 1, "kinds": listed, "warnings": warnings})
        return
    for number, (one, rows) in enumerate(listed.items()):
        if not kind:
            click.echo(("\n" if number else "") + one)
        show_table(("name", "what"), [(row["name"], row["what"]) for row in rows])
    errors = [row["error"] for rows in listed.values() for row in rows if row["error"]]
    for message in [*errors, *warnings]:
        click.echo(f"warning: {message}", err=True)


def _rows(kind: str) -> list[dict[str, Any]]:
    return {"scenarios": _scenarios, "platforms": _platforms}.get(kind, lambda: _plugins(kind))()


def _row(name: str, what: str, origin: str, error: str | None = None) -> dict[str, Any]:
    return {"name": name, "what": what, "from": origin, "error": error}


def _plugins(kind: str) -> list[dict[str, Any]]:
    from daasbench import registry

    rows = []
    for plugin in registry.catalogue(kind):
        what = "cannot be loaded" if plugin.error else _what(kind, plugin.name)
        rows.append(_row(plugin.name, what, plugin.distribution, plugin.error))
    return rows


def _what(kind: str, name: str) -> str:
    from daasbench import registry

    if kind == "kernels":
        kernel = registry.kernel(name)
        implementations = ", ".join(f"{w.name} (peer)" if w.peer else w.name for w in kernel.implementations.values())
        return f"{kernel.card.title}; unit: {kernel.card.unit}; {implementations}"
    if kind == "reports":
        return registry.report(name).title
    return (type(registry.runner(name)).__doc__ or "").strip().partition("\n")[0]


def _scenarios() -> list[dict[str, Any]]:
    return _files("", lambda raw: str(raw.get("question", "")))


def _platforms() -> list[dict[str, Any]]:
    return _files("platforms", lambda raw: f"{raw.get('description', '')} (runner {raw.get('runner', '?')})".strip())


def _files(folder: str, what: Callable[[dict[str, Any]], str]) -> list[dict[str, Any]]:
    from daasbench.errors import ScenarioError
    from daasbench.host import toml_file
    from daasbench.scenario.platforms import shipped_files

    rows = []
    for stem, path in shipped_files(folder).items():
        try:
            rows.append(_row(stem, what(toml_file.read(path)), str(path)))
        except ScenarioError as error:
            rows.append(_row(stem, "cannot be read", str(path), str(error)))
    return rows


@click.command("show")
@click.argument("kind", type=Kind(SHOWN), metavar="KIND")
@click.argument("name", shell_complete=complete_shown)
@click.argument("job", required=False, shell_complete=complete_job)
@results_option
@json_option
def show_command(kind: str, name: str, job: str | None, results: Path, as_json: bool) -> None:
    """Show one thing: the description and the implementations of a kernel, the text of a file, or a log.

    KIND is kernel, scenario, platform, report or log. NAME is a name that daasbench list prints, or the path of a
    file:

    \b
    daasbench show kernel tomography
    daasbench show kernel ./my_kernel.py

    For a log, NAME is a run. A log has what a job printed, and the whole message of a failure. The beginning of a
    name is enough for RUN and JOB:

    \b
    daasbench show log RUN [JOB]
    """  # noqa: D301  (the character \b tells click not to fill these lines)
    if kind == "log":
        show_log(name, job, results, as_json)
        return
    if job is not None:
        raise UsageError(f"show {kind}: takes one name, got {name!r} and {job!r}; JOB is for show log")
    shown: dict[str, Callable[[str], dict[str, Any]]] = {
        "kernel": _kernel,
        "scenario": lambda stem: _file(stem, "", "scenario"),
        "platform": lambda stem: _file(stem, "platforms", "platform"),
        "report": _report,
    }
    facts = shown[kind](name)
    if as_json:
        print_json({"schema": 1, **facts})
        return
    for key, value in facts.items():
        _show_fact(key, value)


def _show_fact(key: str, value: Any) -> None:
    """Print one fact: a text, some lines, or a table."""
    title = _HEADERS.get(key, key.replace("_", " "))
    if key == "text":
        click.echo(f"\n{value}", nl=False)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        click.echo(f"\n{title}")
        columns = [column for column in value[0] if any(row[column] not in ("", None) for row in value)]
        headers = [_HEADERS.get(column, column.replace("_", " ")) for column in columns]
        show_table(headers, [[_cell(row[column]) for column in columns] for row in value])
        if key == "implementations":
            click.echo("\n" + wrapped(f"{KINDS_LEGEND} threads: any = their number can be chosen.", indent=0))
    elif value and isinstance(value, list):
        click.echo(f"{title}:")
        for line in value:
            click.echo(wrapped(str(line), indent=4, first=2))
    elif value:
        click.echo(wrapped(f"{title}: {value}"))


def _kernel(name: str) -> dict[str, Any]:
    from daasbench import registry

    kernel = registry.kernel_from_file(Path(name)) if registry.is_file(name) else registry.kernel(name)
    card = kernel.card
    return {
        "kernel": kernel.name,
        "title": card.title,
        "unit": card.unit,
        "stands_for": card.stands_for,
        "community": card.community,
        "method": card.method,
        "leaves_out": card.leaves_out,
        "tolerance": card.tolerance,
        "real_work": card.real_work,
        "literature": [
            f"{work.text} {'https://doi.org/' + work.doi if work.doi else ''}".strip() for work in card.literature
        ],
        "sizes": [{"size": size, "parameters": dict(numbers)} for size, numbers in kernel.sizes.items()],
        "options": _options(kernel),
        "implementations": [
            {
                "implementation": implementation.name,
                "kind": "peer" if implementation.peer else "ours",
                "runs_on": implementation.backend,
                "threads": "axis" if implementation.threads else "1",
                "needs": ", ".join(implementation.packages or implementation.requires),
                "in_addition": implementation.adds,
            }
            for implementation in kernel.implementations.values()
        ],
    }


def _options(kernel: Any) -> list[dict[str, Any]]:
    descriptions = _attributes(kernel.options.__doc__ or "")
    return [
        {"option": option.name, "default": option.default, "what": descriptions.get(option.name, "")}
        for option in msgspec.structs.fields(kernel.options)
    ]


def _attributes(doc: str) -> dict[str, str]:
    """Return the description of each attribute in a numpydoc docstring."""
    descriptions: dict[str, str] = {}
    text = inspect.cleandoc(doc).partition("Attributes\n----------\n")[2]
    for match in re.finditer(r"^(\S[^\n]*)\n((?: +[^\n]*\n?)+)", text, re.MULTILINE):
        description = " ".join(match[2].split()).replace("``", "'")
        for name in match[1].split(","):
            descriptions[name.strip()] = description
    return descriptions


def _cell(value: Any) -> str:
    """Return one cell; JSON has ``"axis"`` where the number of threads can be chosen."""
    if value == "axis":
        return "any"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {entry}" for key, entry in value.items())
    return "none" if value is None else str(value)


def _file(stem: str, folder: str, kind: str) -> dict[str, Any]:
    from daasbench.host import toml_file
    from daasbench.scenario.platforms import shipped_files

    files = shipped_files(folder)
    path = Path(stem) if "/" in stem or stem.endswith(".toml") else files.get(stem)
    if path is None:
        raise unknown(kind, stem, files)
    toml_file.read(path)  # refuses a file that is not TOML
    return {kind: path.stem, "file": str(path), "text": path.read_text(encoding="utf-8-sig")}


def _report(name: str) -> dict[str, Any]:
    from daasbench import registry

    report = registry.report(name)
    return {"report": report.name, "title": report.title, "formats": list(report.formats)}
