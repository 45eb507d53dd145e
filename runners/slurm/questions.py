"""What is asked of Slurm, and how its answers are read. Pure.

Array tasks are ``1234_7``. Read and left aside: steps (``1234.batch``) and, of heterogeneous jobs, all but the
first component (``1234+1``); what an array of old Slurms says of its waiting tasks at once (``1234_[1-40%5]``) is
taken apart.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence

from daasbench.errors import DaasbenchError

from .states import SlurmRow

QUEUE_FIELDS = ("JobArrayID", "State", "Reason", "exit_code", "SubmitTime", "StartTime", "EndTime", "NumNodes",
                "NodeList", "Name")  # fmt: skip
FIND_FIELDS = ("JobArrayID", "Name", "WorkDir")
ACCOUNT_FIELDS = ("JobID", "State", "ExitCode", "Submit", "Start", "End", "NNodes", "NodeList", "JobName")
COMPLETED_FIELDS = ("JobID", "State", "End", "NNodes", "NodeList", "JobName")  # all that `sacct -c` has of them
MOST_TASKS = 100_000  # of one array, more than any Slurm allows

_ID = re.compile(r"(?P<job>\d+)(?:\+(?P<component>\d+))?(?:_(?P<task>\d+)|_\[(?P<tasks>[\d,:-]+)(?:%\d+)?\])?")
_SUBMITTED = re.compile(r"(?P<id>\d+)(?:;(?P<cluster>[\w.-]+))?")


class Garbage(DaasbenchError):
    """Slurm answered what nobody understands."""


def _of(cluster: str) -> list[str]:
    return [f"--clusters={cluster}"] if cluster else []


def submit_words(script: str) -> list[str]:
    """Return the command that submits a script."""
    return ["sbatch", "--parsable", script]


def submitted(text: str) -> tuple[str, str]:
    """Return number and cluster ("": the usual one) of the job that sbatch submitted."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    match = _SUBMITTED.fullmatch(lines[-1]) if lines else None
    if match is None:
        raise Garbage(f"sbatch answered {text[:80]!r} instead of the number of a job")
    return match["id"], match["cluster"] or ""


def queue_words(cluster: str) -> list[str]:
    """Return the one question: all jobs of this user, also those that ended in the last minutes."""
    fields = ",".join(f"{name}:|" for name in QUEUE_FIELDS)
    return ["squeue", "--me", "--array", "--noheader", "--states=all", *_of(cluster), f"--Format={fields}"]


def queue(text: str, before: Mapping[str, list[SlurmRow]] | None = None) -> dict[str, list[SlurmRow]]:
    """Return the jobs that each line of squeue's answer names.

    Parameters
    ----------
    before
        What the last answer's lines named: one that is the same is not read again.

    Raises
    ------
    Garbage
        Something stands there that squeue does not say.
    """
    known = before or {}
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("CLUSTER:")]
    return {line: known[line] if line in known else _jobs(line) for line in lines}


def _jobs(line: str) -> list[SlurmRow]:
    fields = [field.strip() for field in line.split("|", len(QUEUE_FIELDS) - 1)]
    if len(fields) != len(QUEUE_FIELDS) or not _ID.fullmatch(fields[0]):
        raise Garbage(f"squeue answered {line[:80]!r}")
    name, state, reason, status, queued, started, ended, nodes, hosts = (*fields[9:], *fields[1:9])
    return [
        SlurmRow(
            id=one,
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
        for one in _ids(fields[0])
    ]


def find_words(cluster: str) -> list[str]:
    """Return the question where jobs of this user began: name and folder."""
    fields = ",".join(f"{name}:|" for name in FIND_FIELDS)
    return ["squeue", "--me", "--array", "--noheader", "--states=all", *_of(cluster), f"--Format={fields}"]


def found(text: str) -> list[tuple[str, str, str]]:
    """Return number (without that of a task), name and folder of each job that squeue names."""
    jobs = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("CLUSTER:"):
            continue
        fields = line.split("|", len(FIND_FIELDS) - 1)
        match = _ID.fullmatch(fields[0].strip())
        if len(fields) != len(FIND_FIELDS) or match is None:
            raise Garbage(f"squeue answered {line[:80]!r}")
        jobs.append((match["job"], fields[1].strip(), fields[2].strip().removesuffix("|")))
    return jobs


def account_words(ids: Sequence[str], cluster: str) -> list[str]:
    """Return the question for jobs that slurmctld has forgotten, where there is accounting."""
    jobs = ",".join(dict.fromkeys(one.split("_")[0] for one in ids))
    fields = ",".join(ACCOUNT_FIELDS)
    return ["sacct", "-X", "--noheader", "--parsable2", *_of(cluster), f"--jobs={jobs}", f"--format={fields}"]


def completed_words(ids: Sequence[str]) -> list[str]:
    """Return the question for them where only a file of completed jobs is kept; it knows no array."""
    fields = ",".join(COMPLETED_FIELDS)
    return ["sacct", "--completion", "--noheader", "--parsable2", f"--jobs={','.join(ids)}", f"--format={fields}"]


def accounts(text: str, fields: Sequence[str] = ACCOUNT_FIELDS) -> dict[str, SlurmRow]:
    """Return the jobs that sacct names; of a job that was put back into the queue, the last of its lives."""
    rows: dict[str, SlurmRow] = {}
    for line in text.splitlines():
        values = [field.strip() for field in line.split("|", len(fields) - 1)]
        if len(values) != len(fields):
            continue
        said = dict(zip(fields, values, strict=True))
        code, _, word = said.get("ExitCode", "").partition(":")
        for one in _ids(said["JobID"]):
            rows[one] = SlurmRow(
                id=one,
                name=said["JobName"],
                state=said["State"],
                code=int(code) if code.isdigit() else None,
                signal=int(word) if word.isdigit() else None,
                queued_at=_time(said.get("Submit", "")),
                started_at=_time(said.get("Start", "")),
                ended_at=_time(said.get("End", "")),
                nodes=int(said["NNodes"]) if said["NNodes"].isdigit() else None,
                hosts="" if said["NodeList"] == "None assigned" else said["NodeList"],
            )
    return rows


def cancel_words(ids: Sequence[str], cluster: str) -> list[str]:
    """Return the command that ends jobs."""
    return ["scancel", *_of(cluster), *ids]


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
                raise Garbage(f"squeue names an array of more than {MOST_TASKS} tasks: {text[:40]!r}")
            yield f"{match['job']}_{task}"


def _time(text: str) -> str | None:
    """Return a time as UTC, ISO 8601; the question was asked with TZ=UTC. None: there is none."""
    try:
        return datetime.datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except ValueError:  # N/A, Unknown, None
        return None


__all__ = [
    "COMPLETED_FIELDS",
    "Garbage",
    "account_words",
    "accounts",
    "cancel_words",
    "completed_words",
    "find_words",
    "found",
    "queue",
    "queue_words",
    "submit_words",
    "submitted",
]
