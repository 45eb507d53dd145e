"""``daasbench status``, ``collect`` and ``cancel``: the runs of a results folder, and their queued jobs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from daasbench.cli.options import json_option, results_option
from daasbench.cli.tables import show_table
from daasbench.errors import DaasbenchError, Unfinished, UsageError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from daasbench.records.run_folder import RunFolder
    from daasbench.study import RunSummary


@click.command("status", short_help="list runs, their state and their queued jobs")
@click.argument("run", required=False)
@results_option
@json_option
def status_command(run: str | None, results: Path, as_json: bool) -> None:
    """List the runs of a results folder, or one RUN: how much is done, and which process holds it.

    For queued jobs, show the scheduler's own state and reason.
    """
    rows = [_run_row(folder) for folder in _runs(run, results)]
    if as_json:
        click.echo(msgspec.json.encode({"schema": 1, "runs": rows}).decode())
        return
    show_table(("run", "state", "done", "outcomes", "held by"), [_status_cells(row) for row in rows])
    jobs = [[row["run"], *_job_cells(job)] for row in rows for job in row["jobs"]]
    if jobs:
        click.echo()
        show_table(("run", "job", "handle", "state", "why"), jobs)


@click.command("collect", short_help="fetch the records of queued jobs")
@click.argument("run", required=False)
@results_option
@click.option("--wait", is_flag=True, help="Wait until every job has ended.")
@json_option
def collect_command(run: str | None, results: Path, wait: bool, as_json: bool) -> int:
    """Fetch the records of the queued jobs of RUN; without RUN, of every run that has queued jobs.

    May be called repeatedly. Exit codes: 3 while jobs or measurements are unfinished; else as of run.
    """
    from daasbench import study
    from daasbench.cli.progress import Shown

    with Shown(quiet=as_json) as shown:
        ended, failed = _each(run, results, lambda folder: study.collect(folder, wait=wait, tell=shown.tell))
    return _show(ended, failed, as_json)


@click.command("cancel", short_help="cancel queued jobs; their records are kept")
@click.argument("run", required=False)
@results_option
@json_option
def cancel_command(run: str | None, results: Path, as_json: bool) -> int:
    """Cancel the queued jobs of RUN; without RUN, those of every run. Records that were measured are kept.

    Jobs of this machine end with the command that started them: press Ctrl-C in its terminal. Exit code 0: no job
    remains.
    """
    from daasbench import study

    ended, failed = _each(run, results, study.cancel)
    _show(ended, failed, as_json)
    return 3 if failed or any(summary.under_way for summary in ended) else 0


def _runs(run: str | None, results: Path) -> list[RunFolder]:
    """Return the runs of a results folder, or the named run."""
    from daasbench.records.runs import runs

    folders = runs(results)
    if not folders:
        raise UsageError(f"{results}: holds no runs; measure with: daasbench run quickstart --results {results}")
    if run is None:
        return folders
    named = [folder for folder in folders if folder.id == run]
    if not named:
        raise unknown("run", run, [folder.id for folder in folders])
    return named


def _each(run: str | None, results: Path, act: Callable[[RunFolder], RunSummary]) -> tuple[list[RunSummary], list[str]]:
    """Return the summaries of the runs after `act`, and the errors of the runs where it failed.

    Raises
    ------
    DaasbenchError
        If it fails for the named run.
    """
    folders = _runs(run, results)
    if run is not None:
        return [act(folder) for folder in folders], []
    ended, failed = [], []
    for folder in filter(_has_queued_jobs, folders):
        try:
            ended.append(act(folder))
        except Unfinished as error:
            failed.append(str(error))
    return ended, failed


def _has_queued_jobs(folder: RunFolder) -> bool:
    """Return whether a run has unfinished jobs that outlive its controller."""
    from daasbench import registry
    from daasbench.contracts import Queue

    names = {str(event.detail.get("runner") or "") for event in folder.unsettled().values()}
    return any(isinstance(registry.runner(name), Queue) for name in names if name in registry.names("runners"))


def _show(ended: list[RunSummary], failed: list[str], as_json: bool) -> int:
    """Print the summaries of runs; return the worst of their exit codes, unfinished before failed."""
    code = max([*(summary.exit_code for summary in ended), *([3] if failed else [])], default=0)
    if as_json:
        rows = [{"exit_code": summary.exit_code, **msgspec.to_builtins(summary)} for summary in ended]
        facts = {"schema": 1, "exit_code": code, "runs": rows, "left_out": failed}
        click.echo(msgspec.json.encode(facts).decode())
        return code
    for message in failed:
        click.echo(f"note: {message}", err=True)
    if not ended and not failed:
        click.echo("no unfinished jobs")
    for summary in ended:
        for message in summary.messages:
            click.echo(f"note: {message}", err=True)
        outcomes = ", ".join(f"{count} {name}" for name, count in summary.outcomes.items()) or "none"
        queued = f", {summary.under_way} in unfinished jobs" if summary.under_way else ""
        click.echo(f"{summary.run}: {summary.planned} measurements: {outcomes}; {summary.left} remaining{queued}")
    return code


def _jobs_of(folder: RunFolder) -> list[dict[str, Any]]:
    """Return the queued jobs of a run, with their present state according to the scheduler."""
    from daasbench import registry
    from daasbench.contracts import Queue

    sent = folder.unsettled()
    runners: dict[str, Any] = {}
    rows = []
    for job in folder.jobs() if sent else ():
        if job.id not in sent:
            continue
        row = {"job": job.id, "platform": job.platform_name, "handle": "", "state": "", "native": "", "why": ""}
        with contextlib.suppress(DaasbenchError):
            runners.setdefault(job.platform.runner, registry.runner(job.platform.runner))
        runner = runners.get(job.platform.runner)
        if not isinstance(runner, Queue):
            continue
        row["handle"] = str(sent[job.id].detail.get("handle") or "")
        if not row["handle"]:
            row |= {
                "state": "lost",
                "why": "it is unknown whether the job was submitted; to find out: daasbench collect",
            }
        else:
            try:
                status = runner.poll(row["handle"])
                row |= {"state": str(status.state), "native": status.native, "why": status.message}
            except DaasbenchError as error:
                row |= {"state": "unknown", "why": str(error)}
        rows.append(row)
    return rows


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
