"""``daasbench doctor``: preflight checks of this machine, or of platforms before they are used."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daasbench.cli.completion import complete_platform
from daasbench.cli.options import json_option, results_option
from daasbench.cli.tables import KINDS_LEGEND, print_json, show_table, wrapped
from daasbench.errors import MissingRequirement, UsageError
from daasbench.host.installation import one_command
from daasbench.inspection.platform import Inspection, check_platform

if TYPE_CHECKING:
    from daasbench.model import Machine


def _inspect_platforms(names: Sequence[str], results: Path) -> list[Inspection]:
    """Return the findings of some platforms; each platform is checked once."""
    today = datetime.datetime.now(datetime.UTC).date()
    return [check_platform(name, folder=Path(), results=results, today=today) for name in dict.fromkeys(names)]


def _as_json(inspections: Sequence[Inspection]) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    platforms = [
        {
            "platform": inspection.platform,
            "runner": inspection.runner,
            "usable": inspection.usable,
            "findings": [
                {"level": f.level, "check": f.check, "message": f.message, "fix": f.fix or None}
                for f in inspection.findings
            ],
        }
        for inspection in inspections
    ]
    return {"schema": 1, "platforms": platforms}


def _show_inspections(inspections: Sequence[Inspection]) -> None:
    """Print one line per finding: level, check, message and fix."""
    for number, inspection in enumerate(inspections):
        description = inspection.description or "a platform without description"
        click.echo(("\n" if number else "") + f"{inspection.platform}: {description}")
        for finding in inspection.findings:
            fix = f"; {finding.fix}" if finding.fix else ""
            click.echo(wrapped(f"{finding.level:8} {finding.check:10} {finding.message}{fix}", indent=22, first=2))


@click.command("doctor")
@click.option(
    "--platform",
    "platforms",
    metavar="P",
    multiple=True,
    shell_complete=complete_platform,
    help="Check this platform: a name, or a TOML file. Repeat it for several.",
)
@click.option("--all", "show_all", is_flag=True, help="List every implementation.")
@results_option
@json_option
def doctor_command(platforms: tuple[str, ...], show_all: bool, results: Path, as_json: bool) -> int:
    """Show what runs on this machine, what is missing, and the command that installs it.

    With --platform, check a platform before it is used. Its scheduler is asked, and a test job of less than one
    minute checks one node. Exit code 1: a run on the platform would fail.

    \b
    daasbench doctor
    daasbench doctor --platform ./my_platform.toml
    """  # noqa: D301  (the character \b tells click not to fill these lines)
    if not platforms:
        _check_this_machine(as_json, show_all)
        return 0
    if show_all:
        raise UsageError("--all: lists the implementations of this machine; remove --platform, or remove --all")
    inspections = _inspect_platforms(platforms, results)
    if as_json:
        print_json(_as_json(inspections))
    else:
        _show_inspections(inspections)
    return 0 if all(inspection.usable for inspection in inspections) else 1


def _check_this_machine(as_json: bool, show_all: bool) -> None:
    from daasbench import registry
    from daasbench.host import machine
    from daasbench.host.clock import utc_now

    seen = machine.observe(commit=machine.suite_commit(), observed_at=utc_now())
    implementations, engines = _implementations(), _engines()
    broken = [plugin for group in registry.PARTS for plugin in registry.catalogue(group) if plugin.error]
    warnings = registry.warnings()
    if as_json:
        facts = {
            "machine": seen,
            "engines": engines,
            "implementations": implementations,
            "broken": broken,
            "warnings": warnings,
        }
        print_json({"schema": 1, **facts})
        return
    usable = sum(row["missing"] is None for row in implementations)
    click.echo(f"{usable} of {len(implementations)} implementations run on this machine\n")
    _show_machine(seen)
    for engine in engines:
        click.echo(wrapped(f"{engine['name']:9} {engine['what'] or 'none: ' + engine['missing']}", indent=10))
    if show_all:
        _show_all(implementations)
    _show_missing([*implementations, *engines])
    for problem in [*(f"broken plug-in: {plugin.error}" for plugin in broken), *(f"warning: {w}" for w in warnings)]:
        click.echo(f"\n{problem}")
    if not show_all:
        click.echo("\nto list every implementation: daasbench doctor --all")


def _show_machine(seen: Machine) -> None:
    memory = f"{seen.usable_memory_bytes / 2**30:.1f} of {seen.memory_bytes / 2**30:.1f} GiB usable"
    cache = f", last-level cache {seen.last_level_cache_bytes / 2**20:.0f} MiB" if seen.last_level_cache_bytes else ""
    cpu = f"{seen.cpu} ({seen.microarchitecture})" if seen.microarchitecture else seen.cpu
    click.echo(wrapped(f"machine   {cpu}, {seen.usable_cores} usable cores of {seen.threads}{cache}", indent=10))
    click.echo(f"memory    {memory}")
    click.echo(f"GPU       {seen.gpu or 'none'}")
    click.echo(f"suite     commit {seen.commit}, {seen.python}")


def _show_all(implementations: Sequence[dict[str, Any]]) -> None:
    """Print every implementation, and what the columns mean."""
    click.echo()
    rows = [(row["kernel"], row["implementation"], row["kind"], row["missing"] or "yes") for row in implementations]
    show_table(("kernel", "implementation", "kind", "runs on this machine"), rows)
    click.echo("\n" + wrapped(KINDS_LEGEND, indent=0))


def _show_missing(rows: Sequence[dict[str, Any]]) -> None:
    """Print each missing requirement once, and one command for all that can be installed."""
    needing: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["missing"]:
            needing.setdefault((row["missing"], row["fix"]), []).append(row.get("implementation") or row["name"])
    if not needing:
        return
    click.echo("\nnot available:")
    for (missing, fix), names in sorted(needing.items(), key=lambda item: (-len(item[1]), item[0])):
        shown = f"; {fix}" if fix and not one_command([fix]) else ""
        click.echo(wrapped(f"{len(names):3}  {', '.join(dict.fromkeys(names))}: {missing}{shown}", indent=7, first=2))
    if command := one_command(fix for _, fix in needing):
        click.echo(f"\nto install what is missing:\n  {command}")


def _engines() -> list[dict[str, Any]]:
    """Return what starts MPI ranks and Dask workers on this machine, or what is missing, with the fix."""
    from daasbench.compute import backends
    from daasbench.host import launchers

    def mpi() -> str:
        library = backends.library_name(backends.mpi_version_text())
        launchers.require_launcher({})
        return f"{library}, ranks are started by {launchers.default_launcher()}"

    rows = []
    for name, what in (("MPI", mpi), ("Dask", lambda: f"distributed {backends.dask_version()}")):
        row: dict[str, Any] = {"name": name, "what": None, "missing": None, "fix": None}
        try:
            row["what"] = what()
        except MissingRequirement as missing:
            row |= {"missing": missing.what, "fix": missing.fix}
        rows.append(row)
    return rows


def _implementations() -> list[dict[str, Any]]:
    from daasbench import registry
    from daasbench.compute.backends import require

    rows = []
    for plugin in registry.catalogue("kernels"):
        if plugin.error:
            continue
        for implementation in registry.kernel(plugin.name).implementations.values():
            missing = fix = None
            try:
                require(implementation)
            except MissingRequirement as requirement:
                missing, fix = requirement.what, requirement.fix
            row = {"kernel": plugin.name, "implementation": implementation.name}
            kind = "peer" if implementation.peer else "ours"
            rows.append({**row, "kind": kind, "missing": missing, "fix": fix})
    return rows
