"""One job on one node: ``python -m daasbench.worker job.json``.

Two doors: the job file goes in, ``records.jsonl`` beside it comes out. The worker ends when its standard
input ends, if it was started with ``--tied``: that is how a local worker dies with its controller. Where others
may start it a second time, it takes the job by ``--claim NAME``: whoever comes with another name does nothing.
When it began and when it ended stand in two small files, so that a job's truth is in its folder even when the
scheduler has forgotten it.
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
from pathlib import Path
from types import FrameType

import msgspec

from daasbench.errors import DaasbenchError, LedgerError, Unfinished
from daasbench.host import machine
from daasbench.host.clock import utc_now
from daasbench.host.code_fingerprint import suite_content
from daasbench.host.containers import require_inside
from daasbench.host.launchers import cores_of
from daasbench.measure.comparison import ComparisonRunner
from daasbench.measure.messages import Command, Failure
from daasbench.measure.process import MeasuringProcess
from daasbench.measure.requirements import counts_elsewhere
from daasbench.model import Job, Limits, Machine, Noun, Planned, Record, digest, sets_of
from daasbench.records.interrupted import interrupted_attempts, was_interrupted
from daasbench.records.layout import LOG_FILE, RECORDS_FILE, SCRATCH_FOLDER
from daasbench.records.ledger import Ledger
from daasbench.records.readers import read_lines
from daasbench.version import __version__

log = logging.getLogger(__name__)

LIMITS_TIMEOUT_S = 120.0
LAST_WORDS = "daasbench worker: "  # begins the sentence in the log with which a worker gives up
GRACE_S = 4.0  # for tidying up, once the controller is gone
STOPPED = 130  # exit code after SIGTERM, or when the controller is gone
CLAIMED = 4  # exit code where another has the job
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)  # what file systems without hard links say
CLAIM, STARTED, ENDED = "claim", "started.json", "ended.json"  # files of a job


class Began(Noun, frozen=True, kw_only=True):
    """When a worker took a job, by the clock of its node."""

    at: str  # UTC, ISO 8601
    claim: str = ""


class Left(Noun, frozen=True, kw_only=True):
    """When and how it ended."""

    at: str
    exit: int


class Taken(Unfinished):
    """Another worker has the job."""

    exit_code = CLAIMED


def claim(folder: Path, name: str) -> None:
    """Take the job of `folder` for `name`, which may have it already; whole or not at all, on any file system.

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
            _lay_down(mine, folder / CLAIM, name)
        holder = (folder / CLAIM).read_text()
    except OSError as error:
        raise LedgerError(f"{folder}: cannot be written: {error.strerror}; nothing was measured") from error
    finally:
        mine.unlink(missing_ok=True)
    if holder != name:
        raise Taken(f"{folder}: {name} ends at once and measures nothing: {holder} has this job")


def _lay_down(mine: Path, claimed: Path, name: str) -> None:
    """Make the claim's file, whole, unless it is there; where no links can be made, whole but for a moment."""
    try:
        os.link(mine, claimed)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with claimed.open("x") as stream:
            stream.write(name)


def _check_suite(job: Job) -> None:
    """Raise Unfinished if other code than this planned the job: its records would say what is not so."""
    if job.suite and (here := suite_content()) != job.suite:
        message = f"the daasbench of this node ({sys.prefix}, version {__version__}, content {here}) is not the one"
        fix = "use the same environment on both sides (the platform's option python), and run the same command again"
        raise Unfinished(f"{message} that planned the job (commit {job.commit}, content {job.suite}); {fix}")


def _begun_before(path: Path, job: Job) -> list[Planned]:
    """Return what of the job is still to be measured where an earlier worker of the same claim was killed.

    What it was measuring is written down as interrupted, and is measured in another attempt.
    """
    lines = read_lines(path).lines if path.exists() else []
    if not lines:
        return job.planned
    with Ledger(path) as ledger:
        killed = interrupted_attempts(lines, job)
        for record in killed:
            ledger.append(record)
    ended = {one.key for one in lines if isinstance(one, Record) and not was_interrupted(one)}
    tried: dict[str, int] = {}
    for one in [*lines, *killed]:
        if isinstance(one, Record):
            tried[one.key] = max(one.attempt, tried.get(one.key, 0))
    left = [one for one in job.planned if one.key not in ended]
    return [msgspec.structs.replace(one, attempt=max(one.attempt, tried.get(one.key, 0) + 1)) for one in left]


