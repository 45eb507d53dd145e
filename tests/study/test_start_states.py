"""Starts: a cold one reads what it uses from storage, a warm one does not, and neither word is used otherwise."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daasbench.errors import MissingRequirement
from daasbench.host import page_cache
from daasbench.measure.messages import Failure, Prepared, Spec
from daasbench.measure.start_state import StartStates
from daasbench.model import Case, Outcome, Planned, Reason, Verdict

KERNEL = """
import numpy as np
from daasbench import kernel

@kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - inputs["frames"].sum()), tolerance=0.5)
def frame_sums(inputs):
    return {"total": inputs["frames"].sum()}

@frame_sums.implementation("compiled")
def compiled(inputs):
    return {"total": adding()(inputs["frames"].ravel())}

def adding():
    from numba import njit

    @njit(cache=True)
    def add(values):
        total = 0.0
        for value in values:
            total += value
        return total
    return add

@frame_sums.inputs(tiny={"n": 2}, small={"n": 280})
def frames(n, rng):
    return {"frames": rng.random((n, 256, 1024)).astype("f4").round()}
"""

SCENARIO = """
question = "How long until the first sum?"
platforms = ["here"]
[beamline]
name = "ID0"
unit = "frame"
units_per_s = 5.0
source = "this test"
date = 2026-11-01
[[cases]]
kernel = "sums.py"
implementations = {implementations}
sizes = "{size}"
threads = 1
cache = true  # no limits are measured then
start = {starts}
[repeat]
processes = {processes}
min_repeats = 1
max_repeats = 1
limit_s = 100
"""


@pytest.fixture
def own_libraries(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the processes of a run a numpy of their own: what another process of this machine maps stays in memory.

    What they still share with others (the system's libraries, the interpreter's modules) is 20 MB, of 300 MB and more
    that a start of these tests uses.
    """
    place = tmp_path_factory.mktemp("libraries")
    site = Path(np.__file__).parent.parent
    for name in ("numpy", "numpy.libs"):
        if (site / name).is_dir():  # a numpy that brings no libraries uses the system's
            shutil.copytree(site / name, place / name, ignore=shutil.ignore_patterns("tests", "*.pyi", "include"))
    monkeypatch.setenv("PYTHONPATH", str(place))


@pytest.fixture
def records(tmp_path: Path, say: Callable[..., Any]) -> Callable[..., dict[str, dict[str, Any]]]:
    """Return a function that measures starts and returns their records, by state."""
    (tmp_path / "sums.py").write_text(KERNEL)

    def run(starts: list[str], implementation: str, size: str) -> dict[str, dict[str, Any]]:
        texts = {"implementations": [implementation], "size": size, "starts": starts, "processes": 1}
        (tmp_path / "starts.toml").write_text(SCENARIO.format(**texts))
        said = say("run", "./starts.toml")
        assert said.code == 0, said
        lines = [json.loads(line) for path in tmp_path.rglob("records.jsonl") for line in path.read_text().splitlines()]
        return {one["case"]["start"]: one for one in lines if one["type"] == "record"}

    return run


@pytest.mark.slow
@pytest.mark.usefixtures("own_libraries")
def test_a_cold_start_has_its_files_read_from_storage_and_a_warm_one_does_not(
    records: Callable[..., dict[str, dict[str, Any]]],
) -> None:
    found = records(["warm", "cold"], "numpy", "small")
    assert {state: one["outcome"] for state, one in found.items()} == {"warm": "ok", "cold": "ok"}, found
    inputs = found["cold"]["work"]["input_bytes"] or 280 * 256 * 1024 * 4
    cold, warm = found["cold"]["start_evidence"], found["warm"]["start_evidence"]
    assert cold["evicted_by"] == page_cache.METHOD
    assert cold["left_bytes"] < 0.1 * (cold["left_bytes"] + cold["came_bytes"])
    assert cold["read_bytes"] >= inputs
    assert cold["came_bytes"] >= inputs
    assert cold["major_faults"] > warm["major_faults"]
    assert warm["evicted_by"] == ""
    assert warm["left_bytes"] >= inputs
    assert warm["read_bytes"] < 0.05 * inputs
    for one in found.values():
        assert {"make", "interpreter", "import", "read", "put", "setup", "first_call", "get"} <= one["phases"].keys()
        assert all(seconds >= 0 for seconds in one["phases"].values())
        assert one["blocks"] == 1
        assert one["order"] == "alone"


