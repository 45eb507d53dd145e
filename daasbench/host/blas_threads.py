"""Keep the threads of linear algebra libraries idle while a result is verified.

The threads of a BLAS library spin for some 30 ms after a call and wait for more work. If a case uses all processors,
its next repeat would share a processor with such a thread and take twice the time.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import ThreadpoolController


class BlasThreads:
    """The thread pools of the BLAS libraries that this process has loaded so far."""

    def __init__(self) -> None:
        self._blas = ThreadpoolController().select(user_api="blas")

    def idle(self) -> AbstractContextManager[Any]:
        """Return a context in which linear algebra runs only in the calling thread."""
        limited: AbstractContextManager[Any] = self._blas.limit(limits=1)
        return limited
