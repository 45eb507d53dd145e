"""``daasbench doctor``, ``list``, ``show`` and ``status``: looking, and changing nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from daasbench import registry
from daasbench.cli.ask import results_option
from daasbench.cli.tables import show_table
from daasbench.errors import Lacking, UsageError, unknown

KINDS = ("kernels", "scenarios", "platforms", "runners", "reports")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/reference/json.md).")


def _print_json(thing: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(thing), indent=1).decode())


# --- doctor ---------------------------------------------------------------------------------------------------


@click.command("doctor", short_help="what runs here, what is missing, the one command that adds it")
@json_option
def doctor_command(as_json: bool) -> None:
    """Say what runs here, what is missing, and the command that adds it."""
    from daasbench import machine
    from daasbench.clock import utc_now

    seen = machine.observe(commit=machine.suite_commit(), observed_at=utc_now())
    ways = _ways()
    broken = [one for group in ("kernels", "runners", "reports") for one in registry.catalogue(group) if one.error]
    if as_json:
        _print_json({"schema": 1, "machine": seen, "implementations": ways, "broken": broken})
        return
    memory = f"{seen.usable_memory_bytes / 2**30:.1f} of {seen.memory_bytes / 2**30:.1f} GiB usable"
    cache = f", last-level cache {seen.last_level_cache_bytes / 2**20:.0f} MiB" if seen.last_level_cache_bytes else ""
    click.echo(f"machine   {seen.cpu}, {seen.usable_cores} usable cores of {seen.threads}{cache}")
    click.echo(f"memory    {memory}")
    click.echo(f"GPU       {seen.gpu or 'none'}")
    click.echo(f"suite     {seen.commit}, Python {seen.python}\n")
    show_table(
        ("kernel", "implementation", "kind", "here", "to get it"),
        [(w["kernel"], w["implementation"], w["kind"], "yes" if not w["lacks"] else "no", w["cure"]) for w in ways],
    )
    for one in broken:
        click.echo(f"\nbroken plug-in: {one.error}")
    cures = sorted({w["cure"].removeprefix("install it: ") for w in ways if "pip install" in w["cure"]})
    if cures:
        click.echo("\nto add what is missing:\n" + "\n".join(f"  {cure}" for cure in cures))


def _ways() -> list[dict[str, str]]:
    from daasbench.backends import require

    found = []
    for plugin in registry.catalogue("kernels"):
        if plugin.error:
            continue
        for way in registry.kernel(plugin.name).implementations.values():
            lacks = cure = ""
            try:
                require(way)
            except Lacking as lack:
                lacks, cure = lack.what, lack.cure
            kind = "peer" if way.peer else "ours"
            row = {"kernel": plugin.name, "implementation": way.name, "kind": kind, "lacks": lacks, "cure": cure}
            found.append(row)
    return found


# --- list -----------------------------------------------------------------------------------------------------


@click.command("list", short_help="what is installed: kernels, scenarios, platforms, runners, reports")
@click.argument("kind", type=click.Choice(KINDS))
@json_option
def list_command(kind: str, as_json: bool) -> None:
    """List what is installed of a KIND; a plug-in that cannot be loaded is listed with what is wrong."""
    rows = {"scenarios": _scenarios, "platforms": _platforms}.get(kind, lambda: _plugins(kind))()
    if as_json:
        _print_json({"schema": 1, "kind": kind, "entries": rows})
        return
    show_table(("name", "what"), [(row["name"], row["what"]) for row in rows])
    for row in rows:
        if row.get("error"):
            click.echo(f"warning: {row['error']}", err=True)


def _plugins(kind: str) -> list[dict[str, str]]:
    rows = []
    for plugin in registry.catalogue(kind):
        row = {"name": plugin.name, "what": "", "from": plugin.distribution, "error": plugin.error or ""}
        if plugin.error:
            row["what"] = "cannot be loaded"
        elif kind == "kernels":
            kernel = registry.kernel(plugin.name)
            ways = ", ".join(f"{w.name} (peer)" if w.peer else w.name for w in kernel.implementations.values())
            row["what"] = f"{kernel.card.title}; a unit is a {kernel.card.unit}; {ways}"
        elif kind == "reports":
            row["what"] = registry.report(plugin.name).title
        else:
            row["what"] = (type(registry.runner(plugin.name)).__doc__ or "").strip().splitlines()[0]
        rows.append(row)
    return rows


def _scenarios() -> list[dict[str, str]]:
    from daasbench import toml
    from daasbench.scenario import shipped_files

    return [{"name": stem, "what": str(toml.read(path).get("question", ""))} for stem, path in shipped_files().items()]


def _platforms() -> list[dict[str, str]]:
    from daasbench import toml
    from daasbench.scenario import shipped_files

    rows = []
    for stem, path in shipped_files("platforms").items():
        raw = toml.read(path)
        rows.append({"name": stem, "what": f"{raw.get('description', '')} (runner {raw.get('runner', '?')})".strip()})
    return rows


# --- show -----------------------------------------------------------------------------------------------------


@click.command("show", short_help="one kernel, scenario, platform or report")
@click.argument("kind", type=click.Choice(("kernel", "scenario", "platform", "report")))
@click.argument("name")
@json_option
def show_command(kind: str, name: str, as_json: bool) -> None:
    """Show one KIND by NAME: a kernel's card and ways, or the text of a file."""
    shown: dict[str, Callable[[str], dict[str, Any]]] = {
        "kernel": _kernel,
        "scenario": lambda stem: _file(stem, "", "scenario"),
        "platform": lambda stem: _file(stem, "platforms", "platform"),
        "report": _report,
    }
    facts = shown[kind](name)
    if as_json:
        _print_json({"schema": 1, **facts})
        return
    for key, value in facts.items():
        _show_fact(key, value)


