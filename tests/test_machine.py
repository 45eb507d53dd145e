"""What is observed of the machine, on this machine's own ``/proc`` and on recorded trees."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psutil
import pytest

from daasbench.host import machine
from daasbench.host.cgroups import memory_left_bytes, processor_quota
from daasbench.model import Machine

GIB = 2**30


def write_tree(root: Path, files: dict[str, str]) -> Path:
    """Write a recorded file tree below `root`."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


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


@pytest.mark.parametrize(
    ("vendor", "name", "seen"),
    [("AuthenticAMD", "zen4", "zen4"), ("GenuineIntel", "icelake", "icelake"), ("generic", "x86_64_v4", None)],
)
def test_the_microarchitecture_has_archspecs_name_and_none_where_archspec_knows_only_the_family(
    monkeypatch: pytest.MonkeyPatch, vendor: str, name: str, seen: str | None
) -> None:
    monkeypatch.setattr("archspec.cpu.host", lambda: SimpleNamespace(vendor=vendor, name=name))
    assert machine.observe(commit="c", observed_at="t").microarchitecture == seen


def test_without_archspec_a_machine_is_described_without_its_microarchitecture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "archspec.cpu", None)  # as if it was not installed
    assert machine.observe(commit="c", observed_at="t").microarchitecture is None


def test_the_microarchitecture_of_this_machine_is_one_that_archspec_lists() -> None:
    from archspec.cpu import TARGETS

    assert machine.observe(commit="c", observed_at="t").microarchitecture in {None, *TARGETS}


def test_archspec_is_imported_only_where_a_machine_is_described() -> None:
    code = "import sys, daasbench.worker; raise SystemExit('archspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_machine_that_was_written_before_has_no_microarchitecture() -> None:
    lines = (Path(__file__).parent / "data" / "records_v1.jsonl").read_bytes().splitlines()
    machines = [msgspec.json.decode(line, type=Machine) for line in lines if b'"type":"machine"' in line]
    assert machines
    assert [one.microarchitecture for one in machines] == [None] * len(machines)


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
