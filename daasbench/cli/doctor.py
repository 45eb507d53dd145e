"""``daasbench doctor``: this machine, or platforms before they are used."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from daasbench.cli.scenario_options import results_option
from daasbench.cli.tables import _print_json, json_option, show_table
from daasbench.errors import MissingRequirement
from daasbench.inspection.platform import Inspection, check_platform


def inspect_platforms(names: Sequence[str], results: Path) -> list[Inspection]:
    """Return what is found of some platforms; each is looked at once."""
    today = datetime.datetime.now(datetime.UTC).date()
    return [check_platform(name, folder=Path(), results=results, today=today) for name in dict.fromkeys(names)]


def as_facts(found: Sequence[Inspection]) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    platforms = [
        {
            "platform": one.platform,
            "runner": one.runner,
            "usable": one.usable,
            "findings": [
                {"level": f.level, "about": f.check, "message": f.message, "fix": f.fix or None} for f in one.findings
            ],
        }
        for one in found
    ]
    return {"schema": 1, "platforms": platforms}


def show_inspections(found: Sequence[Inspection]) -> None:
    """Print one line a finding: how it stands, what was looked at, what was seen, and the cure."""
    for number, one in enumerate(found):
        click.echo(("\n" if number else "") + f"{one.platform}: {one.description or 'a platform without description'}")
        for finding in one.findings:
            fix = f"; {finding.fix}" if finding.fix else ""
            click.echo(f"  {finding.level:8} {finding.check:10} {finding.message}{fix}")


@click.command("doctor", short_help="what runs here, what is missing, the one command that adds it")
@click.option("--platform", "platforms", metavar="P", multiple=True, help="Look at this platform; may be repeated.")
@results_option
@json_option
def doctor_command(platforms: tuple[str, ...], results: Path, as_json: bool) -> int:
    """Say what runs here, what is missing, and the command that adds it; a broken plug-in is named at the end.

    With --platform, look at a platform before it is used: the name of a shipped one, or a path. Its scheduler is
    asked, and one node, by a test job of less than a minute. Exit code 1: a run there would fail.
    """
    if not platforms:
        _look_here(as_json)
        return 0
    from daasbench.cli import doctor

    found = doctor.inspect_platforms(platforms, results)
    if as_json:
        _print_json(doctor.as_facts(found))
    else:
        doctor.show_inspections(found)
    return 0 if all(one.usable for one in found) else 1


def _look_here(as_json: bool) -> None:
    from daasbench import registry
    from daasbench.host import machine
    from daasbench.host.clock import utc_now

    seen = machine.observe(commit=machine.suite_commit(), observed_at=utc_now())
    implementations, engines = _implementations(), _engines()
    broken = [one for group in registry.PARTS for one in registry.catalogue(group) if one.error]
    warnings = registry.warnings()
    if as_json:
        facts = {
            "machine": seen,
            "engines": engines,
            "implementations": implementations,
            "broken": broken,
            "warnings": warnings,
        }
        _print_json({"schema": 1, **facts})
        return
    memory = f"{seen.usable_memory_bytes / 2**30:.1f} of {seen.memory_bytes / 2**30:.1f} GiB usable"
    cache = f", last-level cache {seen.last_level_cache_bytes / 2**20:.0f} MiB" if seen.last_level_cache_bytes else ""
    cpu = f"{seen.cpu} ({seen.microarchitecture})" if seen.microarchitecture else seen.cpu
    click.echo(f"machine   {cpu}, {seen.usable_cores} usable cores of {seen.threads}{cache}")
    click.echo(f"memory    {memory}")
    click.echo(f"GPU       {seen.gpu or 'none'}")
    for one in engines:
        click.echo(f"{one['name']:9} {one['what'] or 'none: ' + one['missing'] + '; ' + one['fix']}")
    click.echo(f"suite     {seen.commit}, Python {seen.python}\n")
    show_table(
        ("kernel", "implementation", "kind", "here", "to get it"),
        [
            (w["kernel"], w["implementation"], w["kind"], "no" if w["missing"] else "yes", w["fix"] or "")
            for w in implementations
        ],
    )
    for message in [*(f"broken plug-in: {one.error}" for one in broken), *(f"warning: {one}" for one in warnings)]:
        click.echo(f"\n{message}")
    commands = {str(w["fix"]).removeprefix("install it: ") for w in [*implementations, *engines]}
    fixes = sorted(one for one in commands if one.startswith("pip install"))
    if fixes:
        click.echo("\nto add what is missing:\n" + "\n".join(f"  {fix}" for fix in fixes))


def _engines() -> list[dict[str, Any]]:
    """Return what starts ranks and workers here, or what it lacks, with the cure."""
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

    found = []
    for plugin in registry.catalogue("kernels"):
        if plugin.error:
            continue
        for implementation in registry.kernel(plugin.name).implementations.values():
            missing = fix = None
            try:
                require(implementation)
            except MissingRequirement as requirement:
                missing, fix = requirement.what, requirement.fix
            kind = "peer" if implementation.peer else "ours"
            row = {
                "kernel": plugin.name,
                "implementation": implementation.name,
                "kind": kind,
                "missing": missing,
                "fix": fix,
            }
            found.append(row)
    return found
