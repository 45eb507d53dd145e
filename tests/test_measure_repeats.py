"""A problem of fewer blocks than repeats shall rotate over: the harness repeats them, each in memory of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from daasbench import kernel
from daasbench.compute.backends import HostBackend
from daasbench.contracts import Partitioned
from daasbench.measure import scratch
from daasbench.measure.inputs import MissingRequirement, PluginError, make_inputs, with_blocks
from daasbench.measure.messages import Spec
from daasbench.measure.session import Session
from daasbench.model import Case, Verdict, Work

CASE = Case(kernel="sums", implementation="numpy", version="1", input_hash="file")
BYTES = 800  # of a block


@dataclass(frozen=True)
class Frames:
    """A problem of one block or two."""

    blocks: list[Any]
    work: Work

    @functools.cached_property
    def worked_out(self) -> object:
        """Return what must not be worked out again."""
        return object()


class Sums:
    """A user's kernel whose files hold fewer blocks than are asked for; what its parts are called with is kept."""

    def __init__(self, blocks: int) -> None:
        self.made = kernel(unit="frame", oracle=lambda _, __: 0.0, tolerance=0.5, name="sums", repeat_tolerance=1e-6)(
            total
        )
        self.made.reader(lambda _: {"frames": np.zeros(1)})
        self.blocks, self.asked, self.verified, self.expected = blocks, 0, [], 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made, name)

    def read(self, _path: Path, _parameters: Any, _options: Any, blocks: int) -> Frames:
        self.asked = blocks
        made = [{"frames": np.arange(BYTES // 8) + 1000.0 * block} for block in range(self.blocks)]
        return Frames(made, Work(unit="frame", units=1.0, bytes=BYTES, input_bytes=BYTES))

    def expect(self, problem: Frames, _options: Any) -> list[float]:
        self.expected = len(problem.blocks)
        return [float(block["frames"].sum()) for block in problem.blocks]

    def verify(self, problem: Frames, expectation: list[float], block: int, result: Any, _judged_as: str) -> Verdict:
        assert len(expectation) == self.blocks
        np.testing.assert_array_equal(problem.blocks[block]["frames"].sum(), expectation[block])
        self.verified.append(block)
        return Verdict(error=abs(float(result["total"][0]) - expectation[block]), tolerance=1e-9, verified_by="oracle")


def total(inputs: Any) -> dict[str, Any]:
    return {"total": np.array([inputs["frames"].sum()])}


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, Any, Any]]:
    """Return a function that makes the inputs of a file of some blocks: the kernel, what was made, and its session."""

    def start(blocks: int, cache_bytes: int, prepare: Any = None, backend: str = "host") -> tuple[Any, Any, Any]:
        made = Sums(blocks)
        for user in ("inputs", "session"):
            monkeypatch.setattr(f"daasbench.measure.{user}.find_kernel", lambda case, source: made)
        (tmp_path / "file").write_bytes(b"")
        if prepare is not None:
            one = made.made.implementations["numpy"]
            changed = msgspec.structs.replace(one, load=lambda: prepare, backend=backend)
            made.made.implementations["numpy"] = changed
        spec = Spec(
            case=CASE, scratch=str(tmp_path / "scratch/one"), paths={"input": str(tmp_path / "file")},
            cache_bytes=cache_bytes,
        )  # fmt: skip
        return made, make_inputs(spec), Session(spec)

    return start


def places(session: Session) -> list[int]:
    return [block["frames"].ctypes.data for block in session.blocks]


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_kernel_that_reads_fewer_blocks_is_verified_over_all_of_them(blocks: int, measured: Any) -> None:
    made, inputs, session = measured(blocks, cache_bytes=2 * BYTES)
    assert (inputs.blocks, made.asked, made.expected) == (8, 8, blocks)
    assert session.prepare().verdict.ok
    made.verified.clear()
    round_result = session.round(15, number=0, limit_s=60.0, origin=0.0)
    assert round_result.verdict.ok
    assert round_result.samples.block == [position % 8 for position in range(16)]
    assert made.verified == [position % 8 % blocks for position in range(16)]
    assert len(session.verified) == blocks


def test_every_repeat_of_a_block_has_memory_of_its_own(measured: Any) -> None:
    _, _, session = measured(3, cache_bytes=2 * BYTES)
    session.prepare()
    assert len(set(places(session))) == 8
    frames = [block["frames"] for block in session.blocks]
    for position, one in enumerate(frames):
        np.testing.assert_array_equal(one, frames[position % 3])
        assert one.ctypes.data % scratch.ALIGNMENT == 0
        assert not any(np.shares_memory(one, other) for other in frames[:position])


def test_the_scratch_file_holds_each_block_once(measured: Any, tmp_path: Path) -> None:
    _, inputs, _ = measured(1, cache_bytes=2 * BYTES)
    stored = (tmp_path / "scratch/one/arrays").stat().st_size
    assert inputs.bytes == BYTES
    assert BYTES <= stored < BYTES + scratch.ALIGNMENT
    assert len(scratch.load(tmp_path / "scratch/one").problem.blocks) == 1


def test_a_disk_with_room_for_the_blocks_of_the_file_is_enough(measured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {"free": 2 * BYTES}
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), free))
    _, inputs, _ = measured(1, cache_bytes=2 * BYTES)
    assert inputs.blocks == 8
    free["free"] = BYTES - 1
    with pytest.raises(MissingRequirement, match="of disk"):
        measured(1, cache_bytes=2 * BYTES)


def test_an_implementation_sees_every_block_it_will_compute_and_what_is_worked_out(measured: Any) -> None:
    seen: list[Any] = []

    def prepare(problem: Any, _resources: Any) -> Any:
        seen.append(problem)
        return total

    _, _, session = measured(1, cache_bytes=BYTES, prepare=prepare)
    session.prepare()
    (problem,) = seen
    assert [one is other for one, other in zip(problem.blocks, session.blocks, strict=True)] == [True] * 4
    assert problem.worked_out is session.problem.worked_out


def test_parts_of_ranks_that_are_views_of_one_block_get_memory_of_their_own(measured: Any) -> None:
    def prepare(_problem: Any, _resources: Any) -> Partitioned:
        return Partitioned(put=lambda block: {"frames": block["frames"][2:]}, compute=total, get=lambda result: result)

    made, _, session = measured(1, cache_bytes=BYTES, prepare=prepare, backend="mpi")
    made.verify = lambda *_: Verdict(error=0.0, tolerance=0.0, verified_by="oracle")
    session.group.slowest = lambda seconds: seconds
    session.prepare()
    assert len(set(places(session))) == 4


def test_a_problem_whose_blocks_cannot_be_set_is_repeated_all_the_same(measured: Any) -> None:
    class Computed:
        @property
        def blocks(self) -> list[int]:
            return [1]

    one = Computed()
    assert with_blocks(one, [1, 1]) is one


def test_a_problem_without_blocks_is_refused_in_a_sentence(measured: Any) -> None:
    with pytest.raises(PluginError, match="kernel sums: its problem has no blocks; it must have one at least"):
        measured(0, cache_bytes=BYTES)


def test_a_user_s_reader_of_one_file_makes_one_block(tmp_path: Path) -> None:
    made = kernel(unit="frame", oracle=lambda _, __: 0.0, tolerance=0.5, name="sums")(total)
    made.reader(lambda path: {"frames": np.fromfile(path, "u1")})
    (tmp_path / "file").write_bytes(b"1234")
    problem = made.read(tmp_path / "file", {}, made.options(), 5)
    assert len(problem.blocks) == 1
    assert HostBackend().put(problem.blocks[0]) is problem.blocks[0]
