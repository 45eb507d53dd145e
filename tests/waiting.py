"""Waiting for what is to come, as long as a busy machine may need.

No test states how long something takes. What never comes ends its test here, with a sentence, before pytest-timeout
ends it without one (pyproject.toml: 300 s a test).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import psutil

PATIENCE_S = 140.0  # twice in one test, and pytest-timeout still has not ended it

_T = TypeVar("_T")


def until(true: Callable[[], _T], what: str, every_s: float = 0.02) -> _T:
    """Return the first answer of `true` that is true; what cannot be read yet is not there yet."""
    end = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):  # not written yet; just gone
            if answer := true():
                return answer
        assert time.monotonic() < end, f"waited {PATIENCE_S:g} s in vain for {what}"
        time.sleep(every_s)


def left_of(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return which of the processes do not end; one that has ended and was not reaped (a zombie) is none."""
    end = time.monotonic() + PATIENCE_S
    while (alive := [one for one in processes if lives(one)]) and time.monotonic() < end:
        time.sleep(0.02)
    return alive


def lives(process: psutil.Process) -> bool:
    """Return whether a process is there, and not only its entry in the table."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
