"""``daasbench status``, ``collect`` and ``cancel``: the runs of a results folder, and their queued jobs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
import msgspec

from daasbench.cli.completion import complete_run
from daasbench.cli.log import chosen
from daasbench.cli.names import command
from daasbench.cli.options import DEFAULT_FOLDER, json_option, no_runs, results_option
from daasbench.cli.tables import print_json, show_table
from daasbench.errors import DaasbenchError, Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from daasbench.records.run_folder import RunFolder
    from daasbench.study import RunSummary


WAITING = ("pending", "running", "unknown", "")  # states of a job whose records cannot be fetched yet

_run_argument = click.argument("run", required=False, shell_complete=complete_run)


@click.command("status")
@_run_argument
@results_option
@click.option("-v", "--verbose", is_flag=True, help="Show the full handle of each job.")
@json_option
def status_command(run: str | None, results: Path, verbose: bool, as_json: bool) -> None:
    """List the runs of a results folder: how much is done, and which process holds a run.

    RUN is the name of a run, or a part of it. The scheduler is asked for the state of queued jobs.
    """
    rows = [_run_row(folder) for folder in _runs(run, results, as_json)]
    if as_json:
        print_json({"schema": 1, "runs": rows})
        return
    show_table(("run", "state", "done", "outcomes", "held by"), [_status_cells(row) for row in rows])
    jobs = [[row["run"], *_job_cells(job, verbose)] for row in rows for job in row["jobs"]]
    if not jobs:
        return
    click.echo()
    show_table(("run", "job", "job in the queue", "state", "reason"), jobs)
    if ended := sum(bool(job["handle"]) and job["state"] not in WAITING for row in rows for job in row["jobs"]):
        noun = "1 job has" if ended == 1 else f"{ended} jobs have"
        click.echo(f"\n{noun} ended; to fetch the records: {command('collect', results=results)}")


@click.command("collect")
@_run_argument
@results_option
@click.option("--wait", is_flag=True, help="Wait until every job has ended.")
@json_option
def collect_command(run: str | None, results: Path, wait: bool, as_json: bool) -> int:
    """Fetch the records of the queued jobs of a run, or of all runs.

    RUN is the name of a run, or a part of it. The command may be repeated. Its exit code is 3 while jobs or
    measurements are unfinished; otherwise it is that of daasbench run.
    """
    from daasbench import study
    from daasbench.cli.progress import Shown

    with Shown(quiet=as_json) as shown:
        ended, failed = _each(
            _runs(run, results, as_json), run, lambda folder: study.collect(folder, wait=wait, tell=shown.tell)
        )
    return _show(ended, failed, as_json)


@click.command("cancel")
@_run_argument
@results_option
@json_option
def cancel_command(run: str | None, results: Path, as_json: bool) -> int:
    """Cancel the queued jobs of a run, or of all runs.

    RUN is the name of a run, or a part of it. Records that were measured are kept. A job on this machine ends
    with the command that started it: press Ctrl-C in its terminal. Exit code 0: no job remains.
    """
    from daasbench import study

    ended, failed = _each(_runs(run, results, as_json), run, study.cancel)
    _show(ended, failed, as_json)
    return 3 if failed or any(summary.under_way for summary in ended) else 0


def _runs(run: str | None, results: Path, as_json: bool) -> list[RunFolder]:
    """Return the runs of a results folder, or the named run.

    Raises
    ------
    UsageError
        If there is no such run, or several match; if there are no runs, except where JSON can say so.
    """
    from daasbench.records.runs import runs

    folders = runs(results)
    if run is not None and not folders:
        raise no_runs(results)
    if run is not None:
        name = chosen("run", run, [folder.id for folder in folders], f"--results {results}")
        return [folder for folder in folders if folder.id == name]
    if not folders and not (as_json and (results.is_dir() or results == DEFAULT_FOLDER)):
        raise no_runs(results)
    return folders


def _each(
    folders: list[RunFolder], run: str | None, act: Callable[[RunFolder], RunSummary]
) -> tuple[list[RunSummary], list[str]]:
    """Return the summaries of the runs after `act`, and the errors of the runs where it failed.

    Raises
    ------
    DaasbenchError
        If it fails for the named run.
    """
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
        print_json({"schema": 1, "exit_code": code, "runs": rows, "left_out": failed})
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


def _job_cells(job: dict[str, Any], verbose: bool) -> list[str]:
    handle = job["handle"] if verbose else short_handle(job["handle"])
    return [job["job"], handle, job["native"] or job["state"], job["why"]]


def short_handle(handle: str) -> str:
    """Return the number of a job and its host, as a person names them; the handle itself where it has no number."""
    parts = urlsplit(handle)
    number = parts.path.strip("/").rpartition("/")[2]
    host = parts.netloc.rpartition("@")[2]
    return (f"{number} on {host}" if host else number) or handle


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
