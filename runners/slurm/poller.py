"""Follow the jobs of one Slurm by one query: at most once per second, less often while nothing changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from daasbench.errors import Unreachable
from daasbench.model import JobState, JobStatus
from daasbench.records.layout import LOG_FILE

from . import commands
from .commands import UnexpectedOutput
from .forgotten import ForgottenJobs
from .handle import SlurmHandle
from .states import STATES, SlurmRow, status_of
from .transport import Transport

log = logging.getLogger(__name__)

ANSWER_S = 30.0  # seconds to wait for Slurm's answer
PATIENCE = 0.02  # fraction of the time without a change by which the interval between queries grows
QUIET_S = 5.0  # longest interval while nothing changes: the end of a long job is noticed up to this late
LONGEST_PAUSE_S = 30.0  # while Slurm does not answer
GRACE_S = 60.0  # seconds until a slow shared file system shows how a job ended that Slurm no longer knows
MEMORY = ("exceeded job memory limit", "exceeded memory limit", "oom-kill", "oom_kill", "out of memory")  # in a log
NOT_POLLED = JobStatus(state=JobState.PENDING, message="submitted; Slurm was not queried yet")
T = TypeVar("T")


class Poller:
    """The states of the jobs of one site.

    Parameters
    ----------
    transport, cluster
        Where Slurm's commands run, and which of its clusters is queried ("": the default one).
    clock
        Monotonic seconds.
    """

    def __init__(
        self, transport: Transport, cluster: str, clock: Callable[[], float], grace_s: float = GRACE_S
    ) -> None:
        self.transport, self.cluster, self.clock = transport, cluster, clock
        self.every_s = 1.0  # shortest interval between two queries
        self.queries = 0
        self._next_at = self._changed_at = clock()
        self._failures = 0  # in a row
        self._failure = ""  # message of the last query; "": it was answered
        self._followed: dict[str, SlurmHandle] = {}
        self._known: dict[str, JobStatus] = {}
        self._lines: dict[str, list[SlurmRow]] = {}
        self._rows: dict[str, SlurmRow] = {}
        self._forgotten = ForgottenJobs(transport, cluster, grace_s, ANSWER_S)

    @property
    def wait_s(self) -> float:
        """Return the time until the next query."""
        return max(0.02, self._next_at - self.clock())

    def status(self, handle: SlurmHandle) -> JobStatus:
        """Return the status of a job; query Slurm if the interval is over."""
        known = self._known.get(handle.id)
        if known is not None and known.ended:
            return known
        self.follow(handle)
        if self.clock() >= self._next_at:
            self._query()
        status = self._known.get(handle.id, NOT_POLLED)
        if self._failure and not status.ended:
            return msgspec.structs.replace(status, message=self._failure)
        return status

    def follow(self, handle: SlurmHandle) -> None:
        """Follow a job from now on; its state in the last answer is known at once."""
        if handle.id in self._followed or handle.id in self._known:
            return
        self._followed[handle.id] = handle
        self.every_s = max(1.0, min(followed.poll_s for followed in self._followed.values()))
        if (row := self._row(handle)) is not None:
            try:
                self._update(handle, status_of(row))
            except Unreachable as error:
                self._fail(error)

    def expect_change(self) -> None:
        """Query soon: the queue was changed."""
        self._changed_at = self.clock()
        self._next_at = min(self._next_at, self.clock() + 1.0)

    def locations(self) -> list[tuple[str, str, str]]:
        """Return number, name and folder of all jobs of this user that Slurm knows.

        Raises
        ------
        Unreachable
            Slurm does not answer, or its output cannot be parsed.
        """
        return self._run(commands.locations_command(self.cluster), commands.job_locations)

    # --- queries

    def _run(self, command: Sequence[str], parse: Callable[[str], T]) -> T:
        self.queries += 1
        result = self.transport.run(command, timeout_s=ANSWER_S)
        if result.code != 0:
            raise Unreachable(f"squeue: {result.last_line}")
        try:
            return parse(result.out)
        except (UnexpectedOutput, ValueError) as error:
            raise Unreachable(str(error)) from error

    def _query(self) -> None:
        before = self._rows
        try:
            command = commands.queue_command(self.cluster)
            self._lines = self._run(command, lambda text: commands.queue_rows(text, self._lines))
            self._rows = {row.id: row for rows in self._lines.values() for row in rows}
        except Unreachable as error:
            self._pause(error)
            return
        self._failures, self._failure = 0, ""
        try:
            self._update_all(before)
        except Unreachable as error:
            self._fail(error)
            return
        for job_id in [job_id for job_id, status in self._known.items() if status.ended]:
            self._followed.pop(job_id, None)
        quiet = PATIENCE * (self.clock() - self._changed_at)
        self._next_at = self.clock() + max(self.every_s, min(quiet, QUIET_S))

    def _update_all(self, before: dict[str, SlurmRow]) -> None:
        """Update every followed job: from its row if this changed, or as a job that Slurm no longer knows."""
        now = self.clock()
        missing = []
        for handle in list(self._followed.values()):
            row = self._row(handle)
            if row is None:
                missing.append(handle)
            elif row is not before.get(handle.id) or handle.id not in self._known:
                self._forgotten.found_again(handle)
                self._update(handle, status_of(row))
        for job_id, status in self._forgotten.statuses(missing, self._known, self._rows.values(), now).items():
            self._update(self._followed[job_id], status)

    def _row(self, handle: SlurmHandle) -> SlurmRow | None:
        """Return the row of a job, unless Slurm has used its number again for another job."""
        row = self._rows.get(handle.id)
        return row if row is not None and handle.name in ("", row.name) else None

    def _update(self, handle: SlurmHandle, status: JobStatus) -> None:
        if status != self._known.get(handle.id):
            self._known[handle.id] = self._with_memory(handle, status)
            self._changed_at = self.clock()

    def _fail(self, error: Unreachable) -> None:
        """Pause, and read all of the next answer anew."""
        self._lines, self._rows = {}, {}
        self._pause(error)

    def _pause(self, error: Unreachable) -> None:
        """Keep the known states, report that Slurm does not answer, and wait longer each time."""
        pause = min(self.every_s * 2.0 ** min(self._failures, 10), LONGEST_PAUSE_S)
        self._failures += 1
        self._failure = f"Slurm does not answer ({error}); nothing is lost: daasbench asks it again"
        log.warning("%s in %.0f s", self._failure, pause)
        self._next_at = self.clock() + pause

    def _with_memory(self, handle: SlurmHandle, status: JobStatus) -> JobStatus:
        """Return the status of a job; if Slurm ended it because of its memory, the status says so.

        If only the accounting limits memory, Slurm calls such a job FAILED and writes the reason into its log.
        """
        if status.state is not JobState.FAILED or status.exit is not None or not handle.folder:
            return status
        path = f"{handle.folder}/{LOG_FILE}"
        text = self.transport.read([path]).get(path, "").lower()
        if not any(phrase in text for phrase in MEMORY):
            return status
        meaning = STATES["OUT_OF_MEMORY"]
        return msgspec.structs.replace(status, reason=meaning.reason, message=meaning.message)


__all__ = ["Poller"]
