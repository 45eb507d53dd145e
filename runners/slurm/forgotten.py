"""Find out how jobs ended that slurmctld no longer knows: from the accounting, or from the files of their workers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import msgspec

from daasbench.model import JobState, JobStatus, Noun, Reason
from daasbench.worker import ENDED, STARTED, Began, Left

from . import commands
from .handle import SlurmHandle
from .states import AGAIN, SlurmRow, status_of
from .transport import Transport

_N = TypeVar("_N", bound=Noun)


class ForgottenJobs:
    """Finds out how jobs ended that are missing in Slurm's answer; a job without a trace is lost after `grace_s`."""

    def __init__(self, transport: Transport, cluster: str, grace_s: float, answer_s: float) -> None:
        self.transport, self.cluster, self.grace_s, self.answer_s = transport, cluster, grace_s, answer_s
        self._missing_since: dict[str, float] = {}
        self._accounting = True  # until Slurm answers that there is none

    def found_again(self, handle: SlurmHandle) -> None:
        """Note that Slurm knows a job."""
        self._missing_since.pop(handle.id, None)

    def statuses(
        self,
        missing: Sequence[SlurmHandle],
        known: Mapping[str, JobStatus],
        rows: Collection[SlurmRow],
        now: float,
    ) -> dict[str, JobStatus]:
        """Return the new status of each missing job whose end was found out.

        Parameters
        ----------
        known
            The last status of each job.
        rows
            The jobs that Slurm still knows.
        now
            Monotonic seconds.

        Raises
        ------
        Unreachable
            The site does not answer.
        """
        accounted = self._accounted(missing)
        without = [handle for handle in missing if handle.id not in accounted]
        vague = {job_id for job_id, row in accounted.items() if row.code is None}
        written = self._written([one for one in missing if one.folder and (one in without or one.id in vague)], known)
        found = {job_id: status_of(row) for job_id, row in accounted.items()} | written
        for handle in without:
            since = self._missing_since.setdefault(handle.id, now)
            last = known.get(handle.id)
            if handle.id in written or (last is not None and last.ended):
                continue
            if _was_withdrawn(handle, last, rows):
                found[handle.id] = status_of(SlurmRow(id=handle.id, name=handle.name, state="CANCELLED"))
            elif not handle.folder or now - since >= self.grace_s:
                found[handle.id] = _lost(handle, last)
        return found

    def _accounted(self, missing: Sequence[SlurmHandle]) -> dict[str, SlurmRow]:
        """Return the ended jobs that the accounting knows."""
        if not missing:
            return {}
        ids = [handle.id for handle in missing]
        rows: dict[str, SlurmRow] = {}
        if self._accounting:
            result = self.transport.run(commands.accounting_command(ids, self.cluster), timeout_s=self.answer_s)
            self._accounting = result.code == 0
            rows = commands.accounting_rows(result.out) if self._accounting else {}
        if not self._accounting and (single := [job_id for job_id in ids if "_" not in job_id]):
            result = self.transport.run(commands.completion_command(single), timeout_s=self.answer_s)
            rows = commands.accounting_rows(result.out, commands.COMPLETION_FIELDS) if result.code == 0 else {}
        ended = {}
        for handle in missing:
            # the accounting has an array that was cancelled before any task began as one job, without tasks
            row = rows.get(handle.id) or rows.get(handle.id.partition("_")[0])
            if row is not None and handle.name in ("", row.name) and status_of(row).ended:
                ended[handle.id] = row
        return ended

    def _written(self, handles: Sequence[SlurmHandle], known: Mapping[str, JobStatus]) -> dict[str, JobStatus]:
        """Return how the jobs ended whose workers wrote their end into the job's folder."""
        if not handles:
            return {}
        paths = [f"{handle.folder}/{file}" for handle in handles for file in (STARTED, ENDED)]
        texts = self.transport.read(paths)
        found = {}
        for handle in handles:
            left = _decoded(texts.get(f"{handle.folder}/{ENDED}"), Left)
            if left is not None:
                began = _decoded(texts.get(f"{handle.folder}/{STARTED}"), Began)
                last = known.get(handle.id, JobStatus(state=JobState.PENDING))
                found[handle.id] = _ended(handle, last, began, left)
        return found


def _ended(handle: SlurmHandle, last: JobStatus, began: Began | None, left: Left) -> JobStatus:
    """Return the status of a job whose worker wrote its end."""
    state = "COMPLETED" if left.exit == 0 else "FAILED"
    status = status_of(SlurmRow(id=handle.id, name=handle.name, state=state, code=left.exit))
    message = f"Slurm no longer knows the job; its worker ended with exit code {left.exit}"
    return msgspec.structs.replace(
        status,
        native=last.native,
        message=status.message or message,
        queued_at=last.queued_at,
        started_at=last.started_at or (began.at if began else None),
        ended_at=left.at,
        nodes=last.nodes,
        hosts=last.hosts,
        exit=left.exit,
    )


def _was_withdrawn(handle: SlurmHandle, last: JobStatus | None, rows: Collection[SlurmRow]) -> bool:
    """Return whether a task was cancelled before it began: Slurm forgets the task at once, but not its array."""
    array, task, _ = handle.id.partition("_")
    begun = last is not None and last.state is not JobState.PENDING
    others = (row for row in rows if row.id.partition("_")[0] == array)
    return bool(task) and not begun and any(row.name == handle.name for row in others)


def _lost(handle: SlurmHandle, last: JobStatus | None) -> JobStatus:
    message = f"Slurm no longer knows job {handle.id}, and its worker did not write how it ended; {AGAIN}"
    status = last or JobStatus(state=JobState.LOST)
    return msgspec.structs.replace(status, state=JobState.LOST, reason=Reason.INTERRUPTED, message=message)


def _decoded(text: str | None, kind: type[_N]) -> _N | None:
    try:
        return msgspec.json.decode(text, type=kind) if text else None
    except msgspec.DecodeError:  # half written
        return None
