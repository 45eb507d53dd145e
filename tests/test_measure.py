"""One case in one process: phases and samples by the clock, every repeat verified, every failure an outcome."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from daasbench import kernel
from daasbench.authoring.function import FunctionKernel, FunctionProblem
from daasbench.authoring.verdicts import worst_of
from daasbench.contracts import Implementation
from daasbench.errors import InputError, LedgerError, MissingRequirement, Unfinished
from daasbench.measure import scratch
from daasbench.measure.failures import failure_of, guarded
from daasbench.measure.inputs import MOST_BLOCKS, Inputs, block_count, make_inputs, predicted_bytes
from daasbench.measure.messages import Spec
from daasbench.measure.session import Session
from daasbench.model import Case, Outcome, Reason, Samples, Verdict, Work

CASE = Case(kernel="sums", implementation="numpy", version="1", size="tiny", seed=0)


class Clock:
    """A clock that advances only when a fake works."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def a_kernel(compute: Callable[[Any], Any], *, repeat_tolerance: float | None = 1e-6) -> FunctionKernel:
    """Return a kernel whose inputs are three numbers and whose right result is their sum."""

    def error(inputs: Any, got: Any) -> float:
        return float(abs(got["total"] - inputs["frames"].sum()).max())

    made = kernel(unit="frame", oracle=error, tolerance=0.5, name="sums", repeat_tolerance=repeat_tolerance)(compute)

    @made.inputs(tiny={})
    def frames(rng: Any) -> dict[str, Any]:
        return {"frames": rng.random(3)}

    return made


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Session]:
    """Return a function that prepares a session of a kernel made of a function, on some blocks."""

    def start(compute: Callable[[Any], Any], *, blocks: int = 2, clock: Any = None, **more: Any) -> Session:
        made = a_kernel(compute, **more)
        monkeypatch.setattr("daasbench.measure.session.find_kernel", lambda case, source: made)
        problem = made.make({}, made.options(), 0, blocks)
        scratch.save(tmp_path / "scratch", Inputs(problem, None, blocks))
        return Session(Spec(case=CASE, scratch=str(tmp_path / "scratch")), clock=clock or Clock())

    return start


def total(inputs: Any) -> dict[str, Any]:
    return {"total": np.array([inputs["frames"].sum()])}


# --- phases, samples ------------------------------------------------------------------------------------------


def test_phases_and_samples_are_what_the_clock_says(session: Callable[..., Session]) -> None:
    clock = Clock()

    def compute(inputs: Any) -> dict[str, Any]:
        clock.now += 2.0
        return total(inputs)

    one = session(compute, clock=clock)
    idle = dict.fromkeys(("import", "read", "put", "setup", "get"), 0.0)
    assert one.prepare().phases == {**idle, "first_call": 2.0}
    round_result = one.round(3, number=7, limit_s=1000.0, origin=100.0)
    samples = round_result.samples
    assert samples.seconds == [2.0] * 4
    assert samples.flags == [1, 0, 0, 0]
    assert samples.counted() == [2.0] * 3
    assert samples.round == [7] * 4
    assert samples.block == [0, 1, 0, 1]
    assert samples.at_s == [2.0, 4.0, 6.0, 8.0]
    assert len(samples.cpu_s) == len(samples.get_s) == 4
    assert samples.foreign == []
    assert round_result.verdict is not None
    assert round_result.verdict.ok


