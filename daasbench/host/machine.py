"""The machine: the resources that this process may use, and the hardware and software.

Functions of :mod:`daasbench.host.processes` and :mod:`daasbench.host.source_commit` can also be imported from this
module. The facts are read as on Linux; on other systems a fact that is not available is None.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import os
import platform
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil

from daasbench.host.cgroups import ROOT, memory_left_bytes, processor_quota, read_number, read_text
from daasbench.host.containers import MARK, in_user_namespace
from daasbench.host.processes import (
    CpuClock,
    allowed_cpus,
    continue_tree,
    kill_tree,
    peak_memory_bytes,
    process_tree,
    reset_peak_memory,
    stop_tree,
    thread_times,
    threads_at_work,
)
from daasbench.host.source_commit import suite_commit
from daasbench.model import Machine, Scalar, digest

PACKAGES = (
    *("daasbench", "numpy", "scipy", "numba", "llvmlite", "h5py", "hdf5plugin", "finufft", "fabio", "pyFAI"),
    *("silx", "astra-toolbox", "algotom", "scikit-image", "mpi4py", "dask", "pyFFTW", "tbb", "mkl"),
    *("cupy-cuda12x", "cupy-cuda13x", "threadpoolctl"),
)
"""Distributions whose version can change a measured time."""

_STEERING = re.compile(
    r"(OMP|GOMP|KMP|OPENBLAS|MKL|BLIS|NUMBA|NUMEXPR|VECLIB|TBB|MALLOC|UCX|MPICH|MPIR_CVAR|FI|OMPI_MCA)_.*"
    r"|(CUDA|NVIDIA)_VISIBLE_DEVICES|SLURM_(CPU_BIND|CPUS_PER_TASK|JOB_CPUS_PER_NODE)"
)
DEVICES = "CUDA_VISIBLE_DEVICES"
_INSTRUCTIONS = frozenset(
    {
        *("sse4_2", "avx", "avx2", "f16c", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl"),
        *("avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
        *("asimd", "asimdhp", "bf16", "sve", "sve2", "vsx"),
    }
)


# --- what this process may use -------------------------------------------------------------------------------


def usable_cores(root: Path = ROOT) -> int:
    """Return how many hardware threads affinity and control groups allow this process, at least 1.

    A quota of 2.5 processors gives 2: with a third thread, all threads would be throttled.
    """
    cores = len(allowed_cpus(os.getpid())) or os.cpu_count() or 1
    quota = processor_quota(root)
    return cores if quota is None else max(1, min(cores, int(quota)))


def usable_memory_bytes(root: Path = ROOT) -> int:
    """Return the bytes that this process can allocate now without swapping, within its control groups."""
    available = int(psutil.virtual_memory().available)
    left = memory_left_bytes(root)
    return available if left is None else min(available, left)


def last_level_cache_bytes(root: Path = ROOT, cpus: Sequence[int] | None = None) -> int | None:
    """Return the bytes of all last-level caches that the usable processors reach; None where unknown.

    A processor of twelve chiplets with 32 MiB each counts 384 MiB, if every chiplet has a usable core.
    """
    found = set(_caches(root, allowed_cpus(os.getpid()) if cpus is None else cpus))
    last = max((level for level, *_ in found), default=0)
    return sum(size for level, _, size, _ in found if level == last) or None


def _caches(root: Path, cpus: Iterable[int]) -> Iterator[tuple[int, str, int, str]]:
    """Yield level, kind (``""``, ``d``, ``i``), bytes and the sharing processors, once per processor and cache."""
    for cpu in cpus:
        for folder in sorted((root / f"sys/devices/system/cpu/cpu{cpu}/cache").glob("index[0-9]*")):
            level = read_number(folder / "level")
            size = re.fullmatch(r"(\d+)([KMG]?)", read_text(folder / "size") or "")
            if level and size:
                kind = {"Data": "d", "Instruction": "i"}.get(read_text(folder / "type") or "", "")
                scale = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[size[2]]
                yield level, kind, int(size[1]) * scale, read_text(folder / "shared_cpu_list") or str(cpu)


# --- what kind of machine it is ------------------------------------------------------------------------------


def observe(
    *,
    commit: str,
    observed_at: str,
    redact: bool = False,
    packages: Sequence[str] = PACKAGES,
    root: Path = ROOT,
) -> Machine:
    """Return the facts of this machine.

    Parameters
    ----------
    commit
        The commit of the suite, see :func:`~daasbench.host.source_commit.suite_commit`.
    observed_at
        UTC, ISO 8601.
    redact
        Replace the name of the host by a short hash of it; the same host keeps the same hash.
    packages
        Distributions whose versions are recorded, if they are installed.

    Notes
    -----
    `id` is the digest of all fields except `observed_at` and the free memory, so that the same machine in the same
    state has the same id.
    """
    cpus = allowed_cpus(os.getpid())
    cpu, flags = _processor(root)
    gpus = _gpus()
    threads = psutil.cpu_count() or 1
    seen = Machine(
        id="",
        host=host_name(socket.gethostname(), redact=redact),
        cpu=cpu,
        microarchitecture=_microarchitecture(),
        sockets=_sockets(root),
        cores=psutil.cpu_count(logical=False) or threads,
        threads=threads,
        usable_cores=usable_cores(root),
        memory_bytes=int(psutil.virtual_memory().total),
        usable_memory_bytes=0,
        last_level_cache_bytes=last_level_cache_bytes(root),
        caches={f"L{level}{kind}": size for level, kind, size, _ in _caches(root, cpus[:1])},
        instructions=sorted(_INSTRUCTIONS.intersection(flags)),
        governor=_governor(root, cpus),
        virtual=_virtual(root, flags, os.environ),
        gpus=gpus,
        gpu=_gpu_names(gpus),
        os=_operating_system(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=_versions(packages),
        environment={name: value for name, value in sorted(os.environ.items()) if _STEERING.fullmatch(name)},
        commit=commit,
    )
    return msgspec.structs.replace(
        seen, id=digest(seen), observed_at=observed_at, usable_memory_bytes=usable_memory_bytes(root)
    )


def host_name(name: str, *, redact: bool) -> str:
    """Return the name of a host, or a short hash of it; the same host has the same hash."""
    return f"redacted-{hashlib.sha256(name.encode()).hexdigest()[:8]}" if redact else name


def _processor(root: Path) -> tuple[str, set[str]]:
    """Return the processor's name and its feature flags."""
    facts: dict[str, str] = {}
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip().lower(), value.strip())
    name = facts.get("model name") or facts.get("cpu")  # x86; POWER
    if not name and "cpu part" in facts:  # ARM writes numbers only
        name = f"{platform.machine()} implementer {facts.get('cpu implementer')} part {facts['cpu part']}"
    flags = facts.get("flags") or facts.get("features") or ""
    return name or platform.processor() or platform.machine() or "unknown", set(flags.split())


