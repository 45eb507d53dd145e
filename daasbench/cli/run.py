"""``daasbench run``: measure a scenario or a kernel."""

from __future__ import annotations

import contextlib
import importlib
import re
import shlex
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from daasbench.cli.completion import complete_file, complete_only, complete_platform, complete_target
from daasbench.cli.options import json_option, results_option
from daasbench.cli.scenario_options import ScenarioRequest
from daasbench.errors import UsageError
from daasbench.model import Outcome

if TYPE_CHECKING:
    from daasbench.scenario.plan import Plan
    from daasbench.study import Preview, RunSummary


@click.command(
    "run",
    short_help="measure a scenario, a kernel, or your own kernel",
    epilog="Exit codes: 0 every case is ok or skipped, 1 a case is wrong, failed or timed out; the others: see"
    " daasbench --help.",
)
@click.argument("what", metavar="SCENARIO|KERNEL", shell_complete=complete_target)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="P",
    shell_complete=complete_platform,
    help="Measure on this platform, not on those of the scenario: a name, or a TOML file. Repeat it for several.",
)
@results_option
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    shell_complete=complete_file,
    help="Measure on this file: HDF5, NeXus, or a format of the kernel's field.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="K=V",
    help="Set an option of the kernel (bins=500) or a key of the scenario (cases.threads=1, repeat.processes=5)."
    " The value is TOML. Repeat it for several.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="A quick look: one process, about a second per case, and no comparison. It uses known limits of the machine"
    " and measures none.",
)
@click.option("--budget", metavar="AMOUNT", help='Refuse if the worst case costs more: "20" or "20 EUR".')
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_only,
    help="Measure only this kernel or implementation. * matches any text. Repeat it for several.",
)
@click.option("--again", is_flag=True, help="Start a new run, even if an earlier run is unfinished or done.")
@click.option("--dry-run", is_flag=True, help="Show the cases, the expected time and the highest price; run nothing.")
@click.option("--files", is_flag=True, help="With --dry-run: show the commands and the files of the jobs, too.")
@click.option(
    "--detach", is_flag=True, help="Submit the jobs to their queue and return; daasbench collect fetches their records."
)
@click.option("--redact", is_flag=True, help="Write no host names into the records.")
@click.option("--yes", is_flag=True, help="Do not ask before a run that costs money.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option("-v", "--verbose", is_flag=True, help="Show whole messages, and what verified each result.")
@json_option
def run_command(  # noqa: PLR0913  (click gives every option by its name)
    what: str,
    platforms: tuple[str, ...],
    results: Path,
    input_file: str | None,
    settings: tuple[str, ...],
    only: tuple[str, ...],
    quick: bool,
    budget: str | None,
    again: bool,
    dry_run: bool,
    files: bool,
    detach: bool,
    redact: bool,
    yes: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Measure a SCENARIO (a name, or a path with / or .toml), a KERNEL, or your own kernel in a Python file (.py).

    The same command continues an interrupted run; if everything is done, it measures nothing.

    \b
    daasbench run quickstart
    daasbench run tomography --set cases.sizes=tiny --set repeat.processes=5
    daasbench run ./my_kernel.py --dry-run
    """  # noqa: D301  (the character \b tells click not to fill these lines)
    from daasbench import study
    from daasbench.host.machine import suite_commit

    limit = _amount(budget) if budget is not None else None
    request = ScenarioRequest(what)
    request.set_platforms(platforms)
    request.set_input(input_file)
    request.set_values(settings)
    request.set_only(only)
    if quick:
        request.set_quick()
    plan = request.plan()
    commit = suite_commit()
    if dry_run:
        if detach:
            study.check_detachable(plan)
        preview = study.preview(plan, results_folder=results, commit=commit, again=again, budget=limit)
        _show_preview(preview, plan, as_json, files)
        return 0
    if files:
        raise UsageError("--files: shows the files of a dry run; add --dry-run, or remove --files")
    _ask(plan, yes or as_json or not sys.stdin.isatty())
    if not as_json:
        for note in plan.notes:
            click.echo(f"note: {note}", err=True)
    from daasbench.cli.progress import Detail, Shown

    detail = Detail.QUIET if quiet else Detail.FULL if verbose else Detail.NORMAL
    repeat = plan.scenario.repeat
    processes = f"{'at most ' if repeat.adds_processes else ''}{repeat.most_processes}"
    if quick:
        _load_tables()
    command = "daasbench " + shlex.join(sys.argv[1:])
    with Shown(quiet=as_json, detail=detail, processes=processes, with_platform=len(plan.platforms) > 1) as shown:
        ended = study.run(
            plan,
            results_folder=results,
            text=request.text(),
            commit=commit,
            command=command,
            again=again,
            budget=limit,
            redact=redact,
            detach=detach,
            tell=shown.tell,
        )
    with contextlib.suppress(BrokenPipeError):  # the exit code must not depend on the reader
        _show_summary(ended, plan, results, as_json)
    return ended.exit_code


def _load_tables() -> None:
    """Import what the table at the end needs while the worker starts, which takes as long; nothing is timed yet."""
    names = ("daasbench.evidence.table",)
    threading.Thread(target=importlib.import_module, args=names, daemon=True, name="tables").start()


def _show_summary(ended: RunSummary, plan: Plan, results: Path, as_json: bool) -> None:
    if as_json:
        facts = {"schema": 1, "exit_code": ended.exit_code, "notes": plan.notes, **msgspec.to_builtins(ended)}
        facts["rows"] = _rows(Path(ended.folder))
        click.echo(msgspec.json.encode(facts).decode())
    else:
        _show_end(ended, plan, results)


def _amount(text: str) -> tuple[Decimal, str | None]:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]{3})?\s*", text)
    if not match:
        raise UsageError(f"--budget {text!r}: is not an amount; write a number, with or without a currency: 20 EUR")
    return Decimal(match[1]), match[2].upper() if match[2] else None


def _ask(plan: Plan, yes: bool) -> None:
    priced = [name for name, platform in plan.platforms.items() if platform.price is not None]
    remote = [name for name in priced if plan.platforms[name].runner != "local"]
    if remote and not yes:
        click.confirm(f"{', '.join(remote)} {'cost' if len(remote) > 1 else 'costs'} money; start?", abort=True)


def _rows(folder: Path) -> list[dict[str, object]]:
    from daasbench.cli.results import rows_of
    from daasbench.evidence.table import load

    return rows_of(load(folder))


def _show_preview(preview: Preview, plan: Plan, as_json: bool, files: bool) -> None:
    if as_json:
        facts = {"schema": 1, "dry_run": True, "notes": plan.notes, **msgspec.to_builtins(preview)}
        click.echo(msgspec.json.encode(facts).decode())
    else:
        from daasbench.cli.dry_run import show_preview

        for note in plan.notes:
            click.echo(f"note: {note}", err=True)
        repeat = plan.scenario.repeat
        show_preview(preview, files=files, most=repeat.most_processes if repeat.adds_processes else None)
    if preview.refused:
        click.echo(f"note: --budget would refuse this run: {preview.refused}", err=True)


def _show_end(ended: RunSummary, plan: Plan, results: Path) -> None:
    from daasbench.cli.names import command
    from daasbench.cli.run_table import show_run
    from daasbench.cli.terminal import output
    from daasbench.scenario.answering_report import report_of

    for message in ended.messages:
        click.echo(f"note: {message}", err=True)
    if ended.outcomes:
        show_run(Path(ended.folder), output())
    output().print(ended.sentence, markup=False)
    if ended.measured == 0 and not ended.left:
        click.echo("Nothing was measured now: all of it was done before. To measure again: add --again")
    if ended.refused:
        for name in _queued_platforms(plan):
            click.echo(f"To see what is wrong: {command('doctor', '--platform', name)}")
    if ended.under_way:
        click.echo(f"To fetch their records: {command('collect', ended.run, results=results)}")
    if Outcome.OK in ended.outcomes:
        click.echo(f"records: {ended.folder}")
        if not ended.left:
            click.echo(f"next:    {command('report', report_of(plan), results=results)}")


def _queued_platforms(plan: Plan) -> list[str]:
    """Return the platforms with a queue, as ``--platform`` takes them from this folder."""
    from daasbench.scenario.platforms import is_this_machine

    names = zip(plan.scenario.platforms, plan.platforms.values(), strict=True)
    here = f"{Path.cwd()}/"
    return [
        f"./{name.removeprefix(here)}" if name.startswith(here) else name
        for name, platform in names
        if not is_this_machine(platform)
    ]
