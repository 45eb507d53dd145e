"""The process that cancels the Slurm jobs of Dask workers when the process that submitted them has ended.

It reads from a pipe whose other end only the client of the workers holds. It runs in its own session and has no
parent, so it survives when client, worker and controller are killed together. When the pipe closes, it cancels the jobs
by their name, which no other job has, until Slurm lists none of them any more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

QUIET = 3  # consecutive polls that find no job: a job that was being submitted may still appear
FIRST_S, LONGEST_S, FACTOR = 0.3, 10.0, 1.5  # between polls
GIVE_UP_S = 900.0  # after that, workers without a scheduler have ended, or their time limit has
ANSWER_S = 60.0


def start_guard(name: str) -> int:
    """Start a process that cancels the jobs of this name when the returned descriptor is closed."""
    theirs, ours = os.pipe()
    command = [sys.executable, "-m", "daasbench.measure.dask.slurm_cleanup", name]
    try:
        subprocess.run(command, stdin=theirs, stdout=subprocess.DEVNULL, start_new_session=True, check=True)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return ours


def cancel(name: str, *, give_up_s: float = GIVE_UP_S) -> bool:
    """Cancel all jobs of this name until Slurm lists none; return whether that was reached."""
    quiet, pause_s, end = 0, FIRST_S, time.monotonic() + give_up_s
    while time.monotonic() < end:
        _ask("scancel", "--name", name)
        left = _ask("squeue", "--noheader", "--name", name, "--format", "%i")
        quiet = quiet + 1 if left == "" else 0
        if quiet == QUIET:
            return True
        time.sleep(FIRST_S if quiet else pause_s)
        pause_s = min(LONGEST_S, FACTOR * pause_s)
    return False


def _ask(*words: str) -> str | None:
    """Return the output of a command of Slurm; None if it fails."""
    try:
        ended = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if ended.returncode else ended.stdout.strip()


def main(name: str) -> None:
    """Detach from the process that started this; wait until standard input closes; cancel the jobs."""
    if os.fork():
        os._exit(0)
    while os.read(0, 4096):
        pass
    cancel(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
