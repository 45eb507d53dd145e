"""Processes: their trees, threads, processor time and peak memory.

On Linux the values come from ``/proc``; on other systems from psutil, or they are empty. A process that ends during
a call is never an error.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import psutil

_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PROC = Path("/proc")

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


# --- trees ---------------------------------------------------------------------------------------------------


def process_tree(pid: int) -> list[int]:
    """Return `pid` and all its descendants, parents first; empty if there is no such process."""
    return [process.pid for process in _tree(pid)]


def stop_tree(pid: int, *, timeout_s: float = 1.0) -> list[int]:
    """Stop `pid` and all its descendants (SIGSTOP); return those that have stopped.

    Repeats until no new child is found, and returns when every process has stopped or ended, or after `timeout_s`.
    """
    signalled: dict[int, psutil.Process] = {}
    while new := [process for process in _tree(pid) if process.pid not in signalled]:
        signalled.update((process.pid, process) for process in new)
        for process in new:
            _signal(process.suspend)
    end = time.monotonic() + timeout_s
    while (running := {p.pid for p in signalled.values() if not _has_stopped(p)}) and time.monotonic() < end:
        time.sleep(0.0005)
    return [number for number in signalled if number not in running]


def continue_tree(pid: int) -> list[int]:
    """Let `pid` and all its descendants continue (SIGCONT); return those that were signalled, the parents last."""
    return [process.pid for process in reversed(_tree(pid)) if _signal(process.resume)]


def kill_tree(pid: int) -> list[int]:
    """Kill `pid` and all its descendants (SIGKILL), stopped ones too; return those that were signalled.

    They are stopped first, so that none can start another process meanwhile. Their parent must reap them.
    """
    stop_tree(pid, timeout_s=0.0)
    return [process.pid for process in _tree(pid) if _signal(process.kill)]


def _tree(pid: int) -> list[psutil.Process]:
    found = []
    for number in _numbers(pid):
        with contextlib.suppress(psutil.Error):
            found.append(psutil.Process(number))
    return found


def _numbers(pid: int) -> list[int]:
    """Return the ids of `pid` and its descendants, parents first, without reading the list of all processes."""
    found = [pid]
    try:
        for parent in found:
            for task in (_PROC / str(parent) / "task").iterdir():
                found += map(int, (task / "children").read_text().split())
    except OSError:  # a process ended meanwhile, or this kernel has no such file, or this is not Linux
        return _all_numbers(pid)
    return found


def _all_numbers(pid: int) -> list[int]:
    try:
        return [pid, *(process.pid for process in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return []


def _signal(send: Callable[[], None]) -> bool:
    try:
        send()
    except (psutil.Error, OSError):
        return False
    return True


def _has_stopped(process: psutil.Process) -> bool:
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def die_with(life: int) -> None:
    """Let the kernel kill this process and its children when another process ends; exit at once if it has ended.

    `life` is a pipe or connection whose other end only that process holds: when it closes, the kernel kills this
    process group, stopped members too. (PR_SET_PDEATHSIG would kill only this process, possibly before its group.)
    """
    if sys.platform == "linux":
        import fcntl

        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgid(0))
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([life], [], [], 0)[0]:
        os._exit(1)


# --- processor time ------------------------------------------------------------------------------------------


class CpuClock:
    """Reads busy processor seconds, of the machine's usable processors and of given processes.

    The kernel counts in ticks of 1/USER_HZ = 10 ms per processor: over an interval of t seconds a share is
    known to about 0.01 / t, so rounds shorter than some 0.2 s cannot be judged to 5 %.

    Parameters
    ----------
    cpus
        The processors to watch; default: those on which this process may run. A cgroup quota does not reduce
        them: it limits the time, not the processors.
    proc
        The folder of the kernel's process file system.
    """

    def __init__(self, cpus: Collection[int] | None = None, proc: Path = _PROC) -> None:
        self.cpus = frozenset(cpus if cpus is not None else allowed_cpus(os.getpid()))
        self._proc = proc

    def busy_s(self) -> float:
        """Return the seconds that the watched processors were busy since boot.

        User, nice, system and interrupt time count, and also the time that the hypervisor gave to other machines
        (steal). Idle and iowait time do not count.
        """
        try:
            lines = (self._proc / "stat").read_text().splitlines()
        except OSError:
            times = psutil.cpu_times()
            return float(sum(times) - times.idle)
        ticks = 0
        for line in lines:
            name, *fields = line.split()
            if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in self.cpus:
                user, nice, system, _idle, _iowait, interrupts, soft, *stolen = map(int, fields[:8])
                ticks += user + nice + system + interrupts + soft + sum(stolen)
        return ticks / _TICKS_PER_S

    def processes_s(self, pids: Iterable[int]) -> float:
        """Return the processor seconds of the processes, of their live descendants and of all dead children.

        Each process counts once, even if one of `pids` is a descendant of another.
        """
        members = {process.pid: process for pid in pids for process in _tree(pid)}
        total = 0.0
        for process in members.values():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def foreign_share(self, before: float, after: float, own_cpu_s: float, elapsed_s: float) -> float:
        """Return the share of the watched processors' time that other processes used, 0-1.

        Parameters
        ----------
        before, after
            Two results of :meth:`busy_s`.
        own_cpu_s
            Processor seconds that the case's own processes used in between.
        elapsed_s
            Wall seconds in between; if 0, the share is 0.
        """
        available_s = elapsed_s * max(1, len(self.cpus))
        if available_s <= 0:
            return 0.0
        return min(1.0, max(0.0, after - before - own_cpu_s) / available_s)


def allowed_cpus(pid: int) -> list[int]:
    """Return the processors on which the process may run, sorted; empty if it has ended."""
    try:
        return sorted(os.sched_getaffinity(pid))
    except AttributeError:  # not Linux: nothing restricts a process
        return list(range(os.cpu_count() or 1))
    except OSError:
        return []


def pin(cpus: Collection[int]) -> None:
    """Let this process run on `cpus` only, with all threads that libraries have started already."""
    if cpus and hasattr(os, "sched_setaffinity"):
        for task in (_PROC / "self/task").iterdir():
            os.sched_setaffinity(int(task.name), cpus)


# --- threads -------------------------------------------------------------------------------------------------


def thread_variables(threads: int) -> dict[str, str]:
    """Return the environment variables that set the number of threads of a process."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def thread_times(pid: int, proc: Path = _PROC) -> dict[int, float]:
    """Return the processor seconds of every native thread of a process, by its id.

    The resolution is a nanosecond if the kernel has ``schedstat``, else a tick of 10 ms. Empty if there is no
    ``/proc`` or the process has ended.
    """
    times = {}
    with contextlib.suppress(OSError):
        for folder in (proc / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):  # a thread may end meanwhile
                times[int(folder.name)] = _thread_seconds(folder)
    return times


