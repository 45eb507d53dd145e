"""Threads that linear algebra keeps for itself: left asleep while a result is verified.

A BLAS of several threads lets them look for work for some 30 ms after a call, with the processor. Where a case uses
all processors, its next repeat would share one of them: twice the time, of a kernel that has done nothing wrong.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import ThreadpoolController


class Pools:
    """The pools of the libraries that this process has loaded so far."""

    def __init__(self) -> None:
        self._blas = ThreadpoolController().select(user_api="blas")

    def asleep(self) -> AbstractContextManager[Any]:
        """Return a context in which linear algebra is computed by the thread that asks for it, and wakes no other."""
        asleep: AbstractContextManager[Any] = self._blas.limit(limits=1)
        return asleep
