"""What is observed of processes: their processor time, threads, trees and memory; on this machine's own ``/proc``."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from daasbench.host import machine

from .test_machine import write_tree
from .waiting import PATIENCE_S, lives, until

BURN = "while True: pass"
BURN_IN_TWO_THREADS = """
import hashlib, threading
def burn():
    while True: hashlib.sha256(bytes(2**22)).digest()  # without the interpreter's lock
threading.Thread(target=threading.Event().wait, daemon=True).start()
threading.Thread(target=burn, daemon=True).start()
burn()
"""
BURNING_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {BURN!r}])
print(child.pid, flush=True)
child.wait()
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def start() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Return a function that runs Python code in a child, killed with its children at the end."""
    children: list[subprocess.Popen[str]] = []

    def begin(code: str) -> subprocess.Popen[str]:
        children.append(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True))
        return children[-1]

    yield begin
    for child in children:
        machine.kill_tree(child.pid)
        child.wait()
        if child.stdout:
            child.stdout.close()


def seconds_of(pid: int) -> float:
    return sum(machine.thread_times(pid).values())


# --- processor time -----------------------------------------------------------------------------------------


@linux
def test_a_burning_stranger_is_foreign_and_our_own_is_not(start: Callable[[str], subprocess.Popen[str]]) -> None:
    clock = machine.CpuClock()
    burner = start(BURN)
    until(lambda: seconds_of(burner.pid) > 0.05, "a process that burns")
    # what the stranger takes is looked at within the time in which the processors are, and that within the clock's
    begin, busy, own = time.monotonic(), clock.busy_s(), clock.processes_s([burner.pid])
    until(lambda: clock.processes_s([burner.pid]) - own > 0.2, "a process that burns on")
    own_s, busy_then, elapsed_s = clock.processes_s([burner.pid]) - own, clock.busy_s(), time.monotonic() - begin
    share = clock.foreign_share(busy, busy_then, 0.0, elapsed_s)
    granularity = 0.03 / elapsed_s
    assert share >= own_s / elapsed_s / len(clock.cpus) - granularity
    without = clock.foreign_share(busy, busy_then, own_s, elapsed_s)
    assert without <= share - own_s / elapsed_s / len(clock.cpus) + granularity


@linux
def test_the_time_of_children_counts_as_that_of_their_parent(start: Callable[[str], subprocess.Popen[str]]) -> None:
    parent = start(BURNING_CHILD)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    clock = machine.CpuClock()
    until(lambda: clock.processes_s([child]) > 0.1, "a child that burns")
    machine.stop_tree(parent.pid, timeout_s=PATIENCE_S)  # so that what is read now is not of several times
    own_s = machine.thread_times(parent.pid)[parent.pid]
    assert clock.processes_s([parent.pid]) == pytest.approx(clock.processes_s([child]) + own_s, abs=0.05)
    assert clock.processes_s([parent.pid, child]) == clock.processes_s([parent.pid])  # each process once


STAT = """cpu  900 0 900 9000 900 0 0 900 0 0
cpu0 100 10 20 5000 700 1 2 40 30 0
cpu1 300 0 0 5000 0 0 0 0 0 0
cpu10 7000 0 0 5000 0 0 0 0 0 0
intr 5 1
"""


def test_stolen_time_is_busy_and_waiting_for_a_disk_is_not(tmp_path: Path) -> None:
    write_tree(tmp_path, {"stat": STAT})
    ticks = os.sysconf("SC_CLK_TCK")
    assert machine.CpuClock([0], proc=tmp_path).busy_s() == pytest.approx(173 / ticks)
    assert machine.CpuClock([0, 1], proc=tmp_path).busy_s() == pytest.approx(473 / ticks)


def test_a_foreign_share_is_never_negative_nor_above_one() -> None:
    clock = machine.CpuClock([0, 1])
    assert clock.foreign_share(10.0, 11.0, 0.5, 1.0) == 0.25
    assert clock.foreign_share(10.0, 11.0, 1.1, 1.0) == 0.0
    assert clock.foreign_share(10.0, 19.0, 0.0, 1.0) == 1.0
    assert clock.foreign_share(10.0, 10.0, 0.0, 0.0) == 0.0


# --- threads and trees --------------------------------------------------------------------------------------


@linux
def test_two_burning_threads_are_seen_and_a_waiting_one_is_not(start: Callable[[str], subprocess.Popen[str]]) -> None:
    burner = start(BURN_IN_TWO_THREADS)
    times = functools.partial(machine.thread_times, burner.pid)
    until(lambda: sum(seconds > 0.02 for seconds in times().values()) >= 2, "two threads that burn")
    before = times()
    two = "two threads that burn on, neither twenty times as much as the other"
    until(lambda: machine.threads_at_work(before, times()) == 2 and sum(times().values()) > 0.3, two)
    after = times()
    assert len(after) == 3
    assert machine.threads_at_work(before, after) == 2
    assert machine.threads_at_work(after, after) == 0


def test_ticks_are_read_where_the_kernel_keeps_no_schedstat(tmp_path: Path) -> None:
    stat = "42 (a (strange) name) S " + " ".join(str(n) for n in range(4, 53))
    write_tree(tmp_path, {"7/task/42/stat": stat, "7/task/43/schedstat": "2500000000 1 2\n"})
    times = machine.thread_times(7, proc=tmp_path)
    assert times == {42: (14 + 15) / os.sysconf("SC_CLK_TCK"), 43: 2.5}


@linux
def test_a_stopped_tree_does_nothing_until_it_is_continued(start: Callable[[str], subprocess.Popen[str]]) -> None:
    parent = start(BURNING_CHILD)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert machine.process_tree(parent.pid) == [parent.pid, child]
    until(lambda: seconds_of(child) > 0, "a child that burns")
    assert set(machine.stop_tree(parent.pid, timeout_s=PATIENCE_S)) == {parent.pid, child}
    stopped_at = seconds_of(child)
    time.sleep(0.1)
    assert seconds_of(child) == stopped_at
    machine.continue_tree(parent.pid)
    until(lambda: seconds_of(child) > stopped_at, "a child that burns again")


@linux
def test_a_stopped_tree_can_be_killed(start: Callable[[str], subprocess.Popen[str]]) -> None:
    parent = start(BURNING_CHILD)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    machine.stop_tree(parent.pid, timeout_s=PATIENCE_S)
    assert set(machine.kill_tree(parent.pid)) == {parent.pid, child}
    assert parent.wait(timeout=PATIENCE_S) == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(child) or not lives(psutil.Process(child)), "the end of the child")


def test_a_vanished_process_is_no_error(start: Callable[[str], subprocess.Popen[str]]) -> None:
    gone = start("pass")
    gone.wait()
    for ask in (machine.process_tree, machine.stop_tree, machine.continue_tree, machine.kill_tree):
        assert ask(gone.pid) == []
    assert machine.allowed_cpus(gone.pid) == []
    assert machine.thread_times(gone.pid) == {}
    assert machine.CpuClock().processes_s([gone.pid]) == 0.0


@linux
def test_the_peak_begins_again_after_a_reset() -> None:
    hill = bytearray(64 * 2**20)
    hill[::4096] = b"\1" * len(hill[::4096])
    high = machine.peak_memory_bytes()
    assert high >= 64 * 2**20
    del hill
    if machine.reset_peak_memory():
        assert machine.peak_memory_bytes() < high - 32 * 2**20
