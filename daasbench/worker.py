"""The worker, which measures one job on one node: ``python -m daasbench.worker job.json``.

The worker reads the job file and writes ``records.jsonl`` into the same folder. With ``--tied`` it ends when its
standard input closes: a local worker ends with its controller. If a scheduler may start a job twice, the worker claims
the job by ``--claim NAME``, and a worker with another name does nothing. Two small files contain the times of its start
and its end, so that they are in the job's folder even if the scheduler has no record of the job.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType

import msgspec

from daasbench.errors import DaasbenchError, LedgerError, Unfinished
from daasbench.host import machine
from daasbench.host.clock import utc_now
from daasbench.host.code_fingerprint import suite_content
from daasbench.host.containers import require_inside
from daasbench.measure.comparison import ComparisonRunner
from daasbench.measure.job_limits import limits_of_job
from daasbench.model import Job, Noun, Planned, Record, sets_of
from daasbench.records.interrupted import interrupted_attempts, was_interrupted
from daasbench.records.layout import LOG_FILE, PHASE_FILE, RECORDS_FILE, SCRATCH_FOLDER
from daasbench.records.ledger import Ledger
from daasbench.records.readers import read_lines
from daasbench.version import __version__

log = logging.getLogger(__name__)

LAST_WORDS = "daasbench worker: "  # prefix of the last message of a failed worker in its log
GRACE_S = 4.0  # seconds for cleaning up after the controller has ended
STOPPED = 130  # exit code after SIGTERM, or when the controller has ended
CLAIMED = 4  # exit code if another worker has the job
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)  # errors of file systems without hard links
CLAIM, STARTED, ENDED = "claim", "started.json", "ended.json"  # files of a job


class Began(Noun, frozen=True, kw_only=True):
    """The time at which a worker started a job, by the clock of its node."""

    at: str  # UTC, ISO 8601
    claim: str = ""


class Left(Noun, frozen=True, kw_only=True):
    """The time at which a worker ended, and its exit code."""

    at: str
    exit: int


class Taken(Unfinished):
    """Another worker has the job."""

    exit_code = CLAIMED


def claim(folder: Path, name: str) -> None:
    """Claim the job of `folder` for the worker `name`, which may have claimed it before; atomic on any file system.

    Raises
    ------
    Taken
        Another name has it.
    LedgerError
        The folder cannot be written.
    """
    mine = folder / f".{CLAIM}-{os.getpid()}-{socket.gethostname()}"
    try:
        mine.write_text(name)
        with contextlib.suppress(FileExistsError):
            _create_claim(mine, folder / CLAIM, name)
        holder = (folder / CLAIM).read_text()
    except OSError as error:
        raise LedgerError(f"{folder}: cannot be written: {error.strerror}; nothing was measured") from error
    finally:
        mine.unlink(missing_ok=True)
    if holder != name:
        raise Taken(
            f"{folder}: the worker {holder} has this job; this worker ({name}) ends at once and measures nothing"
        )


def _create_claim(mine: Path, claimed: Path, name: str) -> None:
    """Create the file of the claim, unless it exists; without hard links, the file is incomplete for a moment."""
    try:
        os.link(mine, claimed)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with claimed.open("x") as stream:
            stream.write(name)


def _check_suite(job: Job) -> None:
    """Raise Unfinished if another version of the code planned the job: its records would name the wrong commit."""
    if job.suite and (content := suite_content()) != job.suite:
        message = f"the daasbench of this node ({sys.prefix}, version {__version__}, content {content}) is not the one"
        fix = "use the same environment on both sides (the platform's option python), and run the same command again"
        raise Unfinished(f"{message} that planned the job (commit {job.commit}, content {job.suite}); {fix}")


def _close_interrupted_attempts(path: Path, job: Job) -> list[Planned]:
    """Return the measurements of the job that remain if an earlier worker of the same claim was killed.

    The attempts that this worker had begun are recorded as interrupted, and are measured again in another attempt.
    """
    lines = read_lines(path).lines if path.exists() else []
    if not lines:
        return job.planned
    with Ledger(path) as ledger:
        killed = interrupted_attempts(lines, job)
        for record in killed:
            ledger.append(record)
    ended = {line.key for line in lines if isinstance(line, Record) and not was_interrupted(line)}
    tried: dict[str, int] = {}
    for line in [*lines, *killed]:
        if isinstance(line, Record):
            tried[line.key] = max(line.attempt, tried.get(line.key, 0))
    return [
        msgspec.structs.replace(planned, attempt=max(planned.attempt, tried.get(planned.key, 0) + 1))
        for planned in job.planned
        if planned.key not in ended
    ]


def work(job_file: Path) -> None:
    """Measure every comparison of the job; its records are in the ledger before the next comparison begins.

    Raises
    ------
    LedgerError
        The ledger cannot be written; earlier records are safe.
    """
    job = msgspec.json.decode(job_file.read_bytes(), type=Job)
    _check_suite(job)
    require_inside(job)
    folder = job_file.parent
    phase = partial(_write, folder / PHASE_FILE)
    job = msgspec.structs.replace(job, planned=_close_interrupted_attempts(folder / RECORDS_FILE, job))
    with Ledger(folder / RECORDS_FILE) as ledger, open(folder / LOG_FILE, "ab", buffering=0) as log_file:
        observed = machine.observe(commit=job.commit, observed_at=utc_now(), redact=job.redact)
        ledger.append(observed)
        limits: dict[int, str] = {}
        for line in limits_of_job(job, observed, log_file, say=phase):
            ledger.append(line)
            limits[line.threads] = line.id
        comparisons = ComparisonRunner(
            job,
            observed,
            limits,
            write=ledger.append,
            now=utc_now,
            scratch=folder / SCRATCH_FOLDER,
            log=log_file,
            say=phase,
        )
        try:
            for planned in sets_of(job):
                comparisons.run_set(planned)
        finally:
            comparisons.close()


def _end_with_controller() -> None:
    """End this worker and its measuring processes when the other end of standard input is closed."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)  # normally the process ends meanwhile
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="controller watch").start()


