"""``daasbench list`` and ``show``: the installed plug-ins and files, and one of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from daasbench.cli.log import show_log
from daasbench.cli.options import json_option, results_option
from daasbench.cli.tables import print_json, show_table
from daasbench.errors import UsageError, unknown

KINDS = ("kernels", "scenarios", "platforms", "runners", "reports")


@click.command("list", short_help="list installed kernels, scenarios, platforms, runners or reports")
@click.argument("kind", type=click.Choice(KINDS))
@json_option
def list_command(kind: str, as_json: bool) -> None:
    """List everything of one KIND that is installed; an entry that cannot be loaded is listed with its error."""
    from daasbench import registry

    rows = {"scenarios": _scenarios, "platforms": _platforms}.get(kind, lambda: _plugins(kind))()
    warnings = registry.warnings()
    if as_json:
        print_json({"schema": 1, "kind": kind, "entries": rows, "warnings": warnings})
        return
    show_table(("name", "what"), [(row["name"], row["what"]) for row in rows])
    for message in [*(row["error"] for row in rows if row["error"]), *warnings]:
        click.echo(f"warning: {message}", err=True)


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
        return f"{kernel.card.title}; a unit is a {kernel.card.unit}; {implementations}"
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


@click.command("show", short_help="show one kernel, scenario, platform or report, or the log of a run")
@click.argument("kind", type=click.Choice(("kernel", "scenario", "platform", "report", "log")))
@click.argument("name")
@click.argument("job", required=False)
@results_option
@json_option
def show_command(kind: str, name: str, job: str | None, results: Path, as_json: bool) -> None:
    """Show the KIND called NAME: the card and the implementations of a kernel, or the text of a file.

    NAME may be a path: daasbench show kernel ./my_kernel.py

    daasbench show log RUN [JOB] prints what the jobs of a run wrote: the whole message of a failure, and whatever
    a kernel prints. The first letters of RUN and JOB are enough.
    """
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
    if key == "text":
        click.echo(f"\n{value}", nl=False)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        click.echo(f"\n{key.replace('_', ' ')}")
        columns = list(value[0])
        headers = [column.replace("_", " ") for column in columns]
        show_table(headers, [[_cell(row[column]) for column in columns] for row in value])
    elif value:
        text = "\n" + "\n".join(f"  {line}" for line in value) if isinstance(value, list) else f" {value}"
        click.echo(f"{key.replace('_', ' ')}:{text}")


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