def work(job_file: Path) -> None:
    """Do every set of the job; each record is in the ledger before the next set begins.

    Raises
    ------
    LedgerError
        The ledger cannot be written; what was measured before is safe.
    """
    job = msgspec.json.decode(job_file.read_bytes(), type=Job)
    _check_suite(job)
    require_inside(job)
    folder = job_file.parent
    job = msgspec.structs.replace(job, planned=_begun_before(folder / RECORDS_FILE, job))
    with Ledger(folder / RECORDS_FILE) as ledger, open(folder / LOG_FILE, "ab", buffering=0) as errors:
        observed = machine.observe(commit=job.commit, observed_at=utc_now(), redact=job.redact)
        ledger.append(observed)
        limits: dict[int, str] = {}
        for line in _limits(_threads_of(job), observed, errors):
            ledger.append(line)
            limits[line.threads] = line.id
        scratch = folder / SCRATCH_FOLDER
        referee = ComparisonRunner(job, observed, limits, write=ledger.append, now=utc_now, scratch=scratch, log=errors)
        try:
            for planned in sets_of(job):
                referee.run_set(planned)
        finally:
            referee.close()


def _threads_of(job: Job) -> list[int]:
    """Return the numbers of threads whose limits the job's cases are divided by."""
    compared = [one for one in job.planned if _is_compared_with_limits(one, job)]
    return sorted({cores_of(one.case) for one in compared if cores_of(one.case) <= machine.usable_cores()})


def _is_compared_with_limits(one: Planned, job: Job) -> bool:
    measures_no_science = one.case.kernel == "probes" or one.case.cache
    return not (measures_no_science or one.skip or counts_elsewhere(one, job))


def _limits(threads: Sequence[int], observed: Machine, errors: object) -> list[Limits]:
    """Return the limits of this machine by the `probes` kernel, measured in a process of their own."""
    found = []
    cpus = machine.allowed_cpus(os.getpid())
    for count in threads:
        now = utc_now()
        name = digest([observed.id, count, now])
        prober = MeasuringProcess(count, cpus[:count], errors)  # type: ignore[arg-type]  # the job's log
        try:
            command = Command(step="limits", repeats=count, names=[name, observed.id, now])
            answer = prober.ask(command, Limits, timeout_s=LIMITS_TIMEOUT_S)
        finally:
            prober.close()
        if isinstance(answer, Failure):
            failed = {"all": answer.message}
            answer = Limits(id=name, machine=observed.id, threads=count, values={}, failed=failed, measured_at=now)
        found.append(answer)
    return found


def _end_with_controller() -> None:
    """End this worker, and with it its contenders, when the other end of standard input is closed."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)  # the process ends meanwhile, unless it hangs
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="controller watch").start()


def _on_sigterm(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  (a handler's form)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what is tidied up shall be
    raise SystemExit(STOPPED)  # so that every `finally` runs: contenders are ended, the scratch is removed


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 the job was done, 3 it could not be, with a sentence in its log."""
    signal.signal(signal.SIGTERM, _on_sigterm)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the controller's to handle
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s: %(message)s")
    job_file, *options = arguments
    if "--tied" in options:
        _end_with_controller()
    name = options[options.index("--claim") + 1] if "--claim" in options else ""
    folder = Path(job_file).parent
    try:
        if name:
            claim(folder, name)
    except Unfinished as error:  # not this job's last words, where it is another's
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
        _note(folder / ENDED, Left(at=utc_now(), exit=code))
    return code


def _note(path: Path, thing: Noun) -> None:
    """Write a small file whole: who sees it sees all of it. Where the disk is full, the ledger says so."""
    part = path.with_name(f".{path.name}-{os.getpid()}")
    with contextlib.suppress(OSError):
        part.write_bytes(msgspec.json.encode(thing) + b"\n")
        part.replace(path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
