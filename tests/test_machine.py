"""What is observed of the machine and of processes, on this machine's own ``/proc`` and on recorded trees."""

from __future__ import annotations

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
from daasbench.host.cgroups import memory_left_bytes, processor_quota

GIB = 2**30
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


def write_tree(root: Path, files: dict[str, str]) -> Path:
    """Write a recorded file tree below `root`."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def seconds_of(pid: int) -> float:
    return sum(machine.thread_times(pid).values())


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "waited 20 s in vain"
        time.sleep(0.005)


# --- control groups, recorded -------------------------------------------------------------------------------

SLURM_V2 = {
    "proc/self/cgroup": "0::/system.slice/slurmstepd.scope/job_7/step_0\n",
    "proc/self/mountinfo": "25 18 0:22 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/cpu.max": "400000 100000\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/memory.max": f"{8 * GIB}\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/memory.current": f"{3 * GIB}\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/memory.stat": f"anon 5\ninactive_file {GIB}\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/cpu.max": "max 100000\n",
    "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0/memory.max": "max\n",
}
DOCKER_V1 = {
    "proc/self/cgroup": "4:memory:/docker/3fa\n3:cpu,cpuacct:/docker/3fa\n1:name=systemd:/docker/3fa\n",
    "proc/self/mountinfo": (
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
        "32 31 0:29 /docker/3fa /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
        "33 31 0:30 /docker/3fa /sys/fs/cgroup/memory ro master:12 - cgroup cgroup rw,memory\n"
    ),
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GIB}\n",
    "sys/fs/cgroup/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 2}\n",
}


def test_the_quota_of_a_group_above_holds_in_cgroup_v2(tmp_path: Path) -> None:
    root = write_tree(tmp_path, SLURM_V2)
    assert processor_quota(root) == 4
    assert memory_left_bytes(root) == 6 * GIB  # the limit, less what is used, plus the cache that can be dropped


def test_a_container_sees_its_own_group_at_the_mount_point_in_cgroup_v1(tmp_path: Path) -> None:
    root = write_tree(tmp_path, DOCKER_V1)
    assert processor_quota(root) == 1.5
    assert memory_left_bytes(root) == 1.5 * GIB


def test_a_group_out_of_sight_is_read_at_the_mount_point(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/../other\n",
        "proc/self/mountinfo": "25 18 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
        "sys/fs/other/cpu.max": "10000 100000\n",
    }
    assert processor_quota(write_tree(tmp_path, files)) == 0.5


def test_no_limit_is_none_and_not_a_number(tmp_path: Path) -> None:
    files = DOCKER_V1 | {
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    root = write_tree(tmp_path, files)
    assert (processor_quota(root), memory_left_bytes(root)) == (None, None)
    assert (processor_quota(tmp_path / "nothing"), memory_left_bytes(tmp_path / "nothing")) == (None, None)


def test_usable_cores_are_what_affinity_and_quota_leave(tmp_path: Path) -> None:
    allowed = len(machine.allowed_cpus(os.getpid()))
    assert machine.usable_cores(tmp_path) == allowed
    half = SLURM_V2 | {"sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/cpu.max": "50000 100000"}
    assert machine.usable_cores(write_tree(tmp_path, half)) == 1
    assert 1 <= machine.usable_cores() <= allowed


def test_usable_memory_is_within_the_group_and_what_is_available(tmp_path: Path) -> None:
    tight = DOCKER_V1 | {"sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n"}
    assert machine.usable_memory_bytes(write_tree(tmp_path, tight)) == GIB // 2
    assert 0 < machine.usable_memory_bytes() <= psutil.virtual_memory().total


# --- facts --------------------------------------------------------------------------------------------------


def chiplets(root: Path) -> Path:
    """Write four processors on two chiplets with 32 MiB each."""
    files = {}
    for cpu in range(4):
        at = f"sys/devices/system/cpu/cpu{cpu}"
        files[f"{at}/topology/physical_package_id"] = "0\n"
        files[f"{at}/cpufreq/scaling_governor"] = "performance\n"
        for index, (level, kind, size, shared) in enumerate(
            [
                (1, "Data", "32K", f"{cpu}"),
                (1, "Instruction", "32K", f"{cpu}"),
                (3, "Unified", "32M", "0-1" if cpu < 2 else "2-3"),
            ]
        ):
            cache = f"{at}/cache/index{index}"
            files |= {f"{cache}/level": f"{level}\n", f"{cache}/type": f"{kind}\n", f"{cache}/size": f"{size}\n"}
            files[f"{cache}/shared_cpu_list"] = f"{shared}\n"
    return write_tree(root, files)


def test_the_last_level_cache_is_that_of_every_chiplet_in_reach(tmp_path: Path) -> None:
    root = chiplets(tmp_path)
    assert machine.last_level_cache_bytes(root, [0, 1]) == 32 * 2**20
    assert machine.last_level_cache_bytes(root, [0, 1, 2]) == 64 * 2**20
    assert machine.last_level_cache_bytes(tmp_path / "nothing", [0]) is None


def test_a_recorded_machine_is_described(tmp_path: Path) -> None:
    root = chiplets(tmp_path)
    cpuinfo = "processor\t: 0\nmodel name\t: AMD EPYC 9654\nflags\t\t: fpu avx2 avx512f hypervisor\n\nprocessor\t: 1\n"
    write_tree(root, {"proc/cpuinfo": cpuinfo, "sys/class/dmi/id/sys_vendor": "Amazon EC2\n", ".dockerenv": ""})
    seen = machine.observe(commit="c", observed_at="t", root=root)
    assert (seen.cpu, seen.sockets) == ("AMD EPYC 9654", 1)
    assert seen.instructions == ["avx2", "avx512f"]
    assert seen.virtual == "virtual machine Amazon EC2, container docker"
    if machine.allowed_cpus(os.getpid())[0] < 4:
        assert seen.caches == {"L1d": 2**15, "L1i": 2**15, "L3": 2**25}
        assert seen.governor == "performance"


def test_this_machine_is_described() -> None:
    seen = machine.observe(commit="c", observed_at="2026-11-22T00:00:00Z")
    assert seen.cpu
    assert seen.host
    assert 1 <= seen.usable_cores <= seen.threads
    assert seen.cores <= seen.threads
    assert 0 < seen.usable_memory_bytes <= seen.memory_bytes
    assert seen.packages["numpy"]
    assert seen.python.startswith(sys.implementation.name.replace("cpython", "CPython"))


def test_the_id_names_the_content_without_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    first = machine.observe(commit="c", observed_at="yesterday")
    assert machine.observe(commit="c", observed_at="today").id == first.id
    assert machine.observe(commit="d", observed_at="yesterday").id != first.id
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    thread_variables = machine.observe(commit="c", observed_at="yesterday")
    assert thread_variables.id != first.id
    assert thread_variables.environment["OMP_NUM_THREADS"] == "7"


def test_a_secret_in_the_environment_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    assert "AWS_SECRET_ACCESS_KEY" not in machine.observe(commit="", observed_at="").environment


def test_a_redacted_host_is_recognised_but_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "id16b-control")
    host = machine.observe(commit="", observed_at="", redact=True).host
    assert host == machine.observe(commit="", observed_at="now", redact=True).host
    assert host.startswith("redacted-")
    assert "id16b" not in host


def test_gpus_are_read_from_what_nvidia_smi_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "0, NVIDIA H200, 143771, 580.95\\n1, NVIDIA H200, 143771, 580.95\\n2, NVIDIA GB10, [N/A], 580.95\\n"
    command = tmp_path / "nvidia-smi"
    command.write_text(f"#!/bin/sh\nprintf '{said}'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    seen = machine.observe(commit="", observed_at="")
    assert seen.gpu == "2 x NVIDIA H200, NVIDIA GB10"
    assert seen.gpus[1] == {"index": "1", "name": "NVIDIA H200", "driver": "580.95", "memory_bytes": 143771 * 2**20}
    assert "memory_bytes" not in seen.gpus[2]
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert machine.observe(commit="", observed_at="").gpus == []


# --- processor time -----------------------------------------------------------------------------------------


@linux
def test_a_burning_stranger_is_foreign_and_our_own_is_not(start: Callable[[str], subprocess.Popen[str]]) -> None:
    clock = machine.CpuClock()
    burner = start(BURN)
    wait_until(lambda: seconds_of(burner.pid) > 0.05)
    begin, busy, own = time.monotonic(), clock.busy_s(), clock.processes_s([burner.pid])
    time.sleep(0.5)
    busy_then, own_s, elapsed_s = clock.busy_s(), clock.processes_s([burner.pid]) - own, time.monotonic() - begin
    share = clock.foreign_share(busy, busy_then, 0.0, elapsed_s)
    granularity = 0.03 / elapsed_s
    assert share >= own_s / elapsed_s / len(clock.cpus) - granularity
    assert own_s > 0
    without = clock.foreign_share(busy, busy_then, own_s, elapsed_s)
    assert without <= share - own_s / elapsed_s / len(clock.cpus) + granularity


@linux
def test_the_time_of_children_counts_as_that_of_their_parent(start: Callable[[str], subprocess.Popen[str]]) -> None:
    parent = start(BURNING_CHILD)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    clock = machine.CpuClock()
    wait_until(lambda: clock.processes_s([child]) > 0.1)
    assert clock.processes_s([parent.pid]) >= clock.processes_s([child]) * 0.5
    both = clock.processes_s([parent.pid, child])
    assert both < clock.processes_s([parent.pid]) * 1.5  # each process once


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
    wait_until(lambda: sum(seconds > 0.02 for seconds in machine.thread_times(burner.pid).values()) >= 2)
    before = machine.thread_times(burner.pid)
    wait_until(lambda: seconds_of(burner.pid) > sum(before.values()) + 0.2)
    after = machine.thread_times(burner.pid)
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
    wait_until(lambda: seconds_of(child) > 0)
    assert set(machine.stop_tree(parent.pid)) == {parent.pid, child}
    stopped_at = seconds_of(child)
    time.sleep(0.1)
    assert seconds_of(child) == stopped_at
    machine.continue_tree(parent.pid)
    wait_until(lambda: seconds_of(child) > stopped_at)


@linux
def test_a_stopped_tree_can_be_killed(start: Callable[[str], subprocess.Popen[str]]) -> None:
    parent = start(BURNING_CHILD)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    machine.stop_tree(parent.pid)
    assert set(machine.kill_tree(parent.pid)) == {parent.pid, child}
    assert parent.wait(timeout=10) == -signal.SIGKILL
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


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
