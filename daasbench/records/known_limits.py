"""Limits of machines that earlier jobs measured into a results folder, and whether they may be used again."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import msgspec

from daasbench.errors import LedgerError
from daasbench.model import Job, Limits, LimitsRule
from daasbench.records.layout import JOBS_FOLDER, RECORDS_FILE, RUNS_FOLDER
from daasbench.records.lines import Parser, lines_of

FOREIGN = 0.05  # share of the usable processors, used by other programs, above which limits are not used again
MOST = 16  # lines that a job receives, such as two numbers of threads on eight nodes
_HEADS = (b'{"type":"machine"', b'{"type":"limits"')  # a job writes these lines before all others


def with_known_limits(jobs: Sequence[Job], results: Path, now: str) -> list[Job]:
    """Return the jobs of one run, each with the limits below a results folder that it may use."""
    if not jobs:
        return []
    counts = [{planned.case.cores_per_node for planned in job.planned} for job in jobs]
    known = known_limits(results, set().union(*counts), jobs[0].limits, now)
    return [
        msgspec.structs.replace(job, known_limits=[line for line in known if line.threads in mine][:MOST])
        for job, mine in zip(jobs, counts, strict=True)
    ]


def known_limits(results: Path, threads: Collection[int], rule: LimitsRule, now: str) -> list[Limits]:
    """Return the limits for these numbers of threads that may be used again, the newest first, each once."""
    if not rule.max_age_days:
        return []
    found: dict[str, Limits] = {}
    for path in results.glob(f"{RUNS_FOLDER}/*/{JOBS_FOLDER}/*/{RECORDS_FILE}"):
        origin = f"{path.parents[2].name}/{path.parent.name}"
        for line in _limits_in(path):
            if line.threads in threads and is_reusable(line, rule, now):
                found[line.id] = line if line.reused_from else msgspec.structs.replace(line, reused_from=origin)
    return sorted(found.values(), key=lambda line: (line.measured_at, line.id), reverse=True)


def is_reusable(limits: Limits, rule: LimitsRule, now: str) -> bool:
    """Return whether limits may be used by another job: complete, measured undisturbed, and recent enough."""
    if limits.failed or not limits.conditions or limits.foreign is None or limits.foreign > FOREIGN:
        return False
    try:
        age = datetime.datetime.fromisoformat(now) - datetime.datetime.fromisoformat(limits.measured_at)
    except ValueError:
        return False
    return datetime.timedelta(0) <= age <= datetime.timedelta(days=rule.max_age_days)


def chosen(known: Sequence[Limits], threads: int, conditions: str) -> Limits | None:
    """Return the newest limits for `threads` threads that were measured under these conditions."""
    return next((line for line in known if (line.threads, line.conditions) == (threads, conditions)), None)


def _limits_in(path: Path) -> Iterator[Limits]:
    """Yield the limits at the head of a file; whatever cannot be read is measured again."""
    parser: Parser[Limits] = Parser(Limits)
    try:
        for _, text in lines_of(path):
            if not text.startswith(_HEADS):
                return
            line = parser.parse(text, path)
            if line is not None:
                yield line
    except LedgerError:
        return
