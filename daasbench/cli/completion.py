"""Names that a shell completes after Tab; neither kernels nor array libraries are imported.

Click calls a ``complete_*`` function with the text that was typed; it returns what begins with that text.
docs/how-to/completion.md says how a person switches completion on.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable
from importlib import metadata, util
from pathlib import Path

import click
from click.shell_completion import CompletionItem

Items = list[CompletionItem]
SUFFIXES = {"kernel": (".py", ".toml"), "scenario": (".toml",), "platform": (".toml",), "report": ()}


def plugin_names(group: str) -> list[str]:
    """Return the names of the installed plug-ins of a group: ``"kernels"``, ``"reports"``, ``"runners"``."""
    return sorted(metadata.entry_points(group=f"daasbench.{group}").names)


def shipped_names(folder: str = "") -> list[str]:
    """Return the names of the installed scenarios, or of the files in a sub-folder: ``"platforms"``."""
    names: set[str] = set()
    for point in metadata.entry_points(group="daasbench.scenarios"):
        spec = util.find_spec(point.value)
        for package in (spec.submodule_search_locations or ()) if spec else ():
            names |= {path.stem for path in (Path(package) / folder).glob("*.toml")}
    return sorted(names)


def complete_target(context: click.Context, parameter: click.Parameter, typed: str) -> Items:  # noqa: ARG001  (click's)
    """Return the scenarios, kernels and files that ``daasbench run`` can measure."""
    return _names_or_files(typed, [*shipped_names(), *plugin_names("kernels")], (".toml", ".py"))


def complete_platform(context: click.Context, parameter: click.Parameter, typed: str) -> Items:  # noqa: ARG001  (click's)
    """Return platforms by name or file."""
    return _names_or_files(typed, shipped_names("platforms"), SUFFIXES["platform"])


def complete_shown(context: click.Context, parameter: click.Parameter, typed: str) -> Items:
    """Return the names of the kind that was chosen before: ``daasbench show KIND``."""
    kind = str(context.params.get("kind") or "")
    if kind == "log":
        return complete_run(context, parameter, typed)
    if kind not in SUFFIXES:
        return []
    shipped = {"scenario": "", "platform": "platforms"}
    names = shipped_names(shipped[kind]) if kind in shipped else plugin_names(f"{kind}s")
    return _names_or_files(typed, names, SUFFIXES[kind])


def complete_report(context: click.Context, parameter: click.Parameter, typed: str) -> Items:  # noqa: ARG001  (click's)
    """Return reports."""
    return _starting(typed, plugin_names("reports"))


def complete_run(context: click.Context, parameter: click.Parameter, typed: str) -> Items:  # noqa: ARG001  (click's)
    """Return the runs in the folder of ``--results``."""
    from daasbench.records.layout import RUNS_FOLDER

    results = context.params.get("results") or "results"
    folders = results if isinstance(results, tuple) else (results,)
    names = sorted(path.name for folder in folders for path in (Path(folder) / RUNS_FOLDER).glob("*/"))
    undated = [name.partition("-")[2] for name in names]  # the commands take a part of the name, too
    return _starting(typed, names) or _starting(typed, undated)


def complete_job(context: click.Context, parameter: click.Parameter, typed: str) -> Items:  # noqa: ARG001  (click's)
    """Return the jobs of the run that was named before: ``daasbench show log RUN JOB``."""
    from daasbench.records.layout import JOBS_FOLDER, RUNS_FOLDER

    if context.params.get("kind") != "log":
        return []
    results = context.params.get("results") or "results"
    run = str(context.params.get("name") or "")
    jobs = (Path(results) / RUNS_FOLDER).glob(f"*{glob.escape(run)}*/{JOBS_FOLDER}/*/")
    return _starting(typed, sorted({path.name for path in jobs}))


def complete_column(context: click.Context, parameter: click.Parameter, typed: str) -> Items:  # noqa: ARG001  (click's)
    """Return the columns of the table after the last comma."""
    from daasbench.evidence.units import UNITS

    return _after_comma(typed, UNITS)


def complete_format(context: click.Context, parameter: click.Parameter, typed: str) -> Items:  # noqa: ARG001  (click's)
    """Return the formats of reports after the last comma."""
    return _after_comma(typed, ("html", "md", "csv"))


def complete_only(context: click.Context, parameter: click.Parameter, typed: str) -> Items:  # noqa: ARG001  (click's)
    """Return the kernels of the scenario that was named before, and their implementations."""
    named = context.params.get("what") or next(iter(context.args), "")  # click stops at the option without a value
    return _starting(typed, parts_of(str(named)))


def complete_file(context: click.Context, parameter: click.Parameter, typed: str) -> Items:  # noqa: ARG001  (click's)
    """Return what the shell itself completes: files."""
    return [CompletionItem(typed, type="file")]


def complete_folder(context: click.Context, parameter: click.Parameter, typed: str) -> Items:  # noqa: ARG001  (click's)
    """Return what the shell itself completes: folders."""
    return [CompletionItem(typed, type="dir")]


def parts_of(target: str) -> list[str]:
    """Return the kernels that a scenario or a kernel's name measures, and the names of their implementations."""
    from daasbench import registry
    from daasbench.errors import DaasbenchError
    from daasbench.host import toml_file
    from daasbench.scenario.platforms import shipped_files

    try:
        path = Path(target) if target.endswith(".toml") else shipped_files().get(target)
        blocks = toml_file.read(path).get("cases", []) if path else [{"kernel": target}]
        kernels = {str(block["kernel"]) for block in blocks if isinstance(block, dict) and "kernel" in block}
        known = [registry.kernel(name) for name in sorted(kernels & set(registry.kernels()))]
    except DaasbenchError:  # completion has no place for an error; the command reports it
        return []
    return sorted({name for kernel in known for name in (kernel.name, *kernel.implementations)})


def _starting(typed: str, names: Iterable[str]) -> Items:
    return [CompletionItem(name) for name in names if name.startswith(typed)]


def _after_comma(typed: str, names: Iterable[str]) -> Items:
    head, comma, last = typed.rpartition(",")
    return [CompletionItem(f"{head}{comma}{name}") for name in names if name.startswith(last)]


def _names_or_files(typed: str, names: Iterable[str], suffixes: tuple[str, ...]) -> Items:
    """Return names, and files of the current folder; of a path, what the shell itself completes."""
    if not ("/" in typed or typed.startswith((".", "~"))):
        files = sorted(path.name for path in Path().glob("*") if path.suffix in suffixes and suffixes)
        if found := _starting(typed, [*names, *files]):
            return found
    return [CompletionItem(typed, type="file")] if suffixes else []
