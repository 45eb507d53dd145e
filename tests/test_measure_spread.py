"""Ranks and workers: the checks of their registration, the commands of launchers, and whose memory counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daasbench.compute import backends
from daasbench.compute.backends import library_name, require
from daasbench.contracts import Implementation
from daasbench.errors import MissingRequirement
from daasbench.host import launchers
from daasbench.host.processes import shared_memory_bytes
from daasbench.measure import scratch
from daasbench.measure.bench import visible_devices
from daasbench.measure.inputs import predicted_bytes
from daasbench.measure.rank_checks import RankInfo, check_rank, check_ranks
from daasbench.measure.requirements import missing_requirement
from daasbench.model import Case, Platform, Work
from daasbench.model.sizes import binary_size

CASE = Case(kernel="k", implementation="mpi", version="1", size="small", ranks=4, threads=2)


@pytest.mark.parametrize(
    ("launcher", "command"),
    [
        ("srun", ["srun", "-n", "4"]),
        ("srun -N {nodes} -n {ranks} -c {threads}", ["srun", "-N", "1", "-n", "4", "-c", "2"]),
        (["mpiexec", "--np={ranks}"], ["mpiexec", "--np=4"]),
        ("'my mpi/exec'", ["my mpi/exec", "-n", "4"]),
    ],
)
def test_a_launcher_receives_the_number_of_ranks(launcher: Any, command: list[str]) -> None:
    assert launchers.launch_command({"launcher": launcher}, CASE) == command


def test_without_the_option_the_launcher_is_that_of_this_python() -> None:
    command = launchers.launch_command({}, CASE)
    assert command == [str(launchers.default_launcher()), "-n", "4"]


def test_a_missing_launcher_is_reported_with_its_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    with pytest.raises(
        MissingRequirement, match=r"this Python has no mpiexec .*; name the mpiexec of .*-m pip install mpich"
    ):
        launchers.require_launcher({})


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("MPICH Version:      5.0.2\nMPICH Release date: today", "MPICH 5.0.2"),
        ("Open MPI v5.0.8, package: Open MPI root@x Distribution", "Open MPI v5.0.8"),
        ("", "an MPI without a name"),
    ],
)
def test_an_mpi_library_has_a_short_name(message: str, name: str) -> None:
    assert library_name(message) == name


def test_mpi4py_without_an_mpi_is_a_missing_requirement_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_ask_mpi", lambda: ("RuntimeError: cannot load MPI library", False))
    monkeypatch.delitem(__import__("sys").modules, "mpi4py.MPI", raising=False)
    implementation = Implementation(name="mpi", load=lambda: lambda *_: None, backend="mpi")
    with pytest.raises(
        MissingRequirement, match=r"finds no MPI library \(RuntimeError.*\); load the MPI module .*-m pip install mpich"
    ):
        require(implementation)


@pytest.mark.parametrize(("backend", "package", "extra"), [("mpi", "mpi4py", "mpi"), ("dask", "distributed", "dask")])
def test_a_package_that_is_not_installed_is_a_missing_requirement_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, backend: str, package: str, extra: str
) -> None:
    find_spec = backends.importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else find_spec(name))
    with pytest.raises(
        MissingRequirement, match=rf"{package} is not installed; install it: .*python.* -m pip install .*\[{extra}\]"
    ):
        require(Implementation(name=backend, load=lambda: lambda *_: None, backend=backend))


# --- checks of the registration of ranks ----------------------------------------------------------------------


def doubts(*infos: RankInfo, case: Case = CASE) -> str | None:
    """Return the message of the checks on ranks that register so."""
    failure = next(filter(None, (check_rank(one, case, "mpiexec") for one in infos)), None) or check_ranks(infos, case)
    return failure.message if failure else None


def info(rank: int, **more: Any) -> RankInfo:
    facts = {"host": "a", "size": 4, "threads": "2", "cpus": [2 * rank, 2 * rank + 1], "library": "MPICH 5.0.2", **more}
    return RankInfo(token="", pid=rank, rank=rank, **facts)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({}, None),
        ({"size": 1}, "each sees only itself: it belongs to another MPI than this Python's (MPICH 5.0.2)"),
        ({"size": 2}, "each sees 2"),
        ({"threads": None}, "does not pass environment variables on: OMP_NUM_THREADS is None on rank 1, not 2"),
        ({"cpus": [1]}, "binds rank 1 to 1 processors, the case uses 2 threads"),
        ({"cpus": [1, 2]}, "ranks share processors"),
        ({"host": "b"}, "the ranks run on 2 nodes (a, b), 1 were requested"),
    ],
)
def test_ranks_that_are_not_as_asked_are_doubted(wrong: dict[str, Any], sentence: str | None) -> None:
    message = doubts(info(0), info(1, **wrong), info(2), info(3))
    assert message == sentence or (sentence is not None and sentence in str(message))


def test_ranks_of_several_nodes_may_have_processors_of_the_same_number() -> None:
    case = Case(kernel="k", implementation="mpi", version="1", nodes=2, ranks=4, threads=2)
    ranks = [info(rank, host="ab"[rank // 2], cpus=[0, 1] if rank % 2 else [2, 3]) for rank in range(4)]
    assert doubts(*ranks, case=case) is None


class Versions:
    """A Dask client that tells versions of its two sides."""

    def __init__(self, **workers: str) -> None:
        self.workers = workers

    def get_versions(self, packages: list[str]) -> dict[str, Any]:
        def side(**more: str) -> dict[str, Any]:
            known = {"python": "3.11.2", "distributed": "2026.8.0", "dask": "2026.8.0", "numpy": "2.1"}
            return {"host": {}, "packages": {**known, "daasbench": "0.1.0", **more}}

        return {
            "client": side(),
            "scheduler": side(),
            "workers": {"tcp://b:1": side(), "tcp://a:1": side(**self.workers)},
        }


def test_workers_of_other_versions_are_named_with_theirs_and_ours() -> None:
    from daasbench.measure.dask.worker_checks import compare_versions

    compare_versions(Versions(), "tcp://s:8786")
    message = r"Dask worker tcp://a:1: numpy 1\.26 \(client: 2\.1\); use the same environment on both sides"
    with pytest.raises(MissingRequirement, match=message):
        compare_versions(Versions(numpy="1.26"), "tcp://s:8786")


# --- memory, cores, GPUs --------------------------------------------------------------------------------------


def test_ranks_hold_their_parts_and_each_the_shared_inputs() -> None:
    class Kernel:
        repeat_tolerance = 1e-5
        implementations = {
            name: Implementation(name=name, load=lambda: lambda *_: None, backend=name) for name in ("host", "mpi")
        }

    work = Work(unit="frame", units=1.0, input_bytes=100.0, output_bytes=10.0, shared_bytes=7.0)
    kernel: Any = Kernel()
    alone, spread = (
        predicted_bytes(kernel, Case(kernel="k", implementation=name, version="1", ranks=ranks), work, 1000)
        for name, ranks in (("host", 1), ("mpi", 4))
    )
    assert spread == alone + 3 * 7 + 2 * 10


def test_pages_of_a_mapped_file_are_shared_and_what_is_written_is_ones_own(tmp_path: Path) -> None:
    scratch.save(tmp_path / "one", [np.arange(1000.0), np.zeros(0), np.ones(3, "u1"), np.ones(5)])
    first, second = (scratch.load(tmp_path / "one", mapped=True) for _ in range(2))
    for one, other in zip(first, scratch.load(tmp_path / "one"), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.ctypes.data % 64 == 0 or not one.size
    first[0][0] = 7
    assert second[0][0] == 0
    assert scratch.load(tmp_path / "one")[0][0] == 0
    assert shared_memory_bytes() >= 0


def test_a_truncated_file_is_an_error_when_it_is_mapped(tmp_path: Path) -> None:
    scratch.save(tmp_path / "one", np.ones(100))
    for content in (b"", b"short"):
        (tmp_path / "one" / "arrays").write_bytes(content)
        with pytest.raises(OSError, match="truncated"):
            scratch.load(tmp_path / "one", mapped=True)


def test_more_ranks_than_cores_or_more_nodes_than_one_are_a_missing_requirement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("daasbench.host.machine.usable_cores", lambda: 4)
    case = Case(kernel="tomography", implementation="mpi", version="1", size="tiny", ranks=4, threads=2)
    message = missing_requirement(case, None, gpus=0)
    assert message == (
        '4 ranks of 2 threads requested, 4 cores usable on this machine; write threads = "max", or use a larger machine'
    )
    declared = Platform(runner="slurm", cores_per_node=8)
    assert str(missing_requirement(case, None, gpus=0, platform=declared)).endswith(
        "; correct the platform file, which declares cores_per_node = 8: cores_per_node = 4"
    )
    far = Case(kernel="tomography", implementation="mpi", version="1", size="tiny", nodes=2)
    assert "2 nodes requested, this is one node" in str(missing_requirement(far, None, gpus=0))


@pytest.mark.parametrize(
    ("wanted", "known", "variable", "left"),
    [
        (1, [], None, {}),
        (1, ["0", "1"], None, "0"),
        (2, ["0", "1"], None, "0,1"),
        (0, ["0", "1"], None, ""),
        (1, ["0", "1"], "1", "1"),
        (1, ["0", "1"], "GPU-4,GPU-5", "GPU-4"),
    ],
)
def test_a_measuring_process_sees_as_many_gpus_as_its_case_requests(
    monkeypatch: pytest.MonkeyPatch, wanted: int, known: list[str], variable: str | None, left: Any
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_devices(wanted, known) == (left if left == {} else {"CUDA_VISIBLE_DEVICES": left})


@pytest.mark.parametrize(
    ("size", "written"), [(300e3, "293.0 KiB"), (3 * 2**20, "3.0 MiB"), (600 * 2**20, "0.6 GiB"), (2**40, "1024.0 GiB")]
)
def test_a_lack_of_memory_or_disk_is_never_written_as_zero(size, written):
    """0.0 GiB needed and 0.0 GiB free says nothing."""
    assert binary_size(size) == written
