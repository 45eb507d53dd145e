"""The results folder: its runs, their journals, and the lock that one controller holds.

``<results>/runs/<run id>/{scenario.toml,journal.jsonl,jobs/<job id>/{job.json,records.jsonl,log}}``: these
files are the truth. The lock is inherited by local workers, so a run whose controller was killed stays locked
until its last worker has ended.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil

from daasbench.errors import LedgerError, Locked, UsageError
from daasbench.host.output_files import fix_of
from daasbench.model import Event, Job, Scalar, digest

SENT = ("submitting", "submitted")  # events after which a job may be somewhere
SETTLED = ("accounted", "interrupted", "unsent")  # and after which it is not
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # what file systems without locks say; Lustre: ENOSYS
WAIT_S = 15.0  # for the workers of a controller that is gone


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a run."""

    pid: int
    host: str
    since: str
    process_started: float


class RunFolder:
    """One run: a scenario on some platforms, continued until every planned case has its outcome."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock_descriptor: int | None = None

    @property
    def id(self) -> str:
        """Return the run's name."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """Return the journal's path."""
        return self.path / "journal.jsonl"

    @property
    def jobs_path(self) -> Path:
        """Return the folder of the folders of all jobs."""
        return self.path / "jobs"

    def job_folder(self, job: str) -> Path:
        """Return the folder of a job."""
        return self.jobs_path / job

    def job_ids(self) -> list[str]:
        """Return the jobs that were ever planned, in order."""
        found = [path.name for path in self.jobs_path.glob("*") if path.is_dir()]
        return sorted(found, key=lambda name: (len(name.partition("-")[0]), name))  # 1000-x after 999-x

    def next_job(self) -> int:
        """Return the number of the next job: one more than that of any before, its folder still there or not."""
        noted = {one.job for one in self.events() if one.job}
        numbers = [name.partition("-")[0] for name in (*self.job_ids(), *noted)]
        return max((int(number) for number in numbers if number.isdecimal()), default=0) + 1

    def sweep(self, at_work: Collection[str] = ()) -> None:
        """Remove inputs that a killed worker left behind; for who holds the lock. `at_work`: jobs that still go on."""
        for folder in self.jobs_path.glob("*/scratch"):
            if folder.parent.name not in at_work:
                shutil.rmtree(folder, ignore_errors=True)

    def sweep_job(self, job: str) -> None:
        """Remove the inputs of one job that has ended."""
        shutil.rmtree(self.job_folder(job) / "scratch", ignore_errors=True)

    def jobs(self) -> Iterator[Job]:
        """Yield every job that reached a node; one whose file was never completed is left out.

        Raises
        ------
        LedgerError
            A file is there and cannot be read: nobody knows what is on the way.
        """
        for name in self.job_ids():
            path = self.job_folder(name) / "job.json"
            try:
                text = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                message = f"{path}: cannot be read: {error.strerror}; nothing was changed"
                raise LedgerError(f"{message}: look at the file system, and run the same command again") from error
            with contextlib.suppress(msgspec.DecodeError):
                yield msgspec.json.decode(text, type=Job)

    def asked(self) -> tuple[list[str], int]:
        """Return the resume keys that were planned under the latest commit, and how many the scenario asks for.

        There are fewer keys than are asked for where a controller ended before all jobs had their files.
        """
        jobs = list(self.jobs())
        keys = list(dict.fromkeys(one.key for job in jobs if job.commit == jobs[-1].commit for one in job.planned))
        created = self.created()
        message = created.detail.get("measurements") if created else None
        return keys, max(len(keys), message if isinstance(message, int) else 0)

    def events(self) -> list[Event]:
        """Return the journal; a torn last line is left out."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for line in self.journal.read_bytes().splitlines():
                with contextlib.suppress(msgspec.DecodeError):
                    found.append(msgspec.json.decode(line, type=Event))
        return found

    def note(self, at: str, event: str, job: str | None = None, **detail: Scalar | None) -> None:
        """Append an event to the journal, on the disk when this returns; see :meth:`note_all`."""
        self.note_all([Event(at=at, event=event, job=job, detail=detail)])

    def note_all(self, events: Sequence[Event]) -> None:
        """Append to the journal, on the disk when this returns.

        Raises
        ------
        LedgerError
            It cannot be written; the world has not been touched.
        """
        line = b"".join(msgspec.json.encode(one) + b"\n" for one in events)
        try:
            descriptor = os.open(self.journal, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    line = b"\n" + line
                if os.write(descriptor, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unwritable(self.journal, error) from error

    def unsettled(self) -> dict[str, Event]:
        """Return, by job, the last word on each that was sent or was about to be, and is not accounted for."""
        found: dict[str, Event] = {}
        for one in self.events():
            if one.job is None:
                continue
            if one.event in SENT:
                found[one.job] = one
            elif one.event in SETTLED:
                found.pop(one.job, None)
        return found

    def created(self) -> Event | None:
        """Return the journal's first word: what the run is of; None if even that is lost."""
        return next((one for one in self.events() if one.event == "created"), None)

    def finished(self) -> bool:
        """Return whether every planned case had its outcome once."""
        return any(one.event == "finished" for one in self.events())

    # --- the lock

    def holder(self) -> Holder | None:
        """Return who holds the lock, if anybody; looks and does not wait."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._read_holder()
        except OSError:
            holder = self._read_holder()
            return holder if _alive(holder) else None
        finally:
            os.close(descriptor)
        return None

    def _read_holder(self) -> Holder:
        try:
            return msgspec.json.decode((self.path / "lock").read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError):  # it has just been taken
            return Holder(pid=0, host=socket.gethostname(), since="just now", process_started=0.0)

    @contextlib.contextmanager
    def locked(self, at: str) -> Iterator[None]:
        """Hold the run; wait for the workers of a controller that is gone, refuse while one is at work.

        Raises
        ------
        Locked
            Another controller holds the run: process, host, since when.
        """
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise unwritable(self.path / "lock", error) from error
        try:
            self._take(descriptor)
            me = psutil.Process()
            mine = Holder(pid=me.pid, host=socket.gethostname(), since=at, process_started=me.create_time())
            try:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, msgspec.json.encode(mine), 0)
            except OSError as error:
                raise unwritable(self.path / "lock", error) from error
            self.lock_descriptor = descriptor
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, 0)  # nobody holds it: where there are no locks, this alone says so
        finally:
            self.lock_descriptor = None
            os.close(descriptor)

    def _take(self, descriptor: int) -> None:
        end = time.monotonic() + WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                holder = self._read_holder()
                if _alive(holder) or time.monotonic() > end:
                    raise Locked(
                        f"{self.path}: is held by process {holder.pid} on {holder.host} since {holder.since};"
                        " wait for it, end it, or use another --results folder"
                    ) from None
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise unwritable(self.path / "lock", error) from error
                self._take_by_word()
                return
            time.sleep(0.05)

    def _take_by_word(self) -> None:
        """Refuse, on a file system without locks, if the lock's file names somebody who has not said that he left."""
        holder = self._read_holder()
        if _alive(holder):
            raise Locked(
                f"{self.path}: is held by process {holder.pid} on {holder.host} since {holder.since}, as far as can be"
                f" told on a file system without locks; end it, or, if it is gone, remove {self.path / 'lock'}"
            )


def _alive(holder: Holder) -> bool:
    if holder.host != socket.gethostname():
        return True
    try:
        started: float = psutil.Process(holder.pid).create_time()
        return abs(started - holder.process_started) < 1.0
    except psutil.Error:
        return False


def runs(results: Path) -> list[RunFolder]:
    """Return the runs of a results folder, the oldest first."""
    return [RunFolder(path) for path in sorted((results / "runs").glob("*")) if (path / "journal.jsonl").is_file()]


@contextlib.contextmanager
def opened(  # noqa: PLR0913  (what a new run is made of, each by its name)
    results: Path,
    *,
    name: str,
    identity: str,
    commit: str,
    text: str,
    at: str,
    again: bool,
    command: str,
    measurements: int | None = None,
) -> Iterator[RunFolder]:
    """Hold the run to continue: the latest of this identity, or a new one.

    A run that was finished under another commit of the suite stays as it is: its successor is a new run.
    """
    try:
        (results / "runs").mkdir(parents=True, exist_ok=True)
        door = os.open(results / "runs" / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        done = None if again else latest(results, identity, commit)
        if done is None or not done.finished():
            raise unwritable(results, error) from error
        yield done  # nothing needs to be written
        return
    with contextlib.ExitStack() as stack:
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(door, fcntl.LOCK_EX)
            found = None if again else latest(results, identity, commit)
            message = {"name": name, "identity": identity, "commit": commit, "command": command}
            folder = found or _create(results, text, at, {**message, "measurements": measurements})
            stack.enter_context(folder.locked(at))
        finally:
            os.close(door)
        yield folder


def latest(results: Path, identity: str, commit: str) -> RunFolder | None:
    """Return the run that this plan goes on with: its latest, unless that was finished under another commit."""
    for folder in reversed(runs(results)):
        created = folder.created()
        if created is not None and created.detail.get("identity") == identity:
            same = created.detail.get("commit") == commit
            return folder if same or not folder.finished() else None
    return None


def _create(results: Path, text: str, at: str, message: Mapping[str, Scalar | None]) -> RunFolder:
    """Return a new run; `message` is its journal's first word."""
    stamp = at[:19].replace("-", "").replace(":", "") + "Z"
    stamp = max([stamp, *(one.id.partition("-")[0] for one in runs(results))])  # a clock may have been set back
    base = f"{stamp}-{message['name']}-{digest([message['identity'], message['commit']])[:6]}"
    path, number = results / "runs" / base, 1
    try:
        while path.exists():
            number += 1
            path = results / "runs" / f"{base}-{number}"
        path.mkdir(parents=True)
        (path / "scenario.toml").write_text(text)
    except OSError as error:
        raise unwritable(path, error) from error
    folder = RunFolder(path)
    folder.note_all([Event(at=at, event="created", detail=dict(message))])
    return folder


def unwritable(path: Path, error: OSError) -> LedgerError | UsageError:
    """Return the error for a file that cannot be written: what, why, the fix, and what is safe."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        safe = f"records written before are safe: {fix_of(error, '--results')} and run the same command again"
        return LedgerError(f"{path}: cannot be written: {error.strerror}; {safe}")
    return UsageError(f"{path}: cannot be written: {error.strerror}; choose a folder that can with --results DIR")
