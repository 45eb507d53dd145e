"""The commands of Slurm, and how their output is parsed. Pure.

Tasks of an array are ``1234_7``. Steps (``1234.batch``) and, of heterogeneous jobs, all components but the first
(``1234+1``) are ignored; the waiting tasks that an old Slurm prints as one line (``1234_[1-40%5]``) are expanded.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence

from daasbench.errors import DaasbenchError

from .states import SlurmRow

QUEUE_FIELDS = ("JobArrayID", "State", "Reason", "exit_code", "SubmitTime", "StartTime", "EndTime", "NumNodes",
                "NodeList", "Name")  # fmt: skip
LOCATION_FIELDS = ("JobArrayID", "Name", "WorkDir")
ACCOUNTING_FIELDS = ("JobID", "State", "ExitCode", "Submit", "Start", "End", "NNodes", "NodeList", "JobName")
COMPLETION_FIELDS = ("JobID", "State", "End", "NNodes", "NodeList", "JobName")  # all that `sacct -c` knows
MOST_TASKS = 100_000  # tasks of one array, more than any Slurm allows

_ID = re.compile(r"(?P<job>\d+)(?:\+(?P<component>\d+))?(?:_(?P<task>\d+)|_\[(?P<tasks>[\d,:-]+)(?:%\d+)?\])?")
_SUBMITTED = re.compile(r"(?P<id>\d+)(?:;(?P<cluster>[\w.-]+))?")


class UnexpectedOutput(DaasbenchError):
    """The output of a Slurm command does not have the expected form."""


def _clusters(cluster: str) -> list[str]:
    return [f"--clusters={cluster}"] if cluster else []


# --- sbatch and scancel -----------------------------------------------------------------------------------------


def submit_command(script: str) -> list[str]:
    """Return the command that submits a script."""
    return ["sbatch", "--parsable", script]


def submitted_job(text: str) -> tuple[str, str]:
    """Return number and cluster ("": the default one) of the job that sbatch submitted."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    match = _SUBMITTED.fullmatch(lines[-1]) if lines else None
    if match is None:
        raise UnexpectedOutput(f"sbatch printed {text[:80]!r} instead of the number of a job")
    return match["id"], match["cluster"] or ""


def cancel_command(ids: Sequence[str], cluster: str) -> list[str]:
    """Return the command that cancels jobs."""
    return ["scancel", *_clusters(cluster), *ids]


# --- squeue -----------------------------------------------------------------------------------------------------


def _squeue(cluster: str, fields: Sequence[str]) -> list[str]:
    """Return the query for all jobs of this user, also those that ended in the last minutes."""
    form = ",".join(f"{name}:|" for name in fields)
    return ["squeue", "--me", "--array", "--noheader", "--states=all", *_clusters(cluster), f"--Format={form}"]


def queue_command(cluster: str) -> list[str]:
    """Return the query for the states of all jobs of this user."""
    return _squeue(cluster, QUEUE_FIELDS)


def queue_rows(text: str, before: Mapping[str, list[SlurmRow]] | None = None) -> dict[str, list[SlurmRow]]:
    """Return the jobs that each line of squeue's output names.

    Parameters
    ----------
    before
        The result for the previous output: a line that is the same is not parsed again.

    Raises
    ------
    UnexpectedOutput
        A line does not have the form that squeue prints.
    """
    known = before or {}
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("CLUSTER:")]
    return {line: known[line] if line in known else _queue_line(line) for line in lines}


def _queue_line(line: str) -> list[SlurmRow]:
    fields = [field.strip() for field in line.split("|", len(QUEUE_FIELDS) - 1)]
    if len(fields) != len(QUEUE_FIELDS) or not _ID.fullmatch(fields[0]):
        raise UnexpectedOutput(f"squeue printed {line[:80]!r}, which daasbench cannot parse")
    name, state, reason, status, queued, started, ended, nodes, hosts = (*fields[9:], *fields[1:9])
    return [
        SlurmRow(
            id=job_id,
            name=name.removesuffix("|").strip(),
            state=state,
            reason=reason,
            code=int(status) >> 8 if status.isdigit() else None,
            signal=int(status) & 127 if status.isdigit() else None,
            queued_at=_time(queued),
            started_at=_time(started),
            ended_at=_time(ended),
            nodes=int(nodes) if nodes.isdigit() else None,
            hosts=hosts,
        )
        for job_id in _ids(fields[0])
    ]