def test_verifying_takes_no_part_in_a_sample(session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    verify = FunctionKernel.verify

    def slowly(*arguments: Any) -> Verdict:
        clock.now += 50.0
        return verify(*arguments)

    monkeypatch.setattr(FunctionKernel, "verify", slowly)
    one = session(total, clock=clock)
    one.prepare()
    assert one.round(2, number=0, limit_s=1000.0, origin=0.0).samples.seconds == [0.0] * 3


def test_a_result_is_judged_by_what_its_implementation_declares(
    session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []
    verify = FunctionKernel.verify

    def seen(self: FunctionKernel, problem: Any, expectation: Any, block: int, result: Any, judged_as: str) -> Verdict:
        judged.append(judged_as)
        return verify(self, problem, expectation, block, result, judged_as)

    monkeypatch.setattr(FunctionKernel, "verify", seen)
    one = session(total)
    one.implementation = msgspec.structs.replace(one.implementation, judged_as="loosely")
    one.prepare()
    one.round(2, number=0, limit_s=1000.0, origin=0.0)
    assert judged == ["loosely"] * 4


def test_a_round_ends_at_its_limit_with_one_sample_that_counts(session: Callable[..., Session]) -> None:
    clock = Clock()

    def compute(inputs: Any) -> dict[str, Any]:
        clock.now += 10.0
        return total(inputs)

    one = session(compute, clock=clock)
    one.prepare()
    assert one.round(50, number=0, limit_s=0.0, origin=0.0).samples.flags == [1, 0]
    assert one.round(50, number=1, limit_s=25.0, origin=0.0).samples.flags == [1, 0, 0]


def test_threads_that_each_repeat_leaves_running_are_counted(session: Callable[..., Session]) -> None:
    end = threading.Event()

    def leaking(inputs: Any) -> dict[str, Any]:
        threading.Thread(target=end.wait).start()
        return total(inputs)

    try:
        one = session(leaking)
        one.prepare()
        assert one.round(9, number=0, limit_s=9.0, origin=0.0).threads_left == 9
        assert one.round(2, number=1, limit_s=9.0, origin=0.0).threads_left == 0  # so few may be chance
    finally:
        end.set()


def test_a_pool_of_threads_that_starts_late_is_not_left_by_each_repeat(session: Callable[..., Session]) -> None:
    end, calls = threading.Event(), itertools.count()

    def pooled(inputs: Any) -> dict[str, Any]:
        if next(calls) == 4:
            for _ in range(8):
                threading.Thread(target=end.wait).start()
        return total(inputs)

    try:
        one = session(pooled)
        one.prepare()
        assert one.round(9, number=0, limit_s=9.0, origin=0.0).threads_left == 0
    finally:
        end.set()


def test_the_peak_of_memory_is_that_of_the_timed_calls(session: Callable[..., Session]) -> None:
    def compute(inputs: Any) -> dict[str, Any]:
        np.ones(30_000_000)
        return total(inputs)

    one = session(compute)
    one.prepare()
    round_result = one.round(1, number=0, limit_s=9.0, origin=0.0)
    assert round_result.peak_memory_bytes is not None
    assert round_result.peak_memory_bytes > 240_000_000


# --- verification ---------------------------------------------------------------------------------------------


def verdict_of(one: Session, repeats: int = 8) -> Verdict:
    one.prepare()
    verdict = one.round(repeats, number=0, limit_s=9.0, origin=0.0).verdict
    assert verdict is not None
    return verdict


def test_a_later_wrong_result_is_caught_by_the_oracle(session: Callable[..., Session]) -> None:
    calls = iter(range(100))
    verdict = verdict_of(session(lambda inputs: {"total": total(inputs)["total"] + (next(calls) == 4)}))
    assert not verdict.ok
    assert "repeat 3" in verdict.message


def test_a_race_that_the_oracle_tolerates_is_caught_by_the_first_result_of_its_block(
    session: Callable[..., Session],
) -> None:
    calls = iter(range(100))
    verdict = verdict_of(session(lambda inputs: {"total": total(inputs)["total"] + (next(calls) == 4) * 1e-3}))
    assert not verdict.ok
    assert "a race" in verdict.message


def test_without_a_repeat_tolerance_only_the_oracle_decides(session: Callable[..., Session]) -> None:
    calls = iter(range(100))
    racy = session(lambda inputs: {"total": total(inputs)["total"] + (next(calls) == 4) * 1e-3}, repeat_tolerance=None)
    assert verdict_of(racy).ok


def test_what_is_kept_is_a_copy_where_every_call_returns_the_same_buffer(session: Callable[..., Session]) -> None:
    buffer = np.zeros(1)
    calls = iter(range(100))

    def compute(inputs: Any) -> dict[str, Any]:
        buffer[:] = inputs["frames"].sum() + (next(calls) > 5) * 1e-3
        return {"total": buffer}

    assert "a race" in verdict_of(session(compute)).message


@pytest.mark.parametrize("spoilt", [float("nan"), float("inf"), -float("inf")])
def test_nothing_that_is_no_number_is_right(session: Callable[..., Session], spoilt: float) -> None:
    with np.errstate(all="ignore"):
        verdict = verdict_of(session(lambda inputs: {"total": total(inputs)["total"] * spoilt}))
    assert not verdict.ok
    assert "is not within" in verdict.message


def test_writing_into_the_inputs_is_caught_though_the_oracle_is_content(session: Callable[..., Session]) -> None:
    def compute(inputs: Any) -> dict[str, Any]:
        inputs["frames"].sort()
        return total(inputs)

    verdict = verdict_of(session(compute, blocks=3))
    assert not verdict.ok
    assert "writes into its inputs" in verdict.message


def test_inputs_that_are_restored_are_no_fault(session: Callable[..., Session]) -> None:
    def compute(inputs: Any) -> dict[str, Any]:
        kept = inputs["frames"].copy()
        inputs["frames"][:] = 0
        inputs["frames"][:] = kept
        return total(inputs)

    assert verdict_of(session(compute)).ok


def test_a_verdict_that_is_not_ok_is_worse_than_any_that_is() -> None:
    def said(error: float | None, message: str = "") -> Verdict:
        return Verdict(error=error, tolerance=1.0, verified_by="oracle", message=message)

    assert worst_of((said(0.9), said(0.1))).error == 0.9
    assert worst_of((said(0.1), said(0.9))).error == 0.9
    assert worst_of((said(0.9), said(2.0))).error == 2.0
    assert worst_of((said(3.0), said(2.0))).error == 3.0
    for none in (None, float("nan"), float("inf")):
        assert worst_of((said(3.0), said(none))).error is none
        assert worst_of((said(none), said(3.0))).error is none
    assert worst_of((said(2.0, "first"), said(2.0, "later"))).message == "first"


# --- failures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome", "reason", "sentence"),
    [
        (MissingRequirement("no GPU", "buy one"), Outcome.SKIPPED, Reason.CAPACITY, "no GPU; buy one"),
        (MemoryError(), Outcome.FAILED, Reason.KERNEL, "out of memory"),
        (MemoryError("4 TiB"), Outcome.FAILED, Reason.KERNEL, "out of memory: 4 TiB"),
        (Unfinished("later"), Outcome.FAILED, Reason.INTERRUPTED, "later"),
        (LedgerError("disk full"), Outcome.FAILED, Reason.INTERRUPTED, "disk full"),
        (InputError("torn"), Outcome.FAILED, Reason.KERNEL, "torn"),
        (ValueError("bad"), Outcome.FAILED, Reason.KERNEL, "ValueError: bad"),
        (ValueError(), Outcome.FAILED, Reason.KERNEL, "ValueError"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_each_failure_has_its_outcome_reason_and_sentence(
    error: Exception, outcome: Outcome, reason: Reason, sentence: str
) -> None:
    failure = failure_of(error)
    assert (failure.outcome, failure.reason, failure.message) == (outcome, reason, sentence)


def test_samples_of_rounds_are_joined_column_by_column() -> None:
    parts = [Samples(seconds=[1.0], flags=[1]), Samples(seconds=[2.0, 3.0], flags=[0, 2])]
    joined = Samples.concatenate(parts)
    assert joined.seconds == [1.0, 2.0, 3.0]
    assert joined.counted() == [2.0]


# --- inputs: how many, how large, where -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("input_bytes", "cache_bytes", "more", "answer"),
    [
        (100, 1000, {}, (40, True)),
        (4000, 1000, {}, (1, True)),
        (3999, 1000, {}, (2, True)),
        (1, 1000, {}, (MOST_BLOCKS, False)),
        (100, None, {}, (1, None)),
        (0, 1000, {}, (1, None)),
        (100, 1000, {"size": "tiny"}, (1, False)),
        (100, 1000, {"cache": True}, (1, False)),
        (5000, 1000, {"cache": True}, (1, True)),
    ],
)
def test_blocks_exceed_the_last_level_cache_four_times(
    input_bytes: float, cache_bytes: int | None, more: dict[str, Any], answer: tuple[int, bool | None]
) -> None:
    case = Case(**{"kernel": "k", "implementation": "i", "version": "1", "size": "small", **more})
    assert block_count(case, input_bytes, cache_bytes) == answer


def test_the_memory_that_is_predicted_holds_blocks_results_and_working_memory() -> None:
    case = Case(kernel="sums", implementation="numpy", version="1", size="small")
    made = a_kernel(total)
    made.implementations["numpy"] = Implementation(name="numpy", load=lambda: lambda *_: total, memory_factor=3.0)
    work = Work(unit="frame", units=1.0, input_bytes=100.0, output_bytes=10.0, shared_bytes=7.0)
    assert predicted_bytes(made, case, work, 1000) == 40 * (100 + 10) + 7 + 4 * 110
    made.repeat_tolerance = None
    assert predicted_bytes(made, case, work, 1000) == 40 * 100 + 7 + 4 * 110
    assert predicted_bytes(made, case, Work(unit="frame", units=1.0), 1000) == 0.0


def a_spec(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    made = a_kernel(total)
    monkeypatch.setattr("daasbench.measure.inputs.find_kernel", lambda case, source: made)
    case = Case(kernel="sums", implementation="numpy", version="1", size="tiny", seed=0)
    return Spec(case=case, scratch=str(folder / "scratch" / "one"), cache_bytes=1000)


def test_the_input_process_writes_the_problem_and_its_expectation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = a_spec(tmp_path, monkeypatch)
    made = make_inputs(spec)
    problem, expectation, blocks = scratch.load(Path(spec.scratch))
    assert blocks == 1
    assert (made.blocks, made.bytes, made.exceeds_cache) == (1, 24, False)
    assert isinstance(problem, FunctionProblem)
    assert len(problem.blocks) == 1
    assert expectation is None


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("machine.usable_memory_bytes", lambda: 10, "memory"),
        ("shutil.disk_usage", lambda place: type("Usage", (), {"free": 10}), "disk"),
    ],
)
def test_inputs_that_fit_nowhere_are_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, value: Any, sentence: str
) -> None:
    spec = a_spec(tmp_path, monkeypatch)
    monkeypatch.setattr(f"daasbench.measure.inputs.{place}", value)
    with pytest.raises(MissingRequirement, match=sentence):
        make_inputs(spec)
    assert not Path(spec.scratch).exists()


def test_a_disk_that_is_full_is_not_the_kernels_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, thing: Any) -> int:
        raise OSError(28, "No space left on device")

    spec = a_spec(tmp_path, monkeypatch)
    monkeypatch.setattr(scratch, "save", full)
    failure = guarded(lambda: make_inputs(spec))
    assert (failure.outcome, failure.reason) == (Outcome.FAILED, Reason.INTERRUPTED)
    assert "No space left on device" in failure.message


def test_work_that_is_counted_with_numpy_is_plain_numbers() -> None:
    work = Work(unit="frame", units=np.float32(2), flop=np.float64(3.5), input_bytes=np.int64(8))
    assert msgspec.json.decode(msgspec.json.encode(work), type=Work) == work
    assert [type(number) for number in (work.units, work.flop, work.input_bytes)] == [float] * 3