def _on_sigterm(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  (a handler's form)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not interrupt the clean-up
    raise SystemExit(STOPPED)  # so that every `finally` runs: processes are ended, the scratch folder is removed


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 if the job is done, 3 if not, with a message in its log."""
    signal.signal(signal.SIGTERM, _on_sigterm)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the controller handles Ctrl-C
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s: %(message)s")
    job_file, *options = arguments
    if "--tied" in options:
        _end_with_controller()
    name = options[options.index("--claim") + 1] if "--claim" in options else ""
    folder = Path(job_file).parent
    try:
        if name:
            claim(folder, name)
    except Unfinished as error:  # the last message of a job must be that of the worker that has it
        print(error if isinstance(error, Taken) else f"{LAST_WORDS}{error}", file=sys.stderr)
        return error.exit_code
    code = 70
    _note(folder / STARTED, Began(at=utc_now(), claim=name))
    try:
        work(Path(job_file))
        code = 0
    except DaasbenchError as error:
        print(f"{LAST_WORDS}{error}", file=sys.stderr)
        code = error.exit_code
    except SystemExit:
        code = STOPPED
        raise
    except Exception as error:
        log.exception("internal error")
        print(f"{LAST_WORDS}internal error: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        with contextlib.suppress(OSError):
            (folder / PHASE_FILE).unlink()
        _note(folder / ENDED, Left(at=utc_now(), exit=code))
    return code


def _note(path: Path, thing: Noun) -> None:
    _write(path, msgspec.json.encode(thing).decode())


def _write(path: Path, text: str) -> None:
    """Write a small file atomically. On a full disk it is not written; the ledger reports that."""
    part = path.with_name(f".{path.name}-{os.getpid()}")
    with contextlib.suppress(OSError):
        part.write_text(f"{text}\n")
        part.replace(path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
