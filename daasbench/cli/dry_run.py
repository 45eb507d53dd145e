"""What ``--dry-run`` prints: the cases, how long they may take, and what they may cost."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from daasbench.cli.figures import span
from daasbench.cli.names import counted, input_of, options_of, resources, skip_reason
from daasbench.host.installation import one_command

if TYPE_CHECKING:
    from daasbench.jobs.preview import Forecast
    from daasbench.model import Request
    from daasbench.study import Preview


def show_preview(preview: Preview, *, files: bool, most: int | None = None) -> None:
    """Print a preview; with `files` also the command and the files of each job.

    `most` is the largest number of processes per case, if it depends on what they measure.
    """
    jobs = counted(len(preview.wall_time_limit_s), "job")
    click.echo(f"{counted(preview.cells, 'case')} in {jobs}; nothing is run")
    fixes: dict[str, None] = {}
    several = len({one.platform for one in preview.cases}) > 1
    rows: dict[str, list[tuple[Forecast, tuple[str, str, str]]]] = {}
    for one in preview.cases:
        rows.setdefault(one.case.problem_id, []).append((one, _cells(one, several, fixes)))
    widths = [
        max((len(cells[column]) for found in rows.values() for _, cells in found), default=0) for column in (0, 1)
    ]
    for found in rows.values():
        case = found[0][0].case
        click.echo(f"\n{', '.join(filter(None, (case.kernel, input_of(case), options_of(case))))}")
        for _, (name, processes, time) in found:
            click.echo(f"  {name.ljust(widths[0])}  {processes.ljust(widths[1])}  {time}".rstrip())
    if install := one_command(fixes):
        click.echo(f"\nTo install what is missing: {install}")
    click.echo(f"\ntime: {_time(preview.cases)}")
    if most is not None:
        click.echo(f"Up to {most} processes per case are measured: as many as the answers need.")
    for name, request in preview.requests.items():
        _show_job(name, request, preview, files=files)
    if not files and preview.requests:
        click.echo("\nTo see the commands and files of the jobs: add --files")


def _cells(one: Forecast, with_platform: bool, fixes: dict[str, None]) -> tuple[str, str, str]:
    """Return name, processes and time of a case."""
    name = f"{one.case.implementation} ({resources(one.case)})" + (f" on {one.platform}" if with_platform else "")
    if one.missing:
        return name, "skipped", skip_reason(one.missing, fixes)
    each = _about(one.expected_s) if one.expected_s is not None else f"at most {span(one.limit_s)}"
    return name, counted(one.processes, "process"), each + (" each" if one.processes > 1 else "")


def _about(seconds: float) -> str:
    return f"about {span(seconds)}" if seconds >= 1 else span(seconds)


def _time(cases: Sequence[Forecast]) -> str:
    """Return the estimate of the measuring time, and where it comes from."""
    wanted = [one for one in cases if not one.missing]
    known = [one for one in wanted if one.expected_s is not None]
    if not wanted:
        return "none: nothing is to be measured"
    about = _about(sum(one.processes * (one.expected_s or 0.0) for one in known))
    most = span(sum(one.processes * one.limit_s for one in wanted if one.expected_s is None))
    source = "by earlier records of these cases"
    if len(known) == len(wanted):
        return f"{about} ({source})"
    if not known:
        return f"at most {most}; most cases need far less (never measured before; repeat.limit_s is the limit)"
    return f"{about} for {counted(len(known), 'case')} ({source}), at most {most} for the others (repeat.limit_s)"


def _show_job(name: str, request: Request, preview: Preview, *, files: bool) -> None:
    jobs = request.jobs or [name]
    title = f"job {name}" if len(jobs) == 1 else f"jobs {jobs[0]} ... {jobs[-1]}, an array of {len(jobs)}"
    each = "" if len(jobs) == 1 else " each"
    longest, price = max(preview.wall_time_limit_s[job] for job in jobs), preview.ceiling[jobs[0]]
    if request.jobs or price or files:
        click.echo(f"\n{title} (runner {request.runner})")
    if request.jobs or price:
        click.echo(f"  time limit {span(longest)}{each}: every process may use all of repeat.limit_s")
        click.echo(f"  price      {f'at most {price}{each}' if price else 'the platform declares none'}")
    if files:
        click.echo(f"  command    {shlex.join(request.command)}")
        _show_files(request)


def _show_files(request: Request) -> None:
    """Print the files of a request; for an array of jobs, those of the first job."""
    others = tuple(f"{job}/" for job in request.jobs[1:])
    for name, text in request.files.items():
        if not name.startswith(others):
            click.echo(f"  file {name}:")
            click.echo("".join(f"    {line}\n" for line in text.splitlines()), nl=False)
    if others:
        click.echo(f"  and the same files of {counted(len(others), 'more job')}; --json prints them too")