def _thread_seconds(folder: Path) -> float:
    try:
        return int((folder / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()  # a name may hold blanks
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def thread_count() -> int:
    """Return the number of native threads of this process; 0 where the system does not show them."""
    with contextlib.suppress(OSError):
        return sum(1 for _ in (_PROC / "self/task").iterdir())
    return 0


def threads_at_work(before: Mapping[int, float], after: Mapping[int, float], share: float = 0.05) -> int:
    """Return how many threads did work between two results of :func:`thread_times`.

    A thread counts if it used more than `share` of the processor time of the busiest thread. A thread that both
    started and ended in between is not counted.
    """
    grown = [seconds - before.get(task, 0.0) for task, seconds in after.items()]
    most = max(grown, default=0.0)
    return sum(seconds > share * most for seconds in grown) if most > 0 else 0


# --- memory --------------------------------------------------------------------------------------------------


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process since its start or :func:`reset_peak_memory`."""
    with contextlib.suppress(OSError):
        if found := re.search(r"^VmHWM:\s+(\d+) kB", (_PROC / "self/status").read_text(), re.MULTILINE):
            return int(found[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def children_peak_bytes() -> int:
    """Return the largest resident size of the ended processes that this process started; 0 if there are none."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def children_s() -> float:
    """Return the processor seconds of all processes that this process started, ended or running."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = 0.0
    for listed in _PROC.glob("self/task/*/children"):
        with contextlib.suppress(OSError):
            for child in listed.read_text().split():
                with contextlib.suppress(OSError, IndexError, ValueError):
                    times = (_PROC / child / "stat").read_text().rpartition(")")[2].split()[11:15]
                    living += sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
    return ended.ru_utime + ended.ru_stime + living


def shared_memory_bytes() -> int:
    """Return how many resident bytes are counted for other processes that share the pages; 0 if unknown.

    If n processes share a page, 1/n of it is counted for each, so that the sum over the processes counts it once.
    """
    with contextlib.suppress(OSError, KeyError):
        found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", (_PROC / "self/smaps_rollup").read_text(), re.MULTILINE))
        return max(0, int(found["Rss"]) - int(found["Pss"])) * 1024
    return 0


def reset_peak_memory() -> bool:
    """Reset the peak to the resident size now; return whether the kernel allows it."""
    try:
        (_PROC / "self/clear_refs").write_text("5")
    except OSError:
        return False
    return True