@pytest.mark.slow
def test_an_uncompiled_start_compiles_and_a_warm_one_finds_it_compiled(
    records: Callable[..., dict[str, dict[str, Any]]],
) -> None:
    found = records(["warm", "uncompiled"], "compiled", "tiny")
    assert {state: one["outcome"] for state, one in found.items()} == {"warm": "ok", "uncompiled": "ok"}, found
    warm, uncompiled = found["warm"]["start_evidence"], found["uncompiled"]["start_evidence"]
    assert warm["compiled_before"] == warm["compiled_after"] > 0
    assert uncompiled["compiled_before"] == 0 < uncompiled["compiled_after"]


# --- what can be said of a state, with files of our own


class Process:
    """A stand-in for a measuring process that reads some files, in a process whose reads the system counts."""

    started = None

    def __init__(self, files: list[Path], reads: bool) -> None:
        self.files, self.reads = files, reads

    def ask(self, command: object, answer: type[Any], *, timeout_s: float, **_: object) -> Prepared:
        before = page_cache.storage_reads()
        assert before is not None, "this test needs /proc/self/io"
        if self.reads:
            page_cache.load(self.files)
        after = page_cache.storage_reads() or before
        verdict = Verdict(error=0.0, tolerance=1.0, verified_by="oracle")
        files, read = list(map(str, self.files)), after[0] - before[0]
        return Prepared(phases={}, verdict=verdict, files=files, read_bytes=read, major_faults=0)

    def close(self) -> None:
        pass


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return a file of 4 MB."""
    path = tmp_path / "library.so"
    path.write_bytes(os.urandom(4_000_000))
    return path


def planned(start: str) -> Planned:
    case = Case(kernel="sums", implementation="numpy", version="1", size="tiny", seed=0, start=start)  # type: ignore[arg-type]
    return Planned(key="k", case=case, process=0)


def starts_of(library: Path, tmp_path: Path, reads: bool = True) -> tuple[StartStates, Process]:
    process = Process([library], reads)

    def start(one: Planned, more: Mapping[str, str]) -> Any:
        return process

    spec = Spec(case=planned("warm").case, scratch=str(tmp_path / "scratch"))
    return StartStates(tmp_path / "starts", start, lambda one: spec, lambda: None, lambda s: None), process


def go(starts: StartStates, process: Process, start: str) -> Any:
    """Make the state, let the process start, and judge it."""
    state = starts.make(planned(start), timeout_s=1.0)
    assert not isinstance(state, Failure)
    return starts.judge(planned(start).case, state, process.ask("prepare", Prepared, timeout_s=1.0), 0.0)


def test_a_file_is_in_memory_after_it_was_read_and_not_after_it_was_put_out(library: Path) -> None:
    page_cache.load([library])
    assert page_cache.cached_bytes([library]) == -(-4_000_000 // mmap.PAGESIZE) * mmap.PAGESIZE
    page_cache.evict([library])
    assert page_cache.cached_bytes([library]) == 0
    assert page_cache.cached_bytes([library.with_name("gone")]) == 0


def test_the_states_are_what_they_are_called(library: Path, tmp_path: Path) -> None:
    starts, process = starts_of(library, tmp_path)
    cold, warm = go(starts, process, "cold"), go(starts, process, "warm")
    assert (cold.left_bytes, warm.read_bytes) == (0, 0)
    assert cold.read_bytes >= 4_000_000
    assert cold.came_bytes >= 4_000_000


def test_files_that_another_process_uses_cannot_be_made_cold(library: Path, tmp_path: Path) -> None:
    starts, _ = starts_of(library, tmp_path)
    with library.open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as held:
        assert sum(held[:: mmap.PAGESIZE]) > 0  # every page is mapped now
        with pytest.raises(
            MissingRequirement, match=r"cannot be evicted: 4 MB of the 4 MB that it uses remain in memory"
        ):
            starts.make(planned("cold"), timeout_s=1.0)


def test_a_start_whose_files_another_reads_meanwhile_is_not_called_cold(library: Path, tmp_path: Path) -> None:
    starts, process = starts_of(library, tmp_path)
    state = starts.make(planned("cold"), timeout_s=1.0)
    assert not isinstance(state, Failure)
    page_cache.load([library])  # by another process: the measured one then finds it in memory
    seen = process.ask("prepare", Prepared, timeout_s=1.0)
    with pytest.raises(
        MissingRequirement, match=r"was not cold: 4 MB came into memory, but the process read only 0 MB"
    ):
        starts.judge(planned("cold").case, state, seen, 0.0)


def test_a_start_that_touches_nothing_is_not_called_cold(library: Path, tmp_path: Path) -> None:
    starts, _ = starts_of(library, tmp_path)
    state = starts.make(planned("cold"), timeout_s=1.0)
    idle = Process([library], reads=False)
    assert not isinstance(state, Failure)
    with pytest.raises(MissingRequirement, match="was not cold"):
        starts.judge(planned("cold").case, state, idle.ask("prepare", Prepared, timeout_s=1.0), 0.0)


def test_a_start_whose_files_were_put_out_meanwhile_is_not_called_warm(library: Path, tmp_path: Path) -> None:
    starts, process = starts_of(library, tmp_path)
    state = starts.make(planned("warm"), timeout_s=1.0)
    assert not isinstance(state, Failure)
    page_cache.evict([library])
    seen = process.ask("prepare", Prepared, timeout_s=1.0)
    with pytest.raises(MissingRequirement, match="did not stay in memory"):
        starts.judge(planned("warm").case, state, seen, 0.0)


def test_a_rehearsal_that_fails_is_the_failure_of_the_case(library: Path, tmp_path: Path) -> None:
    starts, process = starts_of(library, tmp_path)
    message = Failure(outcome=Outcome.FAILED, reason=Reason.KERNEL, message="no such thing")
    process.ask = lambda *_, **__: message  # type: ignore[assignment,method-assign]
    assert starts.make(planned("cold"), timeout_s=1.0) == message


def test_what_a_system_does_not_tell_is_not_guessed(library: Path, tmp_path: Path) -> None:
    starts, _ = starts_of(library, tmp_path)
    state = starts.make(planned("warm"), timeout_s=1.0)
    seen = Prepared(phases={}, verdict=Verdict(error=0.0, tolerance=1.0, verified_by="oracle"))
    assert not isinstance(state, Failure)
    with pytest.raises(MissingRequirement, match="/proc/self/io"):
        starts.judge(planned("warm").case, state, seen, 0.0)


def test_several_nodes_cannot_be_looked_at(library: Path, tmp_path: Path) -> None:
    starts, _ = starts_of(library, tmp_path)
    case = Case(kernel="sums", implementation="mpi", version="1", nodes=2, ranks=2, start="cold")
    with pytest.raises(MissingRequirement, match="several nodes"):
        starts.make(Planned(key="k", case=case, process=0), timeout_s=1.0)


def test_the_state_of_a_start_tells_cases_apart_and_leaves_old_ones_as_they_were() -> None:
    case = Case(kernel="sums", implementation="numpy", version="1", size="tiny", seed=0)
    others = [planned(start).case for start in ("warm", "uncompiled", "cold", "first")]
    assert len({case.id, *(one.id for one in others)}) == 5
    assert len({case.problem_id, *(one.problem_id for one in others)}) == 5
    assert case.id == "e751306247c2d647"


def test_the_files_of_this_process_are_its_modules_and_what_it_maps() -> None:
    found = page_cache.files_in_use()
    assert str(Path(__file__)) in found
    assert any("numpy" in path and path.endswith(".so") for path in found)
    assert any(Path(sys.executable).resolve().name in path for path in page_cache.interpreter_files())


def test_a_rate_in_another_unit_is_refused_with_the_fix(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "sums.py").write_text(KERNEL)
    text = SCENARIO.format(implementations=["numpy"], size="tiny", starts=["any"], processes=1)
    (tmp_path / "starts.toml").write_text(text.replace('unit = "frame"', 'unit = "spectrum"'))
    said = refused("./starts.toml")
    assert "beamline.unit: 'spectrum' is not the unit of cases[0]: frame_sums counts its work in 'frame'" in said
    assert "give the rate in that unit" in said


def test_an_unknown_state_is_refused_with_those_there_are(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "sums.py").write_text(KERNEL)
    text = SCENARIO.format(implementations=["numpy"], size="tiny", starts='"icy"', processes=1)
    (tmp_path / "starts.toml").write_text(text)
    assert "cases[0].start" in refused("./starts.toml")
