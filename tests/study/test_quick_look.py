"""``run --quick``: a first answer in seconds, marked so that it never mixes with full measurements."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench.cli.scenario_options import ScenarioRequest
from daasbench.evidence import claims, gather
from daasbench.evidence.claims import Decision, EvidenceLevel, problem_results
from daasbench.evidence.entries import entries
from daasbench.host import machine
from daasbench.host.clock import utc_now
from daasbench.measure.bench import Bench
from daasbench.measure.comparison import ComparisonRunner
from daasbench.measure.messages import Command, Made, Prepared, RoundResult
from daasbench.measure.rounds import QUICK_S, Interleaving
from daasbench.model import Case, Outcome, Record, Repeat, Samples, Verdict, Work
from daasbench.testing.runners import sample_job

from .test_rounds import Quiet

KERNEL = """\
from daasbench import kernel

@kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - int(inputs["frames"].sum())), tolerance=0.5)
def frame_sums(inputs):
    return {"total": int(inputs["frames"].sum())}

@frame_sums.implementation("loop")
def loop(inputs):
    return {"total": sum(int(frame.sum()) for frame in inputs["frames"])}

@frame_sums.inputs(tiny={"n": 4})
def frames(n, rng):
    return {"frames": rng.poisson(3, (n, 64, 64)).astype("u4")}
