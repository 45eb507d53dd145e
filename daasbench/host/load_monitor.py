"""The load during a measurement, observed from another process: foreign processor time, working threads, pinning."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import msgspec

from daasbench.host.processes import CpuClock, allowed_cpus, process_tree, thread_times, threads_at_work

TICK_S = 0.01  # the unit in which the kernel counts processor time


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """The observed load: the share (0-1) of the watched processors that other processes used, and our own threads."""

    foreign: float
    threads: int | None  # threads that did work; None if the system does not show threads
    cpus: list[int]  # processors that the computing processes may run on


class LoadMonitor:
    """Observes from its construction until :meth:`stop`.

    Parameters
    ----------
    pids
        The processes of the case. They and their descendants are its own; every other process is foreign.
    cpus
        The processors that are watched.
    computing
        The processes among them that compute: their threads and processors are observed. Default: all.
    """

    def __init__(self, pids: Sequence[int], cpus: Sequence[int], computing: Sequence[int] = ()) -> None:
        self.pids, self.computing = pids, computing or pids
        self.clock = CpuClock(cpus)
        self._threads = self._thread_times()
        self._own_s = self._ours()
        self._busy_s = self.clock.busy_s()
        self._started = time.monotonic()
        self._load: Load | None = None

    def stop(self) -> Load:
        """Return the load from when this monitor was made until it was first stopped."""
        self._load = self._load or self._observe()
        return self._load

    def _observe(self) -> Load:
        elapsed_s = time.monotonic() - self._started
        busy_s = self.clock.busy_s()
        own_s = self._ours() - self._own_s
        threads = self._thread_times()
        return Load(
            foreign=self._foreign(busy_s, own_s, elapsed_s),
            threads=threads_at_work(self._threads, threads) if self._threads else None,
            cpus=sorted({cpu for thread in threads or self.computing for cpu in allowed_cpus(thread)}),
        )

    def _foreign(self, busy_s: float, own_s: float, elapsed_s: float) -> float:
        """Return the foreign share; 0 if it is at most one tick per processor, which this process may have caused."""
        if busy_s - self._busy_s - own_s <= TICK_S * len(self.clock.cpus):
            return 0.0
        return self.clock.foreign_share(self._busy_s, busy_s, own_s, elapsed_s)

    def _ours(self) -> float:
        return self.clock.processes_s(self.pids) + sum(os.times()[:2])

    def _thread_times(self) -> dict[int, float]:
        return {key: s for root in self.computing for pid in process_tree(root) for key, s in thread_times(pid).items()}
