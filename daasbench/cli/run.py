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

from daasbench.cli.options import json_option, results_option
from daasbench.cli.scenario_options import ScenarioRequest
from daasbench.errors import UsageError
from daasbench.model import Outcome

if TYPE_CHECKING:
    from daasbench.model import Request
    from daasbench.scenario.plan import Plan
    from daasbench.study import Preview, RunSummary


@click.command(
    "run",
    short_help="measure a scenario, a kernel, or your own kernel",
    epilog="Exit codes: 0 every case is ok or skipped, 1 a case is wrong, failed or timed out; the others: see"
    " daasbench --help.",
)
@click.argument("what", metavar="SCENARIO|KERNEL")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="P",
    help="A platform instead of the scenario's platforms: a name, or a TOML file; may be given several times.",
)
@results_option
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    help="Measure on this file: HDF5, NeXus, or a format of the kernel's field.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="K=V",
    help="An option of the kernel (bins=500) or a dotted key of the scenario (cases.threads=1, repeat.processes=5);"
    " the value is TOML; may be given several times.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="A quick look: one process, about a second per case, no comparison; the limits of the machine are not"
    " measured, known ones are used.",
)
@click.option("--budget", metavar="AMOUNT", help='Refuse if the worst case costs more: "20" or "20 EUR".')
@click.option("--again", is_flag=True, help="Start a new run, even if an earlier run is unfinished or done.")
@click.option("--dry-run", is_flag=True, help="Show the requests, expected time and highest price; run nothing.")
@click.option(
    "--detach", is_flag=True, help="Submit the jobs to their queue and return; daasbench collect fetches their records."
)
@click.option("--redact", is_flag=True, help="Write no host names into the records.")
@click.option("--yes", is_flag=True, help="Do not ask before a run that costs money.")
@json_option
def run_command(  # noqa: PLR0913  (click gives every option by its name)
    what: str,
    platforms: tuple[str, ...],
    results: Path,
    input_file: str | None,
    settings: tuple[str, ...],
    quick: bool,
    budget: str | None,
    again: bool,
    dry_run: bool,
    detach: bool,
    redact: bool,
    yes: bool,
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
    if quick:
        request.set_quick()
    plan = request.plan()
    commit = suite_commit()
    if dry_run:
        if detach:
            study.check_detachable(plan)
        preview = study.preview(plan, results_folder=results, commit=commit, again=again, budget=limit)
        _show_preview(preview, plan.notes, as_json)
        if preview.refused:
            click.echo(f"note: would be refused: {preview.refused}", err=True)
        return 0
    _ask(plan, yes or as_json or not sys.stdin.isatty())
    if not as_json:
        for note in plan.notes:
            click.echo(f"note: {note}", err=True)
    from daasbench.cli.progress import Shown

    if quick:
        _load_tables()
    command = "daasbench " + shlex.join(sys.argv[1:])
    with Shown(quiet=as_json) as shown:
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
        _show_end(ended, results)


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
    from daasbench.evidence.table import load

    table = load(folder)
    return list(msgspec.json.decode(table.to_json(orient="records")))


def _show_preview(preview: Preview, notes: list[str], as_json: bool) -> None:
    if as_json:
        facts = {"schema": 1, "dry_run": True, "notes": notes, **msgspec.to_builtins(preview)}
        click.echo(msgspec.json.encode(facts).decode())
        return
    for note in notes:
        click.echo(f"note: {note}", err=True)
    cases = f"{preview.cells} case{'' if preview.cells == 1 else 's'}"
    count = len(preview.wall_time_limit_s)
    click.echo(f"{cases} in {count} job{'' if count == 1 else 's'}; nothing is run")
    for name, request in preview.requests.items():
        jobs = request.jobs or [name]
        title = f"job {name}" if len(jobs) == 1 else f"jobs {jobs[0]} ... {jobs[-1]}, an array of {len(jobs)}"
        click.echo(f"\n{title}, by the runner {request.runner}:")
        click.echo(f"  command  {shlex.join(request.command)}")
        known = [time_s for job in jobs if (time_s := preview.expected_s[job]) is not None]
        expected = "unknown: some cases were never measured"
        if len(known) == len(jobs):
            expected = f"about {_duration(sum(known))} (from earlier records)"
        click.echo(f"  expected {expected}")
        each = "" if len(jobs) == 1 else " each"
        longest = max(preview.wall_time_limit_s[job] for job in jobs)
        click.echo(f"  at most  {_duration(longest)}{each} (every process at repeat.limit_s)")
        money = [preview.ceiling[job] for job in jobs]
        click.echo(f"  ceiling  {money[0] or 'none: the platform declares no price'}{each if money[0] else ''}")
        _show_files(request)


def _show_files(request: Request) -> None:
    """Print the files of a request; for an array of jobs, those of the first job."""
    others = tuple(f"{job}/" for job in request.jobs[1:])
    for name, text in request.files.items():
        if not name.startswith(others):
            click.echo(f"  file {name}:")
            click.echo("".join(f"    {line}\n" for line in text.splitlines()), nl=False)
    if others:
        click.echo(f"  and the same files of {len(others)} more jobs; --json prints them too")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _show_end(ended: RunSummary, results: Path) -> None:
    from daasbench.cli.tables import show_run

    for message in ended.messages:
        click.echo(f"note: {message}", err=True)
    if ended.measured == 0:
        click.echo(f"everything is done: {_measurements(ended.planned)} in {ended.folder}; to measure again: --again")
    if ended.outcomes:
        show_run(Path(ended.folder))
    counts = ", ".join(f"{count} {outcome}" for outcome, count in ended.outcomes.items()) or "none"
    remaining = f", {ended.left} remaining: run the same command again to continue" if ended.left else ""
    click.echo(f"{_measurements(ended.planned)} (cases x processes): {counts}{remaining}")
    folder = "" if results == Path("results") else f" --results {shlex.quote(str(results))}"
    if ended.under_way:
        click.echo(f"{ended.under_way} of them are in unfinished jobs; next: daasbench collect {ended.run}{folder}")
    if Outcome.OK in ended.outcomes:
        click.echo(f"records: {ended.folder}\nnext:    daasbench report summary{folder}")


def _measurements(count: int) -> str:
    return f"{count} measurement{'' if count == 1 else 's'}"
