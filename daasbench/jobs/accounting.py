"""The end of a job: records of the attempts that did not return, and the metadata of the job."""

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


def record_missing_results(job: Job, folder: Path, status: JobStatus) -> str:
    """Write a record for every attempt that did not return; return a message if measurements are missing, else "".

    Measurements that an interrupted job had not started get no record: they are measured again. If the kernel ended the
    job (it used all the memory), only the comparison that was being measured gets records; later ones stay pending.
    """
    path = folder / RECORDS_FILE
    lines = _lines(path)
    missing = _missing(job, lines)
    if not missing:
        return ""
    said = last_words(folder / LOG_FILE)
    why = status.message or status.native or "it ended without a message"
    message = f"{_beginning(job)}{why}; {len(missing)} of {_measurements(job)} gave no result"
    message += f": {said}" if said else ""
    blamed = _in_flight(job, missing) if status.reason is Reason.KERNEL else missing
    keys = {planned.key for planned in blamed}
    settled = {line.key for line in lines if isinstance(line, Record) and _is_ours(line, job)}
    with Ledger(path) as ledger:
        for record in interrupted_attempts(lines, job):
            settled.add(record.key)
            guilty = status.reason is Reason.KERNEL and record.key in keys
            why_ended = {"reason": Reason.KERNEL, "message": message} if guilty else {}
            ledger.append(msgspec.structs.replace(record, **why_ended))
        if status.reason not in (None, Reason.INTERRUPTED):
            for planned in blamed:
                if planned.key not in settled:
                    ledger.append(_missing_record(job, planned, _attempt(planned, lines), status, message))
    return message


def _measurements(job: Job) -> str:
    return "1 measurement" if len(job.planned) == 1 else f"{len(job.planned)} measurements"


def is_whole(job: Job, folder: Path) -> bool:
    """Return whether all records of a job have arrived, of the planned attempts or of later ones."""
    return not _missing(job, _lines(folder / RECORDS_FILE))


def _lines(path: Path) -> list[Line]:
    return read_lines(path).lines if path.exists() else []


def _missing(job: Job, lines: Sequence[Line]) -> list[Planned]:
    """Return the measurements without a record of the job's worker, accounted for or not."""
    completed: dict[str, int] = {}  # by key: the latest attempt that ended
    for line in lines:
        if isinstance(line, Record) and not was_interrupted(line) and not _is_ours(line, job):
            completed[line.key] = max(line.attempt, completed.get(line.key, 0))
    return [planned for planned in job.planned if completed.get(planned.key, 0) < planned.attempt]


def _beginning(job: Job) -> str:
    """Return the first words of the message in records that a controller writes."""
    return f"job {job.id}: "


def _is_ours(record: Record, job: Job) -> bool:
    """Return whether a controller wrote the record; it may have been killed before it noted that in the journal."""
    return record.outcome is Outcome.FAILED and record.message.startswith(_beginning(job))


def _attempt(planned: Planned, lines: Sequence[Line]) -> int:
    """Return the number of the missing attempt: later than those that have records, if a worker was restarted."""
    tried = [line.attempt for line in lines if isinstance(line, Record) and line.key == planned.key]
    return max([planned.attempt, *(attempt + 1 for attempt in tried)])


def _in_flight(job: Job, missing: Sequence[Planned]) -> list[Planned]:
    """Return the missing measurements of the comparison that was being measured: the first that did not end."""
    keys = {planned.key for planned in missing}
    first = next(comparison for comparison in sets_of(job) if any(planned.key in keys for planned in comparison))
    return [planned for planned in first if planned.key in keys]


def _missing_record(job: Job, planned: Planned, attempt: int, status: JobStatus, message: str) -> Record:
    """Return the record of a case that its job did not measure."""
    return Record(
        key=planned.key,
        run=job.run,
        job=job.id,
        platform=job.platform_name,
        process=planned.process,
        attempt=attempt,
        case=planned.case,
        outcome=Outcome.FAILED,
        reason=status.reason,
        message=message,
        commit=job.commit,
        started_at=utc_now(),
        schema=SCHEMA,
    )


def last_words(log: Path) -> str:
    """Return the last message of a worker in its log; "" if it wrote none."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.removeprefix(LAST_WORDS) for line in lines if line.startswith(LAST_WORDS)]
    return said[-1] if said else ""


def job_record(  # noqa: PLR0913  (fields of the record, each by its name)
    job: Job, folder: Path, status: JobStatus, handle: str, submitted_at: str, message: str, followed_since: str
) -> JobRecord:
    """Return the metadata of a job that has ended, from its runner and from the files of its worker."""
    began, left = _read(folder / STARTED, Began), _read_left(folder)
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
        nodes=status.nodes or max((planned.case.nodes for planned in job.planned), default=1),
        hosts="" if job.redact else status.hosts,
        state=str(status.state),
        native=status.native,
        exit=status.exit if status.exit is not None else left.exit if left else None,
        bytes_in=status.bytes_in,
        bytes_out=status.bytes_out,
        message=message,
    )


def how_it_ended(folder: Path) -> JobStatus | None:
    """Return how a job ended, by the file of its worker; None without that file."""
    left = _read_left(folder)
    if left is None:
        return None
    if left.exit == 0:
        return JobStatus(state=JobState.DONE, exit=0, ended_at=left.at)
    message = f"its worker ended with exit code {left.exit}"
    return JobStatus(
        state=JobState.FAILED, reason=Reason.INTERRUPTED, message=message, exit=left.exit, ended_at=left.at
    )


def _read_left(folder: Path) -> Left | None:
    return _read(folder / ENDED, Left)


def _read(path: Path, kind: type[_N]) -> _N | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=kind)
    return None
