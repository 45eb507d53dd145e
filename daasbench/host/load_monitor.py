"""What the referee sees of a turn from outside: other people's processor time, threads at work, pinning."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import msgspec

from daasbench.host.processes import CpuClock, allowed_cpus, process_tree, thread_times, threads_at_work

TICK_S = 0.01  # what the kernel counts the time of processors in


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen: `foreign` share of the watched processors (0-1), threads that worked, processors allowed."""

    foreign: float
    threads: int | None
    cpus: list[int]


class LoadMonitor:
    """Begins to look when it is made, and tells at :meth:`stop`.

    Parameters
    ----------
    pids
        The contender's processes; their descendants are its own, everything else (other contenders too) is foreign.
    cpus
        The processors that are watched.
    computing
        Those of the contender that compute, whose threads and processors are told; default: all.
    """

    def __init__(self, pids: Sequence[int], cpus: Sequence[int], computing: Sequence[int] = ()) -> None:
        self.pids, self.computing = pids, computing or pids
        self.clock = CpuClock(cpus)
        self._threads = self._thread_times()
        self._own_s = self._ours()
        self._busy_s = self.clock.busy_s()
        self._started = time.monotonic()

    def stop(self) -> Seen:
        """Return what was seen since this watch was made."""
        elapsed_s = time.monotonic() - self._started
        busy_s = self.clock.busy_s()
        own_s = self._ours() - self._own_s
        threads = self._thread_times()
        return Seen(
            foreign=self._foreign(busy_s, own_s, elapsed_s),
            threads=threads_at_work(self._threads, threads) if self._threads else None,
            cpus=sorted({cpu for thread in threads or self.computing for cpu in allowed_cpus(thread)}),
        )

    def _foreign(self, busy_s: float, own_s: float, elapsed_s: float) -> float:
        """Return the others' share; 0 where it is no more than one tick a processor, which may be our own."""
        if busy_s - self._busy_s - own_s <= TICK_S * len(self.clock.cpus):
            return 0.0
        return self.clock.foreign_share(self._busy_s, busy_s, own_s, elapsed_s)

    def _ours(self) -> float:
        return self.clock.processes_s(self.pids) + sum(os.times()[:2])

    def _thread_times(self) -> dict[int, float]:
        return {key: s for root in self.computing for pid in process_tree(root) for key, s in thread_times(pid).items()}
