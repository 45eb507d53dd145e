"""The jobs of one Slurm, watched by one question: never more than one a second, fewer while nothing changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from daasbench.errors import Unreachable
from daasbench.model import JobState, JobStatus, Noun, Reason
from daasbench.worker import ENDED, STARTED, Began, Left

from . import questions
from .handle import SlurmHandle
from .questions import Garbage
from .shell import Shell
from .states import AGAIN, STATES, SlurmRow, status_of

log = logging.getLogger(__name__)

ANSWER_S = 30.0  # after which Slurm is not waited for
PATIENCE = 0.02  # of the time for which nothing has changed: what is waited more than the least
QUIET_S = 5.0  # between two questions while nothing changes: so late, at most, the end of a long job is seen
LONGEST_LIMIT_S = 30.0  # while nobody answers
GRACE_S = 60.0  # for a slow shared file system to show how a job ended which Slurm has forgotten
_A = TypeVar("_A")
_N = TypeVar("_N", bound=Noun)

MEMORY = ("exceeded job memory limit", "exceeded memory limit", "oom-kill", "oom_kill", "out of memory")  # in a log
NOT_ASKED = JobStatus(state=JobState.PENDING, message="submitted; Slurm was not asked yet")


class Poller:
    """What is known of the jobs of one place.

    Parameters
    ----------
    shell, cluster
        Where Slurm is asked, and of which of its clusters ("": the usual one).
    clock
        Monotonic seconds.
    """

    def __init__(self, shell: Shell, cluster: str, clock: Callable[[], float], grace_s: float = GRACE_S) -> None:
        self.shell, self.cluster, self.clock, self.grace_s = shell, cluster, clock, grace_s
        self.every_s = 1.0  # the least between two questions
        self.asked = 0
        self._next_at = self._changed_at = clock()
        self._silences = 0
        self._trouble = ""
        self._watched: dict[str, SlurmHandle] = {}
        self._known: dict[str, JobStatus] = {}
        self._lines: dict[str, list[SlurmRow]] = {}
        self._rows: dict[str, SlurmRow] = {}
        self._missing_since: dict[str, float] = {}
        self._accounts = True  # until Slurm says that there are none

    @property
    def wait_s(self) -> float:
        """Return how long until the next question."""
        return max(0.02, self._next_at - self.clock())

    def status(self, handle: SlurmHandle) -> JobStatus:
        """Return what is known of a job; ask, if it is time to."""
        known = self._known.get(handle.id)
        if known is not None and known.ended:
            return known
        self.expect(handle)
        if self.clock() >= self._next_at:
            self._ask()
        status = self._known.get(handle.id, NOT_ASKED)
        if self._trouble and not status.ended:
            return msgspec.structs.replace(status, message=self._trouble)
        return status

    def expect(self, handle: SlurmHandle) -> None:
        """Watch a job from now on; what the last answer said of it is known at once."""
        if handle.id in self._watched or handle.id in self._known:
            return
        self._watched[handle.id] = handle
        self.every_s = max(1.0, min(one.poll_s for one in self._watched.values()))
        if (row := self._row(handle)) is not None:
            try:
                self._learn(handle, status_of(row))
            except Unreachable as error:
                self._lines, self._rows = {}, {}
                self._silent(error)

    def hurry(self) -> None:
        """Ask soon: something was done that changes the queue."""
        self._changed_at = self.clock()
        self._next_at = min(self._next_at, self.clock() + 1.0)

    def find(self) -> list[tuple[str, str, str]]:
        """Return number, name and folder of all jobs of this user that Slurm remembers.

        Raises
        ------
        Unreachable
            Slurm does not answer, or nobody understands what it says.
        """
        return self._heard(questions.find_words(self.cluster), questions.found)

    def _queue(self) -> dict[str, SlurmRow]:
        self._lines = self._heard(questions.queue_words(self.cluster), lambda text: questions.queue(text, self._lines))
        return {row.id: row for rows in self._lines.values() for row in rows}

    def _heard(self, words: Sequence[str], read: Callable[[str], _A]) -> _A:
        self.asked += 1
        answer = self.shell.run(words, timeout_s=ANSWER_S)
        if answer.code != 0:
            raise Unreachable(f"squeue: {_last(answer.err) or f'exit code {answer.code}'}")
        try:
            return read(answer.out)
        except (Garbage, ValueError) as error:
            raise Unreachable(str(error)) from error

    def _row(self, handle: SlurmHandle) -> SlurmRow | None:
        """Return what Slurm said of a job, unless its number was given to another since."""
        row = self._rows.get(handle.id)
        return row if row is not None and handle.name in ("", row.name) else None

    def _ask(self) -> None:
        before = self._rows
        try:
            self._rows = self._queue()
        except Unreachable as error:
            self._silent(error)
            return
        now = self.clock()
        self._silences, self._trouble = 0, ""
        missing = []
        try:
            for handle in list(self._watched.values()):
                row = self._row(handle)
                if row is None:
                    missing.append(handle)
                elif row is not before.get(handle.id) or handle.id not in self._known:
                    self._missing_since.pop(handle.id, None)
                    self._learn(handle, status_of(row))
            self._settle(missing, now)
        except Unreachable as error:
            self._lines, self._rows = {}, {}  # so that all of it is looked at again
            self._silent(error)
            return
        for name in [one for one, status in self._known.items() if status.ended]:
            self._watched.pop(name, None)
        quiet = PATIENCE * (self.clock() - self._changed_at)
        self._next_at = self.clock() + max(self.every_s, min(quiet, QUIET_S))

    def _learn(self, handle: SlurmHandle, status: JobStatus) -> None:
        if status != self._known.get(handle.id):
            self._known[handle.id] = self._explained(handle, status)
            self._changed_at = self.clock()

    def _silent(self, error: Unreachable) -> None:
        """Keep what is known, say that nobody answers, and wait longer each time."""
        pause = min(self.every_s * 2.0 ** min(self._silences, 10), LONGEST_LIMIT_S)
        self._silences += 1
        self._trouble = f"Slurm does not answer ({error}); nothing is lost: it is asked again"
        log.warning("%s in %.0f s", self._trouble, pause)
        self._next_at = self.clock() + pause

    # --- jobs that slurmctld has forgotten

    def _settle(self, missing: Sequence[SlurmHandle], now: float) -> None:
        """Learn of forgotten jobs from the accounting, or from their own folders; give them up after a while."""
        message = self._ask_accounts(missing)
        left = [handle for handle in missing if handle.id not in message]
        vague = {name for name, row in message.items() if row.code is None}
        wrote = self._ask_folders([one for one in missing if one.folder and (one in left or one.id in vague)])
        for handle in missing:
            if handle.id in wrote:
                self._learn(handle, wrote[handle.id])
            elif handle.id in message:
                self._learn(handle, status_of(message[handle.id]))
        for handle in left:
            since = self._missing_since.setdefault(handle.id, now)
            known = self._known.get(handle.id)
            if known is not None and known.ended:
                continue
            if self._withdrawn(handle, known):
                self._learn(handle, status_of(SlurmRow(id=handle.id, name=handle.name, state="CANCELLED")))
            elif not handle.folder or now - since >= self.grace_s:
                self._learn(handle, _lost(handle, known))

    def _withdrawn(self, handle: SlurmHandle, known: JobStatus | None) -> bool:
        """Return whether a task of an array was cancelled before it began: Slurm forgets it at once, not the array."""
        array, task, _ = handle.id.partition("_")
        begun = known is not None and known.state is not JobState.PENDING
        beside = (row for row in self._rows.values() if row.id.partition("_")[0] == array)
        return bool(task) and not begun and any(row.name == handle.name for row in beside)

    def _explained(self, handle: SlurmHandle, status: JobStatus) -> JobStatus:
        """Return the status of a job, told apart from one that Slurm itself ended because of its memory.

        Where nothing but the accounting watches memory, Slurm calls such a job FAILED, and says why in its log.
        """
        if status.state is not JobState.FAILED or status.exit is not None or not handle.folder:
            return status
        path = f"{handle.folder}/log"
        text = self.shell.read([path]).get(path, "").lower()
        if not any(word in text for word in MEMORY):
            return status
        meaning = STATES["OUT_OF_MEMORY"]
        return msgspec.structs.replace(status, reason=meaning.reason, message=meaning.message)

    def _ask_accounts(self, missing: Sequence[SlurmHandle]) -> dict[str, SlurmRow]:
        if not missing:
            return {}
        ids = [handle.id for handle in missing]
        rows: dict[str, SlurmRow] = {}
        if self._accounts:
            answer = self.shell.run(questions.account_words(ids, self.cluster), timeout_s=ANSWER_S)
            self._accounts = answer.code == 0
            rows = questions.accounts(answer.out) if self._accounts else {}
        if not self._accounts and (alone := [one for one in ids if "_" not in one]):
            answer = self.shell.run(questions.completed_words(alone), timeout_s=ANSWER_S)
            rows = questions.accounts(answer.out, questions.COMPLETED_FIELDS) if answer.code == 0 else {}
        # an array that was cancelled before any of its tasks began is one job there, without tasks
        message = {one: rows.get(one) or rows.get(one.partition("_")[0]) for one in ids}
        found = {one: row for one, row in message.items() if row is not None}
        names = {handle.id: handle.name for handle in missing}
        ours = {name: row for name, row in found.items() if names[name] in ("", row.name)}
        return {name: row for name, row in ours.items() if status_of(row).ended}

    def _ask_folders(self, handles: Sequence[SlurmHandle]) -> dict[str, JobStatus]:
        """Return how those jobs ended whose workers wrote it down."""
        if not handles:
            return {}
        paths = [f"{handle.folder}/{file}" for handle in handles for file in (STARTED, ENDED)]
        texts = self.shell.read(paths)
        found = {}
        for handle in handles:
            left = _read(texts.get(f"{handle.folder}/{ENDED}"), Left)
            if left is None:
                continue
            began = _read(texts.get(f"{handle.folder}/{STARTED}"), Began)
            row = SlurmRow(
                id=handle.id, name=handle.name, state="COMPLETED" if left.exit == 0 else "FAILED", code=left.exit
            )
            status = status_of(row)
            message = f"Slurm has forgotten it; its worker ended with exit code {left.exit}"
            known = self._known.get(handle.id, NOT_ASKED)
            found[handle.id] = msgspec.structs.replace(
                status,
                native=known.native,
                message=status.message or message,
                queued_at=known.queued_at,
                started_at=known.started_at or (began.at if began else None),
                ended_at=left.at,
                nodes=known.nodes,
                hosts=known.hosts,
                exit=left.exit,
            )
        return found


def _read(text: str | None, kind: type[_N]) -> _N | None:
    try:
        return msgspec.json.decode(text, type=kind) if text else None
    except msgspec.DecodeError:  # half written
        return None


def _lost(handle: SlurmHandle, known: JobStatus | None) -> JobStatus:
    message = f"Slurm knows no job {handle.id} any more, and its worker did not say how it ended; {AGAIN}"
    base = known or JobStatus(state=JobState.LOST)
    return msgspec.structs.replace(base, state=JobState.LOST, reason=Reason.INTERRUPTED, message=message)


def _last(err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    return lines[-1] if lines else ""


__all__ = ["Poller"]
