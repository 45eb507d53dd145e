"""``daasbench doctor``: preflight checks of this machine, or of platforms before they are used."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from daasbench.cli.options import json_option, results_option
from daasbench.cli.tables import print_json, show_table
from daasbench.errors import MissingRequirement
from daasbench.host.installation import one_command
from daasbench.inspection.platform import Inspection, check_platform


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
            click.echo(f"  {finding.level:8} {finding.check:10} {finding.message}{fix}")


@click.command("doctor", short_help="check what runs on this machine, or a platform")
@click.option(
    "--platform", "platforms", metavar="P", multiple=True, help="Check this platform; may be given several times."
)
@results_option
@json_option
def doctor_command(platforms: tuple[str, ...], results: Path, as_json: bool) -> int:
    """Show what runs on this machine, what is missing, and the command that adds it; broken plug-ins come last.

    With --platform, check a platform before it is used: the name of a shipped platform, or a path. Its scheduler
    is queried, and one node is probed by a test job of less than a minute. Exit code 1: a run on it would fail.
    """
    if not platforms:
        _check_this_machine(as_json)
        return 0
    inspections = _inspect_platforms(platforms, results)
    if as_json:
        print_json(_as_json(inspections))
    else:
        _show_inspections(inspections)
    return 0 if all(inspection.usable for inspection in inspections) else 1


def _check_this_machine(as_json: bool) -> None:
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
    memory = f"{seen.usable_memory_bytes / 2**30:.1f} of {seen.memory_bytes / 2**30:.1f} GiB usable"
    cache = f", last-level cache {seen.last_level_cache_bytes / 2**20:.0f} MiB" if seen.last_level_cache_bytes else ""
    cpu = f"{seen.cpu} ({seen.microarchitecture})" if seen.microarchitecture else seen.cpu
    click.echo(f"machine   {cpu}, {seen.usable_cores} usable cores of {seen.threads}{cache}")
    click.echo(f"memory    {memory}")
    click.echo(f"GPU       {seen.gpu or 'none'}")
    for engine in engines:
        click.echo(f"{engine['name']:9} {engine['what'] or 'none: ' + engine['missing'] + '; ' + engine['fix']}")
    click.echo(f"suite     {seen.commit}, Python {seen.python}\n")
    show_table(
        ("kernel", "implementation", "kind", "available", "to get it"),
        [
            (row["kernel"], row["implementation"], row["kind"], "no" if row["missing"] else "yes", row["fix"] or "")
            for row in implementations
        ],
    )
    problems = [f"broken plug-in: {plugin.error}" for plugin in broken] + [f"warning: {text}" for text in warnings]
    for problem in problems:
        click.echo(f"\n{problem}")
    if install := one_command(str(row["fix"]) for row in [*implementations, *engines] if row["fix"]):
        click.echo(f"\nto add what is missing: {install}")


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