"""
FULL = ("--set", "repeat.processes=1", "--set", "repeat.max_repeats=5", "--set", "cases.cache=true")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(KERNEL)
    return tmp_path


def records_of(folder: Path) -> list[dict[str, Any]]:
    texts = [path.read_text() for path in sorted(folder.rglob("records.jsonl"))]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    return [line for line in lines if line["type"] == "record"]


def test_a_quick_look_has_one_process_and_no_limits_and_a_full_measurement_after_it_measures_anew(
    own: Path, say: Callable[..., Any]
) -> None:
    said = say("run", "./own.py", "--quick")
    assert said.code == 0, said.err
    records = records_of(own)
    assert sorted(one["case"]["implementation"] for one in records) == ["loop", "numpy"]
    assert {(one["process"], one["outcome"], one["case"]["quick"]) for one in records} == {(0, "ok", True)}
    assert '"type":"limits"' not in next(own.rglob("records.jsonl")).read_text()
    assert say("run", "./own.py", *FULL).code == 0
    both = records_of(own)
    assert len(both) == 4
    # the processes of a quick look are started early and wait: the start of their interpreter has no duration
    assert [("interpreter" in one["phases"]) != one["case"]["quick"] for one in both] == [True] * 4
    evidence = gather(own / "results")
    assert len(evidence.table) == 4
    assert sorted(evidence.table["options"]) == ["cache=true"] * 2 + ["quick=true"] * 2
    problems = problem_results(entries(evidence))
    assert [{entry.case.quick for entry in problem.entries} for problem in problems] in (
        [{False}, {True}],
        [{True}, {False}],
    )


def test_a_quick_look_is_never_above_level_1_also_in_three_folders(own: Path, say: Callable[..., Any]) -> None:
    assert say("run", "./own.py", "--quick", "--results", "one").code == 0
    assert say("run", "./own.py", "--quick", "--results", "one").code == 0
    assert len(records_of(own)) == 2  # the same code was not looked at twice
    for results in ("two", "three"):
        shutil.copytree(own / "one", own / results)
    found = entries(gather(own / "one", own / "two", own / "three"))
    assert {len(entry.counted) for entry in found} == {3}
    assert {claims.level(entry) for entry in found} == {EvidenceLevel.VERIFIED}
    (problem,) = problem_results(found)
    assert problem.level == EvidenceLevel.VERIFIED
    (group,) = problem.groups
    assert {pair.decision for pair in group.rivals} == {Decision.UNKNOWN}


def test_a_quick_look_is_another_problem_than_the_full_measurement_and_changes_no_other_case() -> None:
    full = Case(kernel="xpcs", implementation="numpy", version="1", size="tiny", seed=0)
    quick = msgspec.structs.replace(full, quick=True)
    assert (quick.id == full.id, quick.problem_id == full.problem_id) == (False, False)
    assert (full.id, full.problem_id) == ("bc7a5d5f2a63c7a1", "d2a2ca0519e8c32f")  # as before there were quick looks


def test_a_quick_look_changes_only_what_it_names(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own)
    request = ScenarioRequest("./own.py")
    before = request.plan()
    request.set_quick()
    after = request.plan()
    assert after.identity != before.identity
    assert after.scenario.repeat == msgspec.structs.replace(before.scenario.repeat, processes=1)
    assert not after.scenario.limits.measure
    assert [msgspec.structs.replace(cell.case, quick=False) for cell in after.cells] == [
        cell.case for cell in before.cells
    ]


class Halves:
    """A measuring process of half a second per call, by a clock that moves only when it computes."""

    pid, started, computing = os.getpid(), None, ()

    def __init__(self, threads_left: int = 0) -> None:
        self.active_s, self.threads_left = 0.0, threads_left

    def ask(self, command: Command, *_: object, **__: object) -> Prepared | RoundResult:
        verdict = Verdict(error=0.0, tolerance=1.0, verified_by="oracle")
        count = 1 + command.repeats  # a warm-up, and the repeats
        self.active_s += 0.5 * count
        if command.step == "prepare":
            return Prepared(phases={"first_call": 0.5}, verdict=verdict)
        half = [0.5] * count
        return RoundResult(
            samples=Samples(seconds=half, flags=[1] + [0] * command.repeats, cpu_s=half, get_s=[0.0] * count),
            verdict=verdict,
            peak_memory_bytes=1,
            peak_device_bytes=None,
            threads_left=self.threads_left,
        )

    def close(self) -> None:
        pass


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Halves], Record]:
    """Return a function that takes a quick look by such a process and returns its record."""

    def measure(process: Halves) -> Record:
        monkeypatch.setattr("daasbench.measure.rounds.LoadMonitor", Quiet)
        monkeypatch.setattr(Bench, "start", lambda *_: process)
        job = sample_job(tmp_path, runner="local", cases=1)
        (planned,) = job.planned
        planned = msgspec.structs.replace(planned, case=msgspec.structs.replace(planned.case, quick=True))
        repeat = Repeat(processes=1, min_repeats=1000, limit_s=100.0)
        job = msgspec.structs.replace(job, planned=[planned], repeat=repeat)
        records: list[Any] = []
        seen = machine.observe(commit="c", observed_at="t")
        with open(tmp_path / "log", "wb") as log:
            comparison = ComparisonRunner(
                job, seen, {}, write=records.append, now=utc_now, scratch=tmp_path / "scratch", log=log
            )
            work = Work(unit="frame", units=2.0)
            made = Made(make_s=0.0, work=work, blocks=1, exceeds_cache=None, expect_s=0.0, bytes=1)
            Interleaving(comparison.bench, comparison.start_states, job.planned, made, "alone").run()
        (record,) = [one for one in records if isinstance(one, Record)]
        return record

    return measure


def test_the_repeats_of_a_quick_look_stop_after_a_second(measured: Callable[[Halves], Record]) -> None:
    process = Halves()
    record = measured(process)
    assert (record.outcome, record.stop_reason, record.message) == (Outcome.OK, "quick", "")
    assert process.active_s == 0.5 + QUICK_S  # the first call, and a round of a warm-up and a repeat


def test_threads_that_each_repeat_leaves_running_are_noted(measured: Callable[[Halves], Record]) -> None:
    record = measured(Halves(threads_left=9))
    assert record.outcome is Outcome.OK
    assert record.message == (
        "each repeat leaves threads running, 9 in the last round; end them before the function returns"
    )
