"""What became of a job: a record for every attempt that never came back, and the errand around them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from daasbench.host.clock import utc_now
from daasbench.model import (
    SCHEMA,
    Job,
    JobRecord,
    JobState,
    JobStatus,
    Line,
    Noun,
    Outcome,
    Planned,
    Reason,
    Record,
    sets_of,
)
from daasbench.records.interrupted import interrupted_attempts, was_interrupted
from daasbench.records.layout import LOG_FILE, RECORDS_FILE
from daasbench.records.ledger import Ledger
from daasbench.records.readers import read_lines
from daasbench.worker import ENDED, LAST_WORDS, STARTED, Began, Left

_N = TypeVar("_N", bound=Noun)


def record_missing_results(job: Job, place: Path, status: JobStatus) -> str:
    """Write a record for every attempt that never came back; return a sentence if the job did not do its work.

    A job that was interrupted leaves no record of what it did not begin: that is measured again, and nothing else
    is to be told of it. Where the kernel is to blame (it took all the memory), only the comparison that was being
    measured is; what came after it is left.
    """
    path = place / RECORDS_FILE
    lines = _lines(path)
    missing = _missing(job, lines)
    if not missing:
        return ""
    said = last_words(place / LOG_FILE)
    why = status.message or status.native or "it ended without a word"
    sentence = f"{_beginning(job)}{why}; {len(missing)} of {len(job.planned)} measurements are left" + (
        f": {said}" if said else ""
    )
    blamed = _in_flight(job, missing) if status.reason is Reason.KERNEL else missing
    keys = {one.key for one in blamed}
    settled = {one.key for one in lines if isinstance(one, Record) and _is_ours(one, job)}
    with Ledger(path) as ledger:
        for record in interrupted_attempts(lines, job):
            settled.add(record.key)
            guilty = status.reason is Reason.KERNEL and record.key in keys
            why_ended = {"reason": Reason.KERNEL, "message": sentence} if guilty else {}
            ledger.append(msgspec.structs.replace(record, **why_ended))
        if status.reason not in (None, Reason.INTERRUPTED):
            for one in blamed:
                if one.key not in settled:
                    ledger.append(_never_came(job, one, _attempt(one, lines), status, sentence))
    return sentence


def is_whole(job: Job, place: Path) -> bool:
    """Return whether everything of a job has come back: all that was planned, or a later attempt at it."""
    return not _missing(job, _lines(place / RECORDS_FILE))


def _lines(path: Path) -> list[Line]:
    return read_lines(path).lines if path.exists() else []


def _missing(job: Job, lines: Sequence[Line]) -> list[Planned]:
    """Return what the job's worker left without a record, whether that was accounted for already or not."""
    message: dict[str, int] = {}  # by key: the latest attempt that came to its end
    for one in lines:
        if isinstance(one, Record) and not was_interrupted(one) and not _is_ours(one, job):
            message[one.key] = max(one.attempt, message.get(one.key, 0))
    return [one for one in job.planned if message.get(one.key, 0) < one.attempt]


def _beginning(job: Job) -> str:
    """Return how the sentence begins that we write into the records of what never came back."""
    return f"job {job.id}: "


def _is_ours(record: Record, job: Job) -> bool:
    """Return whether a controller wrote the record, which then was killed before it had noted that."""
    return record.outcome is Outcome.FAILED and record.message.startswith(_beginning(job))


def _attempt(one: Planned, lines: Sequence[Line]) -> int:
    """Return which attempt never came: not one that has its record, of a worker that was killed and begun again."""
    tried = [line.attempt for line in lines if isinstance(line, Record) and line.key == one.key]
    return max([one.attempt, *(attempt + 1 for attempt in tried)])


def _in_flight(job: Job, missing: Sequence[Planned]) -> list[Planned]:
    """Return what is missing of the first comparison that did not end: the one that was being measured."""
    left = {one.key for one in missing}
    first = next(one for one in sets_of(job) if any(planned.key in left for planned in one))
    return [one for one in first if one.key in left]


def _never_came(job: Job, one: Planned, attempt: int, status: JobStatus, sentence: str) -> Record:
    """Return the record of a case that its job did not reach."""
    return Record(
        key=one.key,
        run=job.run,
        job=job.id,
        platform=job.platform_name,
        process=one.process,
        attempt=attempt,
        case=one.case,
        outcome=Outcome.FAILED,
        reason=status.reason,
        message=sentence,
        commit=job.commit,
        started_at=utc_now(),
        schema=SCHEMA,
    )


def last_words(log: Path) -> str:
    """Return the sentence with which a worker ended, if it said one."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.removeprefix(LAST_WORDS) for line in lines if line.startswith(LAST_WORDS)]
    return said[-1] if said else ""


def job_record(
    job: Job, place: Path, status: JobStatus, handle: str, submitted_at: str, message: str, followed_since: str
) -> JobRecord:
    """Return the errand around a job that has ended: what the runner says of it, and what its worker wrote."""
    began, left = _read(place / STARTED, Began), _read_left(place)
    return JobRecord(
        job=job.id,
        platform=job.platform_name,
        handle=handle,
        submitted_at=submitted_at or None,
        queued_at=status.queued_at,
        started_at=status.started_at,
        ended_at=status.ended_at,
        began_at=began.at if began else None,
        left_at=left.at if left else None,
        followed_since=followed_since,
        nodes=status.nodes or max((one.case.nodes for one in job.planned), default=1),
        hosts="" if job.redact else status.hosts,
        state=str(status.state),
        native=status.native,
        exit=status.exit if status.exit is not None else left.exit if left else None,
        bytes_in=status.bytes_in,
        bytes_out=status.bytes_out,
        message=message,
    )


def how_it_ended(place: Path) -> JobStatus | None:
    """Return how a job ended by its worker's own word; None if it left none."""
    left = _read_left(place)
    if left is None:
        return None
    if left.exit == 0:
        return JobStatus(state=JobState.DONE, exit=0, ended_at=left.at)
    message = f"its worker ended with exit code {left.exit}"
    return JobStatus(
        state=JobState.FAILED, reason=Reason.INTERRUPTED, message=message, exit=left.exit, ended_at=left.at
    )


def _read_left(place: Path) -> Left | None:
    """Return when and how the worker of a job ended, by its own word; None if it left none."""
    return _read(place / ENDED, Left)


def _read(path: Path, kind: type[_N]) -> _N | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=kind)
    return None
