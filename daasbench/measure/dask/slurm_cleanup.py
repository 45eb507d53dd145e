"""The process that ends the Slurm jobs of Dask workers, whatever became of the one that asked for them.

It holds the other end of a pipe that only the client of the workers has, in a session of its own and nobody's
child: it is there when client, referee and controller were killed together. When the pipe ends, it cancels the
jobs by their name, which no other job has, until Slurm knows none of them any more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

QUIET = 3  # looks in a row at which no job was found: one that was being submitted may still come
FIRST_S, LONGEST_LIMIT_S, FACTOR = 0.3, 10.0, 1.5  # between looks
GIVE_UP_S = 900.0  # after which the jobs end by themselves: workers without a scheduler do, and their time runs out
ANSWER_S = 60.0


def start_guard(name: str) -> int:
    """Start a guard of the jobs of this name; return the descriptor whose end it waits for."""
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
    """Cancel all jobs of this name until none is left; return whether that was seen."""
    quiet, pause_s, end = 0, FIRST_S, time.monotonic() + give_up_s
    while time.monotonic() < end:
        _ask("scancel", "--name", name)
        left = _ask("squeue", "--noheader", "--name", name, "--format", "%i")
        quiet = quiet + 1 if left == "" else 0
        if quiet == QUIET:
            return True
        time.sleep(FIRST_S if quiet else pause_s)
        pause_s = min(LONGEST_LIMIT_S, FACTOR * pause_s)
    return False


def _ask(*words: str) -> str | None:
    """Return what a command of Slurm says; None if it does not."""
    try:
        ended = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if ended.returncode else ended.stdout.strip()


def main(name: str) -> None:
    """Leave the one who started this; wait for its end; cancel."""
    if os.fork():
        os._exit(0)
    while os.read(0, 4096):
        pass
    cancel(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
