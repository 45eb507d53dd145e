"""``daasbench run``."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from daasbench.cli.scenario_options import Asked, results_option
from daasbench.errors import UsageError
from daasbench.model import Outcome

if TYPE_CHECKING:
    from daasbench.model import Request
    from daasbench.scenario.plan import Plan
    from daasbench.study import Preview, RunSummary


@click.command(
    "run",
    short_help="measure a scenario, a kernel, or a kernel of your own",
    epilog="Exit codes: 0 every case is ok or skipped, 1 some case is wrong, failed or timed out; the others: see"
    " daasbench --help.",
)
@click.argument("what", metavar="SCENARIO|KERNEL")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="P",
    help="A platform instead of the scenario's: a name, or a TOML file; may be given several times.",
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
@click.option("--budget", metavar="AMOUNT", help='Refuse if the worst case costs more: "20" or "20 EUR".')
@click.option("--again", is_flag=True, help="Start a new run although this one is done or begun.")
@click.option("--dry-run", is_flag=True, help="Show the requests, expected time and price ceiling; run nothing.")
@click.option("--detach", is_flag=True, help="Send the jobs to their queue and leave; collect brings them back.")
@click.option("--redact", is_flag=True, help="Write no host names into the records.")
@click.option("--yes", is_flag=True, help="Do not ask before a run that costs money.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/reference/json.md).")
def run_command(  # noqa: PLR0913  (click gives every option by its name)
    what: str,
    platforms: tuple[str, ...],
    results: Path,
    input_file: str | None,
    settings: tuple[str, ...],
    budget: str | None,
    again: bool,
    dry_run: bool,
    detach: bool,
    redact: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Measure a SCENARIO (a name, or a path with / or .toml), a KERNEL, or a kernel in a Python file of yours (.py).

    The same command goes on where it was interrupted; when everything is done it measures nothing.

    \b
    daasbench run quickstart
    daasbench run tomography --set cases.sizes=tiny --set repeat.processes=5
    daasbench run ./my_kernel.py --dry-run
    """  # noqa: D301  (the character \b tells click not to fill these lines)
    from daasbench import study
    from daasbench.host.machine import suite_commit

    limit = _amount(budget) if budget is not None else None
    asked = Asked(what)
    asked.set_platforms(platforms)
    asked.set_input(input_file)
    asked.set_values(settings)
    plan = asked.plan()
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

    command = "daasbench " + shlex.join(sys.argv[1:])
    with Shown(quiet=as_json) as shown:
        ended = study.run(
            plan,
            results_folder=results,
            text=asked.text(),
            commit=commit,
            command=command,
            again=again,
            budget=limit,
            redact=redact,
            detach=detach,
            tell=shown.tell,
        )
    with contextlib.suppress(BrokenPipeError):  # the exit code counts, whoever reads
        _tell(ended, plan, results, as_json)
    return ended.exit_code


def _tell(ended: RunSummary, plan: Plan, results: Path, as_json: bool) -> None:
    if as_json:
        rows = _rows(Path(ended.folder))
        facts = {"schema": 1, "exit_code": ended.exit_code, "notes": plan.notes, **msgspec.to_builtins(ended)}
        facts["rows"] = rows
        click.echo(msgspec.json.encode(facts).decode())
    else:
        _show_end(ended, results)


def _amount(text: str) -> tuple[Decimal, str | None]:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]{3})?\s*", text)
    if not match:
        raise UsageError(f"--budget {text!r}: is not an amount; write a number, with a currency if you like: 20 EUR")
    return Decimal(match[1]), match[2].upper() if match[2] else None


def _ask(plan: Plan, yes: bool) -> None:
    priced = [name for name, one in plan.platforms.items() if one.price is not None]
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
    for job, request in preview.requests.items():
        alike = request.jobs or [job]
        named = f"job {job}" if len(alike) == 1 else f"jobs {alike[0]} ... {alike[-1]}, an array of {len(alike)}"
        click.echo(f"\n{named}, by the runner {request.runner}:")
        click.echo(f"  command  {shlex.join(request.command)}")
        expected = [preview.expected_s[one] for one in alike]
        known = [one for one in expected if one is not None]
        message = "unknown: not all of it was measured before"
        if len(known) == len(expected):
            message = f"about {_duration(sum(known))} (from earlier records)"
        click.echo(f"  expected {message}")
        each = "" if len(alike) == 1 else " each"
        longest = max(preview.wall_time_limit_s[one] for one in alike)
        click.echo(f"  at most  {_duration(longest)}{each} (every process at repeat.limit_s)")
        money = [preview.ceiling[one] for one in alike]
        click.echo(f"  ceiling  {money[0] or 'none: the platform declares no price'}{each if money[0] else ''}")
        _show_files(request)


def _show_files(request: Request) -> None:
    """Print the files of a request; of the jobs of an array, those of the first."""
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
        click.echo(f"everything is done: {_measurements(ended.planned)} in {ended.folder}; --again measures anew")
    if ended.outcomes:
        show_run(Path(ended.folder))
    counts = ", ".join(f"{count} {outcome}" for outcome, count in ended.outcomes.items()) or "none"
    left = f", {ended.left} left: the same command goes on" if ended.left else ""
    click.echo(f"{_measurements(ended.planned)} (cases x processes): {counts}{left}")
    if ended.under_way:
        where = "" if results == Path("results") else f" --results {shlex.quote(str(results))}"
        click.echo(f"{ended.under_way} of them are in jobs on the way; next: daasbench collect {ended.run}{where}")
    if Outcome.OK in ended.outcomes:
        where = "" if results == Path("results") else f" --results {shlex.quote(str(results))}"
        click.echo(f"records: {ended.folder}\nnext:    daasbench report summary{where}")


def _measurements(count: int) -> str:
    return f"{count} measurement{'' if count == 1 else 's'}"