def locations_command(cluster: str) -> list[str]:
    """Return the query for name and folder of all jobs of this user."""
    return _squeue(cluster, LOCATION_FIELDS)


def job_locations(text: str) -> list[tuple[str, str, str]]:
    """Return number (without that of a task), name and folder of each job that squeue names."""
    jobs = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("CLUSTER:"):
            continue
        fields = line.split("|", len(LOCATION_FIELDS) - 1)
        match = _ID.fullmatch(fields[0].strip())
        if len(fields) != len(LOCATION_FIELDS) or match is None:
            raise UnexpectedOutput(f"squeue printed {line[:80]!r}, which daasbench cannot parse")
        jobs.append((match["job"], fields[1].strip(), fields[2].strip().removesuffix("|")))
    return jobs


# --- sacct ------------------------------------------------------------------------------------------------------


def accounting_command(ids: Sequence[str], cluster: str) -> list[str]:
    """Return the query for jobs that slurmctld no longer knows, if there is accounting."""
    jobs = ",".join(dict.fromkeys(job_id.split("_")[0] for job_id in ids))
    fields = ",".join(ACCOUNTING_FIELDS)
    return ["sacct", "-X", "--noheader", "--parsable2", *_clusters(cluster), f"--jobs={jobs}", f"--format={fields}"]


def completion_command(ids: Sequence[str]) -> list[str]:
    """Return the query for them if Slurm keeps only a file of completed jobs, which has no arrays."""
    fields = ",".join(COMPLETION_FIELDS)
    return ["sacct", "--completion", "--noheader", "--parsable2", f"--jobs={','.join(ids)}", f"--format={fields}"]


def accounting_rows(text: str, fields: Sequence[str] = ACCOUNTING_FIELDS) -> dict[str, SlurmRow]:
    """Return the jobs that sacct names; of a job that was requeued, its last execution."""
    rows: dict[str, SlurmRow] = {}
    for line in text.splitlines():
        values = [field.strip() for field in line.split("|", len(fields) - 1)]
        if len(values) != len(fields):
            continue
        named = dict(zip(fields, values, strict=True))
        code, _, signal = named.get("ExitCode", "").partition(":")
        for job_id in _ids(named["JobID"]):
            rows[job_id] = SlurmRow(
                id=job_id,
                name=named["JobName"],
                state=named["State"],
                code=int(code) if code.isdigit() else None,
                signal=int(signal) if signal.isdigit() else None,
                queued_at=_time(named.get("Submit", "")),
                started_at=_time(named.get("Start", "")),
                ended_at=_time(named.get("End", "")),
                nodes=int(named["NNodes"]) if named["NNodes"].isdigit() else None,
                hosts="" if named["NodeList"] == "None assigned" else named["NodeList"],
            )
    return rows


# --- fields -----------------------------------------------------------------------------------------------------


def _ids(text: str) -> Iterator[str]:
    """Yield the jobs that an id of Slurm's names: none for a step or another component, many for waiting tasks."""
    match = _ID.fullmatch(text)
    if match is None or match["component"] not in (None, "0"):
        return
    if match["tasks"] is None:
        yield match["job"] if match["task"] is None else f"{match['job']}_{match['task']}"
        return
    count = 0
    for part in match["tasks"].split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        for task in range(int(first), int(last or first) + 1, int(step or 1)):
            count += 1
            if count > MOST_TASKS:
                raise UnexpectedOutput(f"squeue names an array of more than {MOST_TASKS} tasks: {text[:40]!r}")
            yield f"{match['job']}_{task}"


def _time(text: str) -> str | None:
    """Return a time as UTC, ISO 8601, because Slurm was queried with TZ=UTC; None if there is none."""
    try:
        return datetime.datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except ValueError:  # N/A, Unknown, None
        return None
