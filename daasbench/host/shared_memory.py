"""Shared memory that killed processes leave behind: segments of MPI, semaphores of process pools.

They are files in ``/dev/shm``. They use memory of the machine, and remain when the process that made them has ended.
On a system without this folder (not Linux), nothing is found and nothing is removed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path

SHARED = "/dev/shm/"
GONE = " (deleted)"


def segments(pids: Iterable[int], proc: Path = Path("/proc")) -> set[str]:
    """Return the files of shared memory that these processes map, if they still run and this user may read that."""
    found: set[str] = set()
    for pid in pids:
        with contextlib.suppress(OSError):  # it ended, or belongs to another user
            for line in (proc / str(pid) / "maps").read_text(errors="replace").splitlines():
                at = line.find(SHARED)
                if at > 0 and not line.endswith(GONE):
                    found.add(line[at:])
    return found


def remove_unused(paths: Collection[str], ended: Collection[int], proc: Path = Path("/proc")) -> list[str]:
    """Remove those of `paths` that only the processes `ended` map; return the removed paths.

    Files of other owners are kept.
    """
    if not paths:
        return []
    others = (int(one.name) for one in proc.iterdir() if one.name.isdigit() and int(one.name) not in ended)
    left = sorted(set(paths) - segments(others, proc))
    removed = []
    for path in left:
        with contextlib.suppress(OSError):
            if Path(path).stat().st_uid == os.getuid():
                Path(path).unlink()
                removed.append(path)
    return removed
