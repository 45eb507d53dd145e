"""The one path with a fake runner: what is outstanding, what it may cost, and that every case ends or remains."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench import study
from daasbench.errors import BudgetError, LedgerError
from daasbench.evidence import gather
from daasbench.jobs.budget import ceiling, check_budget
from daasbench.jobs.outstanding import outstanding, sets
from daasbench.jobs.time_limits import wall_time_limit_s
from daasbench.model import Case, Job, JobState, JobStatus, Outcome, Planned, Platform, Price, Reason, Repeat
from daasbench.records.progress import Progress
from daasbench.scenario.grid import CaseBlock, Cell
from daasbench.scenario.grouping import group
from daasbench.scenario.plan import Plan, Scenario
from daasbench.study import RunSummary, preview
from daasbench.testing import FakeRunner
from daasbench.testing.fakes import measured

PRICE = Price(amount="3.60", currency="EUR", per="core-hour", date=datetime.date(2026, 11, 1), source="own books")


def a_plan(*, seeds: int = 2, processes: int = 1, price: Price | None = None) -> Plan:
    cells = [
        Cell(case=Case(kernel="probes", implementation="numpy", version="1", seed=seed), platform="there")
        for seed in range(seeds)
    ]
    scenario = Scenario(
        question="?", platforms=["there"], cases=[CaseBlock(kernel="probes")],
        repeat=Repeat(processes=processes, limit_s=10.0),
    )  # fmt: skip
    return Plan(name="q", scenario=scenario, platforms={"there": Platform(runner="fake", price=price)}, cells=cells)


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunSummary]:
    """Return a function that runs a plan with a runner that starts nothing."""
    monkeypatch.setattr("daasbench.jobs.tracker.POLL_S", 0.0)

    def run(runner: FakeRunner, plan: Plan | None = None, **more: Any) -> RunSummary:
        monkeypatch.setattr("daasbench.registry.runner", lambda name: runner)
        return study.run(plan or a_plan(), results_folder=tmp_path, text="", commit="c0", **more)

    return run


def seeds_of(job: Job) -> set[int | None]:
    return {one.case.seed for one in job.planned}


# --- every case ends, or remains --------------------------------------------------------------------------------


def test_a_whole_run_ends_and_is_not_run_again(go: Callable[..., RunSummary]) -> None:
    runner = FakeRunner()
    ended = go(runner, a_plan(processes=2))
    assert (ended.exit_code, ended.left, ended.outcomes) == (0, 0, {"ok": 4})
    again = go(runner, a_plan(processes=2))
    assert (again.measured, again.exit_code, again.run) == (0, 0, ended.run)
    assert len(runner.submitted) == 1
    assert go(runner, a_plan(processes=2), again=True).run != ended.run


def test_only_a_measurement_without_a_record_is_measured_again(go: Callable[..., RunSummary]) -> None:
    runner = FakeRunner(answer=lambda job, one: measured(job, one) if one.case.seed else None)
    ended = go(runner)
    assert (ended.exit_code, ended.left, ended.outcomes) == (3, 1, {"ok": 1})
    assert "1 of 2 measurements gave no result" in ended.messages[0]
    whole = FakeRunner()
    assert go(whole).exit_code == 0
    assert [seeds_of(job) for job in whole.submitted] == [{0}]
    assert whole.submitted[0].id == "002-there"


def test_what_failed_in_the_scheduler_is_recorded_with_its_reason_and_measured_again(
    go: Callable[..., RunSummary], tmp_path: Path
) -> None:
    lost = JobStatus(state=JobState.FAILED, native="NODE_FAIL", reason=Reason.SCHEDULER)
    ended = go(FakeRunner(answer=lambda job, one: None, states=[lost]))
    assert (ended.exit_code, ended.left) == (3, 2)
    records = gather(tmp_path).records
    assert {(one.outcome, one.reason) for one in records} == {(Outcome.FAILED, Reason.SCHEDULER)}
    assert all("NODE_FAIL" in one.message for one in records)
    again = FakeRunner()
    assert go(again).outcomes == {"ok": 2}
    assert {one.attempt for one in again.submitted[0].planned} == {2}


def test_an_interrupted_attempt_is_no_end(go: Callable[..., RunSummary]) -> None:
    killed = JobStatus(state=JobState.FAILED, native="SIGKILL", reason=Reason.INTERRUPTED)
    ended = go(FakeRunner(answer=lambda job, one: None, states=[killed]))
    assert (ended.left, ended.outcomes) == (2, {})
    assert go(FakeRunner()).outcomes == {"ok": 2}


def test_ctrl_c_cancels_the_job_and_keeps_what_came_back(go: Callable[..., RunSummary]) -> None:
    runner = FakeRunner(answer=lambda job, one: measured(job, one) if one.case.seed else None)

    def interrupt(news: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(runner, tell=interrupt)
    assert runner.cancelled == ["fake:1"]
    whole = FakeRunner()
    assert go(whole).outcomes == {"ok": 2}
    assert seeds_of(whole.submitted[0]) == {0}


def test_a_journal_that_fails_after_submitting_cancels_the_job(
    go: Callable[..., RunSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    note = study.RunFolder.note

    def fails(self: study.RunFolder, at: str, event: str, *rest: Any, **detail: Any) -> None:
        if event == "submitted":
            raise LedgerError("full")
        note(self, at, event, *rest, **detail)

    monkeypatch.setattr(study.RunFolder, "note", fails)
    runner = FakeRunner()
    with pytest.raises(LedgerError):
        go(runner)
    assert runner.cancelled == ["fake:1"]


def test_a_controller_killed_between_its_two_notes_continues(
    go: Callable[..., RunSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    class Dying(FakeRunner):
        def submit(self, *arguments: Any) -> str:
            raise Killed

    with pytest.raises(Killed):
        go(Dying())
    runner = FakeRunner()
    assert go(runner).outcomes == {"ok": 2}
    assert len(runner.submitted) == 1


@pytest.mark.parametrize(
    ("outcome", "reason", "code"),
    [
        (Outcome.WRONG, Reason.KERNEL, 1),
        (Outcome.FAILED, Reason.KERNEL, 1),
        (Outcome.TIMEOUT, Reason.KERNEL, 1),
        (Outcome.FAILED, Reason.HARNESS, 3),
    ],
)
def test_the_exit_code_says_how_the_cases_ended(
    go: Callable[..., RunSummary], outcome: Outcome, reason: Reason, code: int
) -> None:

    def answer(job: Job, one: Planned) -> Any:
        return msgspec.structs.replace(measured(job, one), outcome=outcome, reason=reason)

    assert go(FakeRunner(answer=answer)).exit_code == code


def test_a_skipped_case_is_looked_at_again_when_it_may_run_now(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = a_plan(seeds=1)
    key = outstanding(plan, sets(plan, 1), "c0", Progress())["there"][0].key
    skipped = Progress(outcomes={key: Outcome.SKIPPED}, attempts={key: 1})
    monkeypatch.setattr("daasbench.jobs.outstanding.may_run_now", lambda case, source: False)
    assert outstanding(plan, sets(plan, 1), "c0", skipped) == {}
    monkeypatch.setattr("daasbench.jobs.outstanding.may_run_now", lambda case, source: True)
    assert [one.attempt for one in outstanding(plan, sets(plan, 1), "c0", skipped)["there"]] == [2]


# --- money ----------------------------------------------------------------------------------------------------


def jobs_of(plan: Plan) -> list[Job]:
    measurements = sets(plan, plan.scenario.repeat.least_processes)
    return group(plan, outstanding(plan, measurements, "c0", Progress()), run="r", first=1, commit="c0")


def test_the_longest_time_counts_every_process_and_every_making_of_inputs() -> None:
    one, three = (wall_time_limit_s(jobs_of(a_plan(seeds=1, processes=n))[0]) for n in (1, 3))
    limits_s = 120.0
    assert one == 13.5 + 300.0 + limits_s
    assert three == 3 * (13.5 + 300.0) + limits_s


def test_the_longest_time_counts_the_wait_for_dask_workers_that_another_program_starts() -> None:
    (job,) = jobs_of(a_plan(seeds=1, processes=3))

    def on(**options: Any) -> float:
        return wall_time_limit_s(msgspec.structs.replace(job, platform=Platform(runner="dask", options=options)))

    here = on(cluster="local")
    assert on(cluster="slurm", wait_s=1000) == on(cluster="mpi", wait_s=1000) == here + 3 * 1000
    assert on(scheduler="tcp://login1:8786") == here == wall_time_limit_s(job)


def test_a_budget_is_kept_to_the_cent() -> None:
    jobs = jobs_of(a_plan(seeds=1, price=PRICE))  # 433.5 s at 0.001 EUR a second
    check_budget(jobs, (Decimal("0.44"), None))
    check_budget(jobs, (Decimal("0.44"), "EUR"))
    with pytest.raises(BudgetError, match=r"0\.44 EUR, more than the budget of 0\.43 EUR; nothing was started"):
        check_budget(jobs, (Decimal("0.43"), "EUR"))
    check_budget([], (Decimal(0), "EUR"))


def test_a_budget_that_applies_to_no_platform_is_refused_and_one_for_a_part_is_noted() -> None:
    free = [msgspec.structs.replace(job, platform_name="laptop") for job in jobs_of(a_plan())]
    with pytest.raises(BudgetError, match=r"platform laptop declares no price.*remove --budget"):
        check_budget(free, (Decimal(5), "EUR"))
    message = check_budget([*free, *jobs_of(a_plan(price=PRICE))], (Decimal(5), "EUR"))
    assert message == ["--budget has no effect on platform laptop: no price is declared"]
    assert check_budget(jobs_of(a_plan(price=PRICE)), (Decimal(5), "EUR")) == []


def test_the_ceiling_counts_the_gpus_of_every_rank() -> None:
    (job,) = jobs_of(a_plan(seeds=1, price=msgspec.structs.replace(PRICE, per="gpu-hour")))
    (one,) = job.planned
    ceilings = [
        ceiling(
            msgspec.structs.replace(
                job,
                planned=[msgspec.structs.replace(one, case=msgspec.structs.replace(one.case, ranks=ranks, gpus=gpus))],
            )
        )
        for ranks, gpus in ((1, 4), (4, 1))
    ]
    assert ceilings[0] == ceilings[1] != (Decimal(0), "EUR")


def test_a_budget_in_another_currency_is_refused() -> None:
    jobs = jobs_of(a_plan(price=PRICE))
    with pytest.raises(BudgetError, match="in USD and the platform's price in EUR"):
        check_budget(jobs, (Decimal(1000), "USD"))

    dollars = msgspec.structs.replace(PRICE, currency="USD")
    with pytest.raises(BudgetError, match="EUR, USD"):
        check_budget(jobs + jobs_of(a_plan(price=dollars)), (Decimal(1000), None))


def test_a_refused_budget_starts_nothing(go: Callable[..., RunSummary]) -> None:
    runner = FakeRunner()
    with pytest.raises(BudgetError):
        go(runner, a_plan(price=PRICE), budget=(Decimal("0.01"), "EUR"))
    assert runner.submitted == []


# --- dry run --------------------------------------------------------------------------------------------------


def test_a_preview_touches_nothing(
    tmp_path: Path, go: Callable[..., RunSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daasbench.registry.runner", lambda name: FakeRunner())
    shown = preview(a_plan(price=PRICE), results_folder=tmp_path / "results", commit="c0")
    assert list(tmp_path.iterdir()) == []
    assert shown.cells == 2
    assert shown.ceiling == {"001-there": "0.75 EUR"}
    assert shown.expected_s == {"001-there": None}


def test_a_preview_shows_what_remains(tmp_path: Path, go: Callable[..., RunSummary]) -> None:
    go(FakeRunner(answer=lambda job, one: measured(job, one) if one.case.seed else None))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    shown = preview(a_plan(), results_folder=tmp_path, commit="c0")
    assert list(shown.requests) == ["002-there"]
    assert list(preview(a_plan(), results_folder=tmp_path, commit="c0", again=True).requests) == ["001-there"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    go(FakeRunner())
    assert preview(a_plan(), results_folder=tmp_path, commit="c0").requests == {}