def _microarchitecture() -> str | None:
    """Return archspec's name of the newest microarchitecture whose instructions this processor has.

    If a hypervisor hides instructions, the processor seems older. None: archspec does not know the processor, or is not
    installed. archspec is imported here because only this function needs it.
    """
    try:
        from archspec.cpu import host

        found = host()
    except (ImportError, KeyError, OSError, ValueError):
        return None
    return None if found.vendor == "generic" else str(found.name)


def _sockets(root: Path) -> int | None:
    packages = {
        read_text(path) for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/topology/physical_package_id")
    }
    return len(packages) or None


def _governor(root: Path, cpus: Iterable[int]) -> str | None:
    """Return the frequency governor of the usable processors, all of them if they differ."""
    folders = (root / f"sys/devices/system/cpu/cpu{cpu}/cpufreq" for cpu in cpus)
    names = {read_text(folder / "scaling_governor") for folder in folders} - {None}
    return ", ".join(sorted(name for name in names if name)) or None


def _virtual(root: Path, flags: set[str], environment: Mapping[str, str]) -> str | None:
    """Return the signs of a hypervisor or a container; None if there is no sign, which does not prove bare metal."""
    signs = []
    if "hypervisor" in flags or (root / "sys/hypervisor/type").exists():
        identity = root / "sys/class/dmi/id"
        names = [read_text(root / "sys/hypervisor/type")]
        names += [read_text(identity / "sys_vendor"), read_text(identity / "product_name")]
        signs.append(" ".join(["virtual machine", *dict.fromkeys(name for name in names if name)]))
    if (root / ".dockerenv").exists():
        signs.append("container docker")
    if MARK in environment:
        signs.append(f"container {environment[MARK]}")
    elif (root / "run/.containerenv").exists():
        signs.append("container podman")
    elif environment.keys() & {"APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"}:
        signs.append("container apptainer")
    elif in_user_namespace(root):
        signs.append("user namespace")
    if "KUBERNETES_SERVICE_HOST" in environment:
        signs.append("kubernetes")
    return ", ".join(signs) or None


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, by the names that its libraries accept."""
    chosen = os.environ.get(DEVICES)
    if chosen is None:
        return [str(gpu["index"]) for gpu in _gpus()]
    return [name for name in chosen.split(",") if name]


def has_nvidia_gpu() -> bool:
    """Return whether this machine has an NVIDIA GPU: its driver's device, or one that ``nvidia-smi`` lists."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists() or bool(_gpus())


