"""A range of processes: sets are added until the answers are as precise as asked, or the time is up."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench import study
from daasbench.errors import BudgetError, ScenarioError
from daasbench.evidence import gather
from daasbench.jobs.further_sets import sets_in_time
from daasbench.jobs.news import News
from daasbench.model import Case, Event, Job, Outcome, Planned, Platform, Price, Reason, Record, Repeat, Samples
from daasbench.records.runs import runs
from daasbench.scenario.grid import CaseBlock, Cell
from daasbench.scenario.plan import Plan, Scenario
from daasbench.study import RunSummary
from daasbench.testing import FakeRunner
from daasbench.testing.fakes import measured
from daasbench.testing.queues import FakeQueue

PRICE = Price(amount="3.60", currency="EUR", per="core-hour", date=datetime.date(2026, 11, 1), source="own books")
WILD = (1.0, 1.9, 1.2, 2.4, 0.8, 1.5, 2.2, 0.9, 1.7, 1.1, 2.0, 1.4)  # factors of the medians of processes

Go = Callable[..., RunSummary]


def a_plan(*implementations: str, price: Price | None = None, seeds: int = 1, **repeat: Any) -> Plan:
    cells = [
        Cell(case=Case(kernel="probes", implementation=name, version="1", seed=seed, size="tiny"), platform="there")
        for name in implementations
        for seed in range(seeds)
    ]
    given = {"processes": (3, 12), "limit_s": 10.0} | repeat
    scenario = Scenario(
        question="?", platforms=["there"], cases=[CaseBlock(kernel="probes")], repeat=Repeat(**given)
    )  # fmt: skip
    return Plan(name="q", scenario=scenario, platforms={"there": Platform(runner="fake", price=price)}, cells=cells)


def answer(wild: str = "", broken: str = "", outcome: Outcome = Outcome.FAILED) -> Callable[[Job, Planned], Record]:
    """Return an answer with steady times; those of `wild` (a name, or a seed of fast) scatter; `broken` fails."""

    def record(job: Job, planned: Planned) -> Record:
        name = planned.case.implementation
        made = msgspec.structs.replace(measured(job, planned), verified_by="truth", error=0.0, tolerance=1.0)
        if name == broken:
            return msgspec.structs.replace(made, outcome=outcome, reason=Reason.KERNEL, samples=None)
        factor = 1 + 0.01 * (planned.process % 3)
        if wild == name or (wild == str(planned.case.seed) and name == "fast"):
            factor = WILD[planned.process]
        seconds = 0.001 * factor * (1 if name == "fast" else 30)
        return msgspec.structs.replace(made, samples=Samples(seconds=[seconds] * 7, flags=[0] * 7))

    return record


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Go:
    """Return a function that runs a plan with a runner that starts nothing."""
    monkeypatch.setattr("daasbench.jobs.tracker.POLL_S", 0.0)

    def run(runner: Any, plan: Plan, **more: Any) -> RunSummary:
        monkeypatch.setattr("daasbench.registry.runner", lambda name: runner)
        return study.run(plan, results_folder=tmp_path, text="", commit="c0", **more)

    return run


def processes(folder: Path, **of: object) -> int:
    """Return how many processes measured the cases that have these facts."""
    return sum(
        all(getattr(record.case, name) == value for name, value in of.items()) for record in gather(folder).records
    )


def test_a_steady_comparison_stops_at_the_first_look(go: Go, tmp_path: Path) -> None:
    ended = go(FakeRunner(answer=answer()), a_plan("fast", "slow"))
    assert (ended.exit_code, ended.planned, ended.outcomes) == (0, 16, {"ok": 16})
    assert processes(tmp_path, implementation="fast") == 8
    assert ended.messages == []


def test_a_number_of_processes_is_measured_whatever_comes_out(go: Go, tmp_path: Path) -> None:
    go(FakeRunner(answer=answer(wild="fast")), a_plan("fast", "slow", processes=3))
    assert processes(tmp_path, implementation="fast") == 3


def test_a_comparison_that_scatters_has_more_processes_up_to_the_most(go: Go, tmp_path: Path) -> None:
    ended = go(FakeRunner(answer=answer(wild="fast")), a_plan("fast", "slow"))
    assert processes(tmp_path, implementation="fast") == processes(tmp_path, implementation="slow") == 12
    assert (ended.exit_code, ended.left) == (0, 0)
    (message,) = ended.messages
    assert "probes tiny: ±" in message
    assert "after 12 processes. ±10 % was asked (repeat.precision): measure on a quiet machine" in message
    assert message.endswith("or raise repeat.processes = [3, 12]")


def test_sets_are_added_until_the_interval_is_as_narrow_as_asked(go: Go, tmp_path: Path) -> None:
    ended = go(FakeRunner(answer=answer(wild="fast")), a_plan("fast", "slow", precision=0.35))
    assert 5 < processes(tmp_path, implementation="fast") < 12
    assert ended.messages == []


def test_the_time_of_one_implementation_alone_is_made_as_precise(go: Go, tmp_path: Path) -> None:
    go(FakeRunner(answer=answer(wild="fast")), a_plan("fast"))
    assert processes(tmp_path, implementation="fast") == 12


def test_only_the_problem_that_scatters_is_measured_again(go: Go, tmp_path: Path) -> None:
    go(FakeRunner(answer=answer(wild="1")), a_plan("fast", "slow", seeds=2))
    assert processes(tmp_path, seed=0) == 2 * 8
    assert processes(tmp_path, seed=1) == 2 * 12


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.WRONG, Outcome.TIMEOUT, Outcome.SKIPPED])
def test_what_has_no_correct_result_is_not_measured_in_further_sets(
    go: Go, tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daasbench.jobs.outstanding.may_run_now", lambda cell, plan: True)
    go(FakeRunner(answer=answer(wild="fast", broken="odd", outcome=outcome)), a_plan("fast", "slow", "odd"))
    assert processes(tmp_path, implementation="fast") == 12
    assert processes(tmp_path, implementation="odd") == 3


def test_nothing_is_added_where_nothing_has_a_correct_result(go: Go, tmp_path: Path) -> None:
    go(FakeRunner(answer=answer(broken="odd")), a_plan("odd"))
    assert processes(tmp_path) == 3


def test_no_set_is_added_that_would_not_fit_into_the_time(go: Go, tmp_path: Path) -> None:
    ended = go(FakeRunner(answer=answer(wild="fast")), a_plan("fast", "slow", time_s=1e-6))
    assert processes(tmp_path, implementation="fast") == 3
    (message,) = ended.messages
    assert message.endswith("or raise repeat.time_s = 1e-06")


def test_a_finished_run_is_not_measured_again(go: Go, tmp_path: Path) -> None:
    first = go(FakeRunner(answer=answer(wild="fast")), a_plan("fast", "slow"))
    runner = FakeRunner(answer=answer(wild="fast"))
    again = go(runner, a_plan("fast", "slow"))
    assert (again.measured, again.run, again.planned, runner.submitted) == (0, first.run, first.planned, [])


def test_a_set_that_was_interrupted_is_completed_before_another_look(go: Go, tmp_path: Path) -> None:
    whole = answer(wild="fast")

    def killed(job: Job, planned: Planned) -> Record | None:
        return None if planned.process >= 5 and planned.case.implementation == "slow" else whole(job, planned)

    ended = go(FakeRunner(answer=killed), a_plan("fast", "slow"))
    assert ended.exit_code == 3
    assert ended.left > 0
    runner = FakeRunner(answer=whole)
    assert go(runner, a_plan("fast", "slow")).exit_code == 0
    assert {one.case.implementation for one in runner.submitted[0].planned} == {"slow"}
    assert processes(tmp_path, implementation="slow") == 12


def test_the_number_of_measurements_grows_and_the_news_say_why(go: Go) -> None:
    news: list[News] = []
    go(FakeRunner(answer=answer(wild="fast")), a_plan("fast", "slow"), tell=news.append)
    assert news[0].total == 6
    assert news[-1].total == 24
    messages = [one.message for one in news if one.message]
    assert messages[0].startswith("more processes are needed for intervals of ±10 %. probes tiny: ")
    assert "after 3 processes, 5 more" in messages[0]


def test_a_queue_gets_further_sets_by_the_same_command_once_the_earlier_ones_are_collected(
    go: Go, tmp_path: Path
) -> None:
    queue, plan = FakeQueue(answer=answer(wild="fast")), a_plan("fast", "slow")
    assert go(queue, plan, detach=True).under_way == 6
    ended = study.collect(runs(tmp_path)[0], wait=True)
    assert ended.left == 0
    assert "5 more; run the same command again to add them" in ended.messages[0]
    assert go(queue, plan, detach=True).under_way == 10
    study.collect(runs(tmp_path)[0], wait=True)
    go(queue, plan)
    assert processes(tmp_path, implementation="fast") == 12


def test_a_budget_must_cover_the_most_processes(go: Go) -> None:
    runner = FakeRunner(answer=answer())
    fixed, ranged = (a_plan("fast", price=PRICE, processes=n) for n in (3, (3, 12)))
    ceiling = Decimal("2.00")
    with pytest.raises(BudgetError, match="nothing was started"):
        go(runner, ranged, budget=(ceiling, "EUR"))
    assert runner.submitted == []
    go(runner, fixed, budget=(ceiling, "EUR"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[12, 3]", r"repeat.processes: the range \[12, 3\] is reversed; write \[3, 12\]"),
        ("[3]", r"repeat.processes: expected a whole number of 1 or more, or a range such as \[3, 12\], got a list"),
        ("[0, 3]", "repeat.processes"),
    ],
)
def test_a_range_that_is_none_is_refused(text: str, message: str) -> None:
    import tomllib

    from daasbench.scenario.plan import load

    raw = tomllib.loads(
        f'question = "?"\nplatforms = ["here"]\n[[cases]]\nkernel = "probes"\n[repeat]\nprocesses = {text}'
    )
    with pytest.raises(ScenarioError, match=message):
        load(raw, name="q", where="q.toml", folder=Path(), cores_here=2)


def job_event(start_s: float, end_s: float) -> Event:
    start, end = (datetime.datetime.fromtimestamp(1e9 + at, datetime.UTC).isoformat() for at in (start_s, end_s))
    return Event(at=end, event="accounted", job="001-here", detail={"submitted_at": start, "ended_at": end})


@pytest.mark.parametrize(
    ("spans", "time_s", "more"),
    [
        ([(0, 30)], 100.0, 7),  # three sets took 30 s
        ([(0, 30)], 39.9, 0),
        ([(0, 30)], 20.0, 0),
        ([(0, 20), (50, 60)], 100.0, 7),  # the pause between two commands does not count
        ([(0, 30), (10, 25)], 100.0, 7),  # jobs at the same time count once
    ],
)
def test_as_many_sets_are_added_as_fit_into_the_time(
    spans: list[tuple[float, float]], time_s: float, more: int
) -> None:
    assert sets_in_time([job_event(*span) for span in spans], 3, time_s) == more


def test_without_a_time_any_number_of_sets_fits() -> None:
    assert sets_in_time([job_event(0, 30)], 3, None) > 10_000
