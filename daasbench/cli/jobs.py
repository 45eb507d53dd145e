"""``daasbench status``, ``collect`` and ``cancel``: the runs of a results folder, and their jobs in queues."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from daasbench.cli.scenario_options import results_option
from daasbench.cli.tables import json_option, show_table
from daasbench.errors import DaasbenchError, Unfinished, UsageError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from daasbench.records.run_folder import RunFolder
    from daasbench.study import RunSummary


@click.command("status", short_help="the runs of a results folder, who is at work on them, and their jobs in queues")
@click.argument("run", required=False)
@results_option
@json_option
def status_command(run: str | None, results: Path, as_json: bool) -> None:
    """Show every run of a results folder, or one RUN: what is done, what is left, who is at work on it.

    Of jobs in a queue the scheduler is asked: its own word for their state, and why they wait.
    """
    rows = [_run_row(one) for one in _found(run, results)]
    if as_json:
        click.echo(msgspec.json.encode({"schema": 1, "runs": rows}).decode())
        return
    show_table(("run", "state", "done", "outcomes", "held by"), [_status_cells(row) for row in rows])
    jobs = [[row["run"], *_job_cells(job)] for row in rows for job in row["jobs"]]
    if jobs:
        click.echo()
        show_table(("run", "job", "handle", "state", "why"), jobs)


@click.command("collect", short_help="bring back the records of jobs that were sent to a queue")
@click.argument("run", required=False)
@results_option
@click.option("--wait", is_flag=True, help="Wait until every job has ended.")
@json_option
def collect_command(run: str | None, results: Path, wait: bool, as_json: bool) -> int:
    """Bring back the records of the jobs that RUN sent to a queue; without RUN, of every run that has such jobs.

    May be called again and again. Exit codes: 3 while jobs are on the way or measurements are left; else as of run.
    """
    from daasbench import study
    from daasbench.cli.progress import Shown

    with Shown(quiet=as_json) as shown:
        ended, left_out = _each(run, results, lambda one: study.collect(one, wait=wait, tell=shown.tell))
    return _show(ended, left_out, as_json)


@click.command("cancel", short_help="end the jobs that were sent to a queue; what they measured is kept")
@click.argument("run", required=False)
@results_option
@json_option
def cancel_command(run: str | None, results: Path, as_json: bool) -> int:
    """End the jobs that RUN sent to a queue; without RUN, those of every run. What they measured is kept.

    Jobs of this machine end with the command that started them: Ctrl-C there. Exit code 0: no job is left.
    """
    from daasbench import study

    ended, left_out = _each(run, results, study.cancel)
    _show(ended, left_out, as_json)
    return 3 if left_out or any(one.under_way for one in ended) else 0


def _found(run: str | None, results: Path) -> list[RunFolder]:
    """Return the runs of a results folder, or the one that is named."""
    from daasbench.records.runs import runs

    found = runs(results)
    if not found:
        raise UsageError(f"{results}: holds no runs; measure with: daasbench run quickstart --results {results}")
    if run is None:
        return found
    if not any(one.id == run for one in found):
        raise unknown("run", run, [one.id for one in found])
    return [one for one in found if one.id == run]


def _each(run: str | None, results: Path, act: Callable[[RunFolder], RunSummary]) -> tuple[list[RunSummary], list[str]]:
    """Return how the runs stand after `act`, and why it could not be done to others: one does not stop the next.

    Raises
    ------
    DaasbenchError
        It cannot be done to the one that was named.
    """
    found = _found(run, results)
    if run is not None:
        return [act(one) for one in found], []
    ended, left_out = [], []
    for one in filter(_has_jobs, found):
        try:
            ended.append(act(one))
        except Unfinished as error:
            left_out.append(str(error))
    return ended, left_out


def _has_jobs(folder: RunFolder) -> bool:
    """Return whether a run has jobs on the way that outlive its controller."""
    from daasbench import registry

    names = {str(event.detail.get("runner") or "") for event in folder.unsettled().values()}
    return any(registry.runner(name).outlives for name in names if name in registry.names("runners"))


def _show(ended: list[RunSummary], left_out: list[str], as_json: bool) -> int:
    """Print how runs stand; return the worst of their exit codes, unfinished before failed."""
    code = max([*(one.exit_code for one in ended), *([3] if left_out else [])], default=0)
    if as_json:
        facts = [{"exit_code": one.exit_code, **msgspec.to_builtins(one)} for one in ended]
        summary = {"schema": 1, "exit_code": code, "runs": facts, "left_out": left_out}
        click.echo(msgspec.json.encode(summary).decode())
        return code
    for sentence in left_out:
        click.echo(f"note: {sentence}", err=True)
    if not ended and not left_out:
        click.echo("no job is on the way")
    for one in ended:
        for message in one.messages:
            click.echo(f"note: {message}", err=True)
        outcomes = ", ".join(f"{count} {name}" for name, count in one.outcomes.items()) or "none"
        implementation = f", {one.under_way} in jobs on the way" if one.under_way else ""
        click.echo(f"{one.run}: {one.planned} measurements: {outcomes}; {one.left} left{implementation}")
    return code


def _jobs_of(folder: RunFolder) -> list[dict[str, Any]]:
    """Return the jobs of a run that are on the way, with what their scheduler says of them now."""
    from daasbench import registry

    sent = folder.unsettled()
    runners: dict[str, Any] = {}
    found = []
    for job in folder.jobs() if sent else ():
        if job.id not in sent:
            continue
        row = {"job": job.id, "platform": job.platform_name, "handle": "", "state": "", "native": "", "why": ""}
        with contextlib.suppress(DaasbenchError):
            runners.setdefault(job.platform.runner, registry.runner(job.platform.runner))
        runner = runners.get(job.platform.runner)
        if runner is None or not runner.outlives:
            continue
        row["handle"] = str(sent[job.id].detail.get("handle") or "")
        if not row["handle"]:
            row |= {"state": "lost", "why": "it is not known whether it arrived: daasbench collect asks"}
        else:
            try:
                status = runner.poll(row["handle"])
                row |= {"state": str(status.state), "native": status.native, "why": status.message}
            except DaasbenchError as error:
                row |= {"state": "unknown", "why": str(error)}
        found.append(row)
    return found


def _job_cells(job: dict[str, Any]) -> list[str]:
    return [job["job"], job["handle"], job["native"] or job["state"], job["why"]]


def _run_row(folder: Any) -> dict[str, Any]:
    from collections import Counter

    from daasbench.records.progress import progress

    keys, planned = folder.asked()
    outcomes = progress(folder.path).outcomes
    counts = Counter(str(outcomes[key]) for key in keys if key in outcomes)
    holder = folder.holder()
    done = folder.finished() and counts.total() == planned
    return {
        "run": folder.id,
        "state": "running" if holder else "finished" if done else "unfinished",
        "planned": planned,
        "done": counts.total(),
        "outcomes": dict(sorted(counts.items())),
        "jobs": _jobs_of(folder),
        "held_by": {"process": holder.pid, "host": holder.host, "since": holder.since} if holder else None,
    }


def _status_cells(row: dict[str, Any]) -> list[str]:
    outcomes = ", ".join(f"{count} {name}" for name, count in row["outcomes"].items())
    held = "process {process} on {host} since {since}".format(**row["held_by"]) if row["held_by"] else ""
    return [row["run"], row["state"], f"{row['done']}/{row['planned']}", outcomes, held]