def gpu_identities(names: Sequence[str]) -> list[str]:
    """Return a unique identifier of each GPU, or its name if the driver gives none.

    Names such as ``0`` are not unique: a scheduler may give two processes a GPU each, both named ``0``.
    """
    if not names:
        return []
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return list(names)
    known = {row[0]: row[1] for row in csv.reader(said.splitlines(), skipinitialspace=True) if len(row) == 2}
    return [known.get(name, name) for name in names]


def _gpus() -> list[dict[str, Scalar]]:
    """Return the facts of each GPU by ``nvidia-smi``; empty if there is no GPU or no ``nvidia-smi``."""
    command = ["nvidia-smi", "--query-gpu=index,name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return _read_gpus(said)


def _read_gpus(said: str) -> list[dict[str, Scalar]]:
    gpus: list[dict[str, Scalar]] = []
    for row in csv.reader(said.splitlines(), skipinitialspace=True):
        if len(row) == 4:
            index, name, mebibytes, driver = row
            gpu: dict[str, Scalar] = {"index": index, "name": name, "driver": driver}
            if mebibytes.isdigit():  # "[N/A]" on machines whose GPU shares the host's memory
                gpu["memory_bytes"] = int(mebibytes) * 2**20
            gpus.append(gpu)
    return gpus


def _gpu_names(gpus: Sequence[Mapping[str, Scalar]]) -> str | None:
    names = [str(gpu["name"]) for gpu in gpus]
    counted = ((name, names.count(name)) for name in dict.fromkeys(names))
    return ", ".join(name if count == 1 else f"{count} x {name}" for name, count in counted) or None


def _operating_system() -> str:
    try:
        distribution = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        distribution = ""
    kernel = f"{platform.system()} {platform.release()}"
    return f"{distribution} ({kernel})" if distribution else kernel


def _versions(packages: Sequence[str]) -> dict[str, str]:
    versions = {}
    for name in packages:
        try:
            versions[name] = _version(importlib.metadata.distribution(name))
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _version(distribution: importlib.metadata.Distribution) -> str:
    """Return the version of a distribution; the rest of its metadata, such as its README, is not parsed."""
    head = re.search(r"^Version: (\S+)", distribution.read_text("METADATA") or "", re.MULTILINE)
    return head[1] if head else distribution.version


__all__ = [
    "PACKAGES",
    "CpuClock",
    "allowed_cpus",
    "continue_tree",
    "gpu_identities",
    "has_nvidia_gpu",
    "kill_tree",
    "last_level_cache_bytes",
    "observe",
    "peak_memory_bytes",
    "process_tree",
    "reset_peak_memory",
    "stop_tree",
    "suite_commit",
    "thread_times",
    "threads_at_work",
    "usable_cores",
    "usable_memory_bytes",
    "visible_gpus",
]
