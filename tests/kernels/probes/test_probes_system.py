"""Files and processes: the bytes read are those written, and a started process prints where it runs."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from daasbench.kernels.probes import files, kernel, starts
from daasbench.kernels.probes.options import ProbesOptions, StartStates, Storage

from daasbench.contracts import Resources
from daasbench.errors import MissingRequirement
from daasbench.model import Verdict

STORAGE = get_args(Storage)
SIZES = [1, 4095, 4096, 4097, 3 * 4096 + 5, 2**23 + 1]


@pytest.fixture
def folder(tmp_path: Path) -> str:
    if files.filesystem_of(tmp_path) in ("tmpfs", "ramfs"):
        pytest.skip("absent: storage below the folder for temporary files, which is in memory")
    return str(tmp_path)


def make(blocks: int = 2, size: int | None = None, **options: Any) -> Any:
    parameters = dict(kernel.sizes["tiny"]) | ({"storage_bytes": size} if size else {})
    return kernel.make(parameters, ProbesOptions(**options), 7, blocks)


def prepare(problem: Any, implementation: str, threads: int = 1) -> Any:
    try:
        return kernel.implementations[implementation].load()(problem, Resources(threads=threads))
    except MissingRequirement as missing:
        if problem.probe in STORAGE and "past the page cache" in str(missing):
            pytest.skip(f"absent: {missing}")
        raise


def judge(problem: Any, result: Any, block: int = 0) -> Verdict:
    return kernel.verify(problem, kernel.expect(problem, problem.options), block, result, "")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# --- storage --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("implementation", ["numpy", "system"])
@pytest.mark.parametrize("probe", STORAGE)
def test_what_is_read_is_what_was_written(folder: str, probe: Any, implementation: str, threads: int) -> None:
    problem = make(probe=probe, folder=folder)
    compute = prepare(problem, implementation, threads)
    for block in (0, 1, 0):
        verdict = judge(problem, compute(problem.blocks[block]), block)
        assert verdict.ok, verdict
        assert verdict.error == 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("implementation", ["numpy", "system"])
@pytest.mark.parametrize("probe", STORAGE)
def test_no_byte_is_lost_at_the_end_of_a_page(folder: str, probe: Any, implementation: str, size: int) -> None:
    problem = make(1, size, probe=probe, folder=folder)
    assert judge(problem, prepare(problem, implementation, 2)(problem.blocks[0])).ok


@pytest.mark.parametrize("implementation", ["numpy", "system"])
@pytest.mark.parametrize("probe", STORAGE)
def test_no_file_remains_in_the_folder(folder: str, probe: Any, implementation: str) -> None:
    free = open_files()
    problem = make(probe=probe, folder=folder)
    compute = prepare(problem, implementation)
    result = compute(problem.blocks[0])
    assert list(Path(folder).iterdir()) == []
    del compute, result
    gc.collect()
    assert open_files() <= free


@pytest.mark.parametrize("probe", STORAGE)
def test_one_wrong_byte_is_caught(folder: str, probe: Any) -> None:
    problem = make(probe=probe, folder=folder)
    result = prepare(problem, "numpy")(problem.blocks[0])
    if probe == "storage_write":
        os.pwrite(result.file.fileno(), bytes([result.content()[70_000] ^ 1]), 70_000)
    else:
        result[70_000] ^= 1
    assert judge(problem, result).error == 1


def test_a_file_that_is_too_short_and_that_of_another_block_are_caught(folder: str) -> None:
    problem = make(probe="storage_write", folder=folder)
    compute = prepare(problem, "numpy")
    assert not judge(problem, compute(problem.blocks[1]), 0).ok
    short = compute(problem.blocks[0])
    os.ftruncate(short.file.fileno(), 100)
    assert not judge(problem, short).ok


def test_dropped_pages_are_gone_before_a_cold_read(folder: str) -> None:
    data = make(1, probe="storage_write").blocks[0]["bytes"]
    file = files.stored(Path(folder), data)
    assert files.resident_share(file.file, data.size) == 1
    try:
        files.require_cold(file.file, data.size, Path(folder))
    except MissingRequirement as missing:
        pytest.skip(f"absent: {missing}")
    assert files.resident_share(file.file, data.size) == 0


def test_a_cold_read_of_what_stays_in_memory_is_refused(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from daasbench.kernels.probes import files as room

    monkeypatch.setattr(room, "resident_share", lambda *_: 0.5)
    with pytest.raises(MissingRequirement, match="50% of a file remains in the page cache"):
        prepare(make(probe="storage_read_cold", folder=folder), "numpy")


@pytest.mark.parametrize("folder_", ["/nowhere/at/all", "/proc/self/mounts"])
def test_a_folder_that_is_none_is_refused_with_the_option_to_change(folder_: str) -> None:
    with pytest.raises(MissingRequirement, match="option folder"):
        files.storage_folder(folder_, 1)


def test_a_folder_in_memory_or_too_small_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "filesystem_of", lambda _: "tmpfs")
    with pytest.raises(MissingRequirement, match="is in memory"):
        files.storage_folder(str(tmp_path), 1)
    monkeypatch.setattr(files, "filesystem_of", lambda _: "ext4")
    with pytest.raises(MissingRequirement, match="the probe writes"):
        files.storage_folder(str(tmp_path), 2**62)


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("a / ext4 rw 0 0\nb /data lustre rw 0 0\nc /data/my\\040own tmpfs rw 0 0\n")
    kinds = [files.filesystem_of(Path(path), mounts) for path in ("/etc", "/data/x", "/data/my own/x", "/database")]
    assert kinds == ["ext4", "lustre", "tmpfs", "ext4"]


# --- starts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probe", get_args(StartStates))
def test_every_started_process_prints_where_it_runs(probe: Any) -> None:
    problem = make(1, probe=probe)
    try:
        compute = prepare(problem, "system")
    except MissingRequirement as missing:
        if probe in ("start_process", "start_python", "import_library"):
            raise
        pytest.skip(f"absent: {missing}")
    verdict = judge(problem, compute(problem.blocks[0]))
    assert verdict.ok, verdict


def test_a_process_that_fails_or_says_something_else_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from daasbench.kernels.probes import with_system

    problem = make(1, probe="start_python")
    compute = prepare(problem, "system")
    for answer in ((1, "here", ""), (0, "elsewhere", "")):
        monkeypatch.setattr(with_system, "run", lambda _, answer=answer: answer)
        assert judge(problem, compute(problem.blocks[0])).error == 2


def test_a_container_that_shares_our_namespace_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts.shutil, "which", lambda name: f"/bin/{name}")
    own = str(Path("/proc/self/ns/mnt").readlink())
    start = starts.start_of(ProbesOptions(probe="start_podman", image="alpine"))
    assert not start.is_right(own)
    assert not start.is_right("")
    assert start.is_right("mnt:[1]")
    assert start.command[-3:] == ("alpine", "readlink", "/proc/self/ns/mnt")


@pytest.mark.parametrize("probe", ["start_user_namespace", "start_bwrap", "start_podman"])
def test_what_is_not_installed_is_named_with_its_fix(probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts.shutil, "which", lambda _: None)
    with pytest.raises(MissingRequirement, match=r"the program \w+ was not found; install"):
        starts.start_of(ProbesOptions(probe=probe))


def test_the_message_of_a_container_that_may_not_start_is_its_own() -> None:
    options = ProbesOptions(probe="start_podman")
    code = "import sys; sys.exit('newuidmap: not permitted')"
    start = starts.StartCommand(command=(sys.executable, "-c", code), is_right=lambda _: True)
    with pytest.raises(
        MissingRequirement, match="start_podman does not work on this machine: newuidmap: not permitted"
    ):
        starts.require_start(start, options)


def test_a_missing_library_is_named() -> None:
    with pytest.raises(MissingRequirement, match="pip install nonesuch"):
        prepare(make(1, probe="import_library", library="nonesuch.part"), "system")


def test_a_library_is_a_name_and_nothing_else() -> None:
    with pytest.raises(msgspec.ValidationError, match="library"):
        msgspec.convert({"library": "os; print(1)"}, ProbesOptions)


# --- counted --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probe", "units", "unit"),
    [("storage_read_cold", 0.0010526750, "GB"), ("copy_to_device", 0.0010526750, "GB"), ("start_bwrap", 2, "start")],
)
def test_units_are_bytes_and_starts(probe: Any, units: float, unit: str) -> None:
    work = kernel.work(kernel.sizes["tiny"], ProbesOptions(probe=probe))
    assert (work.units, work.unit) == (pytest.approx(units, rel=1e-3), unit)
    assert unit in kernel.card.unit
    made = sum(one.nbytes for one in make(1, probe=probe).blocks[0].values() if isinstance(one, np.ndarray))
    assert work.input_bytes == made


@pytest.mark.parametrize("implementation", ["numpy", "numba", "system", "mpi", "cupy"])
@pytest.mark.parametrize("probe", ["triad", "storage_write", "start_python", "mpi_latency", "copy_to_device"])
def test_a_probe_that_an_implementation_does_not_have_is_named_with_those_that_have_it(
    probe: Any, implementation: str
) -> None:
    from daasbench.kernels.probes.options import require_implementation

    implementations = {
        "triad": {"numpy", "numba", "cupy"},
        "storage_write": {"numpy", "system"},
        "start_python": {"system"},
    }
    implementations |= {"mpi_latency": {"mpi"}, "copy_to_device": {"cupy"}}
    if implementation in implementations[probe]:
        require_implementation(probe, implementation)
    else:
        with pytest.raises(MissingRequirement, match="; use "):
            require_implementation(probe, implementation)
