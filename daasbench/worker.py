"""One job on one node: ``python -m daasbench.worker job.json``.

Two doors: the job file goes in, ``records.jsonl`` beside it comes out. The worker ends when its standard
input ends, if it was started with ``--tied``: that is how a local worker dies with its controller.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import msgspec

from daasbench import machine
from daasbench.clock import utc_now
from daasbench.contender import Command, Contender
from daasbench.errors import DaasbenchError
from daasbench.launch import cores_of
from daasbench.measure import Failure
from daasbench.model import Job, Limits, Machine, Planned, digest
from daasbench.records import Ledger
from daasbench.referee import Referee, sets_of

log = logging.getLogger(__name__)

LIMITS_TIMEOUT_S = 120.0
LAST_WORDS = "daasbench worker: "  # begins the sentence in the log with which a worker gives up
GRACE_S = 4.0  # for tidying up, once the controller is gone
STOPPED = 130  # exit code after SIGTERM, or when the controller is gone


def work(job_file: Path) -> None:
    """Do every set of the job; each record is in the ledger before the next set begins.

    Raises
    ------
    LedgerError
        The ledger cannot be written; what was measured before is safe.
    """
    job = msgspec.json.decode(job_file.read_bytes(), type=Job)
    folder = job_file.parent
    with Ledger(folder / "records.jsonl") as ledger, open(folder / "log", "ab", buffering=0) as errors:
        observed = machine.observe(commit=job.commit, observed_at=utc_now(), redact=job.redact)
        ledger.append(observed)
        limits: dict[int, str] = {}
        for line in _limits(_threads_of(job), observed, errors):
            ledger.append(line)
            limits[line.threads] = line.id
        scratch = folder / "scratch"
        referee = Referee(job, observed, limits, write=ledger.append, now=utc_now, scratch=scratch, log=errors)
        try:
            for planned in sets_of(job):
                referee.run_set(planned)
        finally:
            referee.close()


def _threads_of(job: Job) -> list[int]:
    """Return the numbers of threads whose limits the job's cases are divided by."""
    if all(_measures_no_science(one) for one in job.planned):
        return []
    return sorted({cores_of(one.case) for one in job.planned if cores_of(one.case) <= machine.usable_cores()})


def _measures_no_science(one: Planned) -> bool:
    return one.case.kernel == "probes" or one.case.cache


def _limits(threads: Sequence[int], observed: Machine, errors: object) -> list[Limits]:
    """Return the limits of this machine by the `probes` kernel, measured in a process of their own."""
    found = []
    cpus = machine.allowed_cpus(os.getpid())
    for count in threads:
        now = utc_now()
        name = digest([observed.id, count, now])
        prober = Contender(count, cpus[:count], errors)  # type: ignore[arg-type]  # the job's log
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
    if "--tied" in arguments:
        _end_with_controller()
    try:
        work(Path(arguments[0]))
    except DaasbenchError as error:
        print(f"{LAST_WORDS}{error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        log.exception("internal error")
        print(f"{LAST_WORDS}internal error: {type(error).__name__}: {error}", file=sys.stderr)
        return 70
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