def _show_fact(key: str, value: Any) -> None:
    if key == "text":
        click.echo(value, nl=False)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        click.echo(f"\n{key.replace('_', ' ')}")
        columns = list(value[0])
        show_table(columns, [[str(row[column]) for column in columns] for row in value])
    elif value:
        told = "\n".join(f"  {line}" for line in value) if isinstance(value, list) else str(value)
        click.echo(f"{key.replace('_', ' ')}:{chr(10) if isinstance(value, list) else ' '}{told}")


def _kernel(name: str) -> dict[str, Any]:
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
            f"{one.text} {'https://doi.org/' + one.doi if one.doi else ''}".strip() for one in card.literature
        ],
        "sizes": [{"size": size, "parameters": _pairs(numbers)} for size, numbers in kernel.sizes.items()],
        "options": _options(kernel),
        "implementations": [
            {
                "implementation": way.name,
                "kind": "peer" if way.peer else "ours",
                "runs on": way.backend,
                "threads": "axis" if way.threads else "1",
                "needs": ", ".join(way.packages or way.requires),
                "in addition": way.adds,
            }
            for way in kernel.implementations.values()
        ],
    }


def _citation(text: str, doi: str) -> str:
    return f"{text} https://doi.org/{doi}" if doi else text


def _options(kernel: Any) -> list[dict[str, str]]:
    rows = []
    for one in msgspec.structs.fields(kernel.options):
        default = "none" if one.default is None else str(one.default)
        rows.append({"option": one.name, "default": default})
    return rows


def _pairs(numbers: Any) -> str:
    return ", ".join(f"{key} = {value}" for key, value in dict(numbers).items())


def _file(stem: str, folder: str, kind: str) -> dict[str, Any]:
    from daasbench.scenario import shipped_files

    files = shipped_files(folder)
    path = files.get(stem) or (Path(stem) if stem.endswith(".toml") and Path(stem).is_file() else None)
    if path is None:
        raise unknown(kind, stem, files)
    return {"text": path.read_text()}


def _report(name: str) -> dict[str, Any]:
    report = registry.report(name)
    return {"report": report.name, "title": report.title, "formats": list(report.formats)}


# --- status ---------------------------------------------------------------------------------------------------


@click.command("status", short_help="the runs of a results folder, and who is at work on them")
@click.argument("run", required=False)
@results_option
@json_option
def status_command(run: str | None, results: Path, as_json: bool) -> None:
    """Show every run of a results folder, or one RUN: what is done, what is left, who is at work on it."""
    from daasbench.results import runs

    found = runs(results)
    if not found:
        raise UsageError(f"{results}: holds no runs; measure with: daasbench run quickstart --results {results}")
    if run is not None:
        found = [one for one in found if one.id == run]
        if not found:
            raise unknown("run", run, [one.id for one in runs(results)])
    rows = [_run_row(one) for one in found]
    if as_json:
        _print_json({"schema": 1, "runs": rows})
        return
    columns = ("run", "state", "done", "outcomes", "held by")
    show_table(columns, [[str(row[column.replace(" ", "_")]) for column in columns] for row in rows])


def _run_row(folder: Any) -> dict[str, Any]:
    from collections import Counter

    from daasbench.progress import progress

    planned = {one.key for job in folder.jobs() for one in job.planned}
    outcomes = progress(folder.path).outcomes
    counts = Counter(str(outcomes[key]) for key in planned if key in outcomes)
    holder = folder.holder()
    left = len(planned) - counts.total()
    finished = any(event.event == "finished" for event in folder.events())
    state = "running" if holder else "finished" if finished and not left else "unfinished"
    return {
        "run": folder.id,
        "state": state,
        "done": f"{counts.total()}/{len(planned)}",
        "outcomes": ", ".join(f"{count} {name}" for name, count in sorted(counts.items())),
        "held_by": f"process {holder.pid} on {holder.host} since {holder.since}" if holder else "",
    }
