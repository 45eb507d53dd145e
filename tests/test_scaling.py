"""Scaling series keep what was intended, problems grow with their cores, and laws are found as surely as stated."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daasbench import registry
from daasbench.authoring.growth import along, doubling, edge, grown_parameters
from daasbench.errors import ScenarioError, UsageError
from daasbench.model import Case, Work
from daasbench.scenario.plan import Plan
from daasbench.scenario.plan import load as load_scenario
from daasbench.scenario.scaling_series import (
    CasePoint,
    Intent,
    breach,
    counts_to,
    kept,
    measured_series,
    planned_series,
    problem_amount,
)
from daasbench.statistics.intervals import Interval
from daasbench.statistics.scaling_laws import Fit, Law, fit, gain

SHIPPED = Path(__file__).resolve().parent.parent / "scenarios"
GROWING = ("azimuthal_integration", "distributed_fft", "halo_stencil", "sparse_eigen", "tomography")

# --- laws -----------------------------------------------------------------------------------------------------


def speeds(law: Law, serial: float, points: tuple[int, ...], rng: np.random.Generator, sets: int = 3) -> Any:
    """Return measured speeds that follow a law: 2 % scatter, and a drift that each set shares."""
    drift = rng.normal(0, 0.05, sets)
    ideal = law.speed(np.array(points, float), serial)
    return {
        steps: {one: float(speed * np.exp(drift[one] + rng.normal(0, 0.02))) for one in range(sets)}
        for steps, speed in zip(points, ideal, strict=True)
    }


def found(answer: Fit | str) -> Fit:
    assert isinstance(answer, Fit), answer
    return answer


@pytest.mark.parametrize(
    ("law", "serial"), [(Law.AMDAHL, 0.05), (Law.AMDAHL, 0.0), (Law.GUSTAFSON, 0.1), (Law.GUSTAFSON, 0.6)]
)
def test_a_known_serial_fraction_is_within_its_interval_as_often_as_stated(law: Law, serial: float) -> None:
    rng = np.random.default_rng(20261123)
    fits = [found(fit(law, speeds(law, serial, (1, 2, 4, 8), rng))) for _ in range(200)]
    held = [one.serial.low <= serial <= one.serial.high for one in fits]  # type: ignore[operator]  # both are there
    assert 0.90 <= np.mean(held) <= 0.99  # 95 %, of 200
    assert abs(np.median([one.serial.value for one in fits]) - serial) < 0.01


def test_the_drift_that_all_points_of_a_set_share_does_not_widen_the_interval() -> None:
    together = speeds(Law.AMDAHL, 0.05, (1, 2, 4, 8), np.random.default_rng(1))
    apart = {steps: {one + 100 * steps: s for one, s in sets.items()} for steps, sets in together.items()}
    widths = [found(fit(Law.AMDAHL, one)).serial for one in (together, apart)]
    narrow, wide = (one.high - one.low for one in widths)  # type: ignore[operator]  # both are there
    assert narrow < wide / 1.5


def test_points_that_follow_another_law_are_reported_and_widen_the_interval() -> None:
    rng = np.random.default_rng(5)
    right = found(fit(Law.GUSTAFSON, speeds(Law.GUSTAFSON, 0.3, (1, 2, 4, 8, 16), rng)))
    other = found(fit(Law.GUSTAFSON, speeds(Law.AMDAHL, 0.3, (1, 2, 4, 8, 16), rng)))
    assert not right.lack_of_fit
    assert other.lack_of_fit


def test_two_points_or_two_processes_make_no_law() -> None:
    rng = np.random.default_rng(2)
    few = speeds(Law.AMDAHL, 0.1, (1, 2), rng)
    assert "two points fit any law" in str(fit(Law.AMDAHL, few))
    for sets in (1, 2):
        alone = speeds(Law.AMDAHL, 0.1, (1, 2, 4), rng, sets=sets)
        assert "fewer than 3 processes" in str(fit(Law.AMDAHL, alone))


def test_speeds_that_say_nothing_give_no_interval_and_no_law() -> None:
    rng = np.random.default_rng(3)
    wild = {steps: {one: float(np.exp(rng.normal(0, 9))) for one in range(3)} for steps in (1, 2, 4)}
    assert "scatter so much" in str(fit(Law.AMDAHL, wild))


def test_the_fit_does_not_depend_on_the_unit_of_speed() -> None:
    one = speeds(Law.AMDAHL, 0.2, (2, 4, 16), np.random.default_rng(4))
    other = {steps: {index: 1e9 * speed for index, speed in sets.items()} for steps, sets in one.items()}
    first, second = found(fit(Law.AMDAHL, one)), found(fit(Law.AMDAHL, other))
    assert second.serial.value == pytest.approx(first.serial.value, abs=1e-6)
    assert second.single == pytest.approx(1e9 * first.single, rel=1e-6)


@pytest.mark.parametrize("serial", [0.01, 0.1, 0.3])
def test_beyond_enough_steps_the_incremental_efficiency_is_lower(serial: float) -> None:
    made = Fit(law=Law.AMDAHL, serial=Interval(value=serial, low=serial / 2, high=2 * serial, n=3, method=""),
               single=1.0, points=3, lack_of_fit=False)  # fmt: skip
    count, least, most = made.enough(0.5)
    assert least <= count <= most
    speed = Law.AMDAHL.speed(np.array([count, count + 1]), serial)
    if count > 1:
        assert (speed[1] / speed[0] - 1) * count == pytest.approx(0.5, rel=1e-9)  # of the average of those before


def test_without_a_serial_part_there_is_no_end_and_gustafson_never_falls_off() -> None:
    none = Interval(value=-0.01, low=-0.02, high=0.01, n=4, method="")
    made = Fit(law=Law.AMDAHL, serial=none, single=1.0, points=4, lack_of_fit=False)
    assert made.enough(0.5) == (math.inf, pytest.approx(98.0), math.inf)
    weak = Fit(law=Law.GUSTAFSON, serial=none, single=1.0, points=4, lack_of_fit=False)
    assert weak.enough(0.5) == (math.inf, math.inf, math.inf)


def test_a_gain_is_ideal_at_one_and_none_at_zero() -> None:
    whole = Interval(value=2.0, low=1.5, high=2.5, n=3, method="")
    assert (gain(whole, 4, 8).value, gain(whole, 4, 8).low) == (1.0, 0.5)
    assert gain(Interval(value=1.0, low=None, high=None, n=1, method="none"), 4, 8).value == 0.0


# --- series ---------------------------------------------------------------------------------------------------


def point(ranks: int = 1, *, threads: int = 1, amount: float = 100.0, grown: int = 1, size: str = "small") -> Any:
    case = Case(kernel="k", implementation="mpi", version="1", size=size, ranks=ranks, threads=threads, grown=grown)
    return CasePoint(case=case, work=Work(unit="frame", units=amount, input_bytes=amount), thing=None)


def test_counts_double_up_to_the_largest() -> None:
    assert [counts_to(most) for most in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_strong_keeps_the_whole_and_weak_the_work_of_each_core() -> None:
    same, growing = [point(n) for n in (1, 2, 4)], [point(n, amount=103.0 * n, grown=n) for n in (2, 4)]
    (strong,), (weak,) = planned_series(same), planned_series([point(1), *growing])
    assert (kept(strong), kept(weak)) == (Intent.STRONG, Intent.WEAK)
    assert "on 1 rank 100 bytes of input" in str(breach(strong, Intent.WEAK))
    assert "50 % less; at most 10 % are allowed" in str(breach(strong, Intent.WEAK))
    assert "on 2 ranks 206 bytes of input" in str(breach(weak, Intent.STRONG))


def test_a_strong_and_a_weak_series_share_their_first_point() -> None:
    together = [point(1), point(2), point(4), point(2, amount=200, grown=2), point(4, amount=400, grown=4)]
    series = measured_series(together)
    assert {(kept(one), len(one.points)) for one in series} == {(Intent.STRONG, 3), (Intent.WEAK, 3)}


def test_ranks_of_other_numbers_of_threads_have_a_series_of_their_own() -> None:
    series = measured_series([point(ranks, threads=threads) for ranks in (1, 2) for threads in (1, 2)])
    assert sorted(one.step for one in series) == ["rank", "rank of 2 threads"]


def test_sizes_that_were_paired_with_ranks_are_one_series() -> None:
    paired = [point(1, size="small"), point(8, amount=800, size="medium")]
    assert not planned_series(paired)
    assert [kept(one) for one in planned_series(paired, across_sizes=True)] == [Intent.WEAK]
    assert [kept(one) for one in measured_series(paired)] == [Intent.WEAK]


# --- growth ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize("times", [2, 4, 8])
def test_a_shipped_kernel_grows_by_as_much_as_it_was_asked(name: str, times: int) -> None:
    kernel = registry.kernel(name)
    options = kernel.options()
    for size in ("small", "medium"):
        one, grown = (kernel.work(grown_parameters(kernel, size, n), options) for n in (1, times))
        assert problem_amount(grown) == pytest.approx(times * problem_amount(one), rel=0.06)


@pytest.mark.parametrize("name", GROWING)
def test_a_grown_problem_is_right(name: str) -> None:
    from daasbench.contracts import Resources

    kernel = registry.kernel(name)
    options = kernel.options()
    problem = kernel.make(grown_parameters(kernel, "tiny", 2), options, 7, 1)
    reference = kernel.implementations["numpy"]
    compute = reference.load()(problem, Resources())
    expectation = kernel.expect(problem, options)
    verdict = kernel.verify(problem, expectation, 0, compute(problem.blocks[0]), reference.judged_as)
    assert verdict.ok, verdict


def test_laws_of_growth_keep_the_other_parameters() -> None:
    assert along("n")({"n": 3, "m": 5}, 4) == {"n": 12, "m": 5}
    assert edge("n", 3, smooth=True)({"n": 128}, 8) == {"n": 256}
    assert edge("n", 3)({"n": 19}, 2) == {"n": 24}
    assert doubling("n")({"n": 16}, 8) == {"n": 19}
    with pytest.raises(UsageError, match="can only grow to 2, 4, 8"):
        doubling("n")({"n": 16}, 6)


# --- scenarios ------------------------------------------------------------------------------------------------


def plan(
    folder: Path,
    cores: int = 4,
    count: int = 1,
    intent: str | None = "strong",
    kernel: str = "halo_stencil",
    **block: Any,
) -> Plan:
    (folder / "there.toml").write_text(f'runner = "local"\nnodes = {count}\ncores_per_node = {cores}\n')
    case = {"kernel": kernel, "implementations": "mpi", "sizes": "tiny", "threads": 1, **block}
    raw = {"question": "?", "platforms": ["./there.toml"], "cases": [case]} | ({"intent": intent} if intent else {})
    return load_scenario(raw, name="q", where="q.toml", folder=folder, cores_here=2)


def places(made: Plan) -> list[tuple[int, int, int, int]]:
    return [(one.case.nodes, one.case.ranks, one.case.threads, one.case.grown) for one in made.cells]


def test_one_file_serves_a_laptop_and_a_cluster(tmp_path: Path) -> None:
    added = {"nodes": "ladder", "ranks": "ladder"}
    assert places(plan(tmp_path, cores=2, **added)) == [(1, 1, 1, 1), (1, 2, 1, 1)]
    assert places(plan(tmp_path, cores=4, count=3, **added)) == [
        (1, 1, 1, 1), (1, 2, 1, 1), (1, 4, 1, 1), (2, 8, 1, 1), (3, 12, 1, 1),
    ]  # fmt: skip
    assert places(plan(tmp_path, cores=4, count=3, ranks="ladder")) == [(1, 1, 1, 1), (1, 2, 1, 1), (1, 4, 1, 1)]


def test_whole_nodes_and_threads_are_added_too(tmp_path: Path) -> None:
    whole = plan(tmp_path, count=3, nodes="ladder", ranks="max")
    assert places(whole) == [(1, 4, 1, 1), (2, 8, 1, 1), (3, 12, 1, 1)]
    threads = plan(tmp_path, implementations="numba", threads="ladder")
    assert places(threads) == [(1, 1, 1, 1), (1, 1, 2, 1), (1, 1, 4, 1)]


def test_a_size_per_core_grows_with_the_cores(tmp_path: Path) -> None:
    made = plan(tmp_path, intent="weak", ranks="ladder", per="core")
    assert places(made) == [(1, 1, 1, 1), (1, 2, 1, 2), (1, 4, 1, 4)]
    assert len({one.case.problem_id for one in made.cells}) == 3


def test_a_case_that_does_not_grow_keeps_its_resume_key() -> None:
    case = Case(kernel="halo_stencil", implementation="mpi", version="1", size="small", seed=0, ranks=2)
    assert (case.id, case.problem_id) == ("5aa9ca479e73ffcd", "52c9d35cbf67d691")


@pytest.mark.parametrize(
    ("intent", "block", "message"),
    [
        ("weak", {}, r'intent = "weak" does not hold for cases\[0\]: halo_stencil / mpi, size tiny: on 1 rank 54,872'),
        ("strong", {"per": "core"}, r"on 2 ranks 1\d\d,\d\d\d bytes of input .*; remove per"),
        (
            "weak",
            {"kernel": "distributed_fft", "per": "core"},
            "18.5 % more; at most 10 % are allowed; choose a larger size",
        ),
        ("strong", {"sizes": ["tiny", "small"], "ranks": [1, 2], "zip": [["sizes", "ranks"]]}, "remove per"),
    ],
)
def test_a_scenario_that_breaks_its_intent_is_refused_with_the_numbers(
    tmp_path: Path, intent: str, block: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        plan(tmp_path, intent=intent, **{"ranks": "ladder", **block})


def test_keys_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="does not say how its problem grows"):
        plan(tmp_path, kernel="xpcs", intent=None, per="core")
    with pytest.raises(ScenarioError, match="its length depends on the machine"):
        plan(tmp_path, ranks="ladder", threads=[1, 2], zip=[["ranks", "threads"]])
    with pytest.raises(ScenarioError, match="can only grow to 2, 4, 8"):
        plan(tmp_path, kernel="sparse_eigen", intent="weak", ranks=[1, 3], per="rank")
    with pytest.raises(ScenarioError, match="intent"):
        plan(tmp_path, intent="stronk")


def test_a_point_that_a_kernel_cannot_grow_to_is_excluded_and_noted(tmp_path: Path) -> None:
    made = plan(tmp_path, cores=6, kernel="sparse_eigen", intent="weak", ranks="ladder", per="core")
    assert [one.case.ranks for one in made.cells] == [1, 2, 4]
    assert any("6 cores on there are excluded" in note for note in made.notes)


def test_on_one_core_a_note_says_that_no_scaling_is_measured(tmp_path: Path) -> None:
    made = plan(tmp_path, cores=1, ranks="ladder")
    assert any("mpi runs with one core count only on there" in note for note in made.notes)


@pytest.mark.parametrize("name", ["strong_scaling", "weak_scaling"])
@pytest.mark.parametrize(("cores", "nodes"), [(1, 1), (2, 1), (6, 1), (8, 4)])
def test_the_shipped_scenarios_keep_their_intent_on_any_machine(
    tmp_path: Path, name: str, cores: int, nodes: int
) -> None:
    (tmp_path / "there.toml").write_text(f'runner = "local"\nnodes = {nodes}\ncores_per_node = {cores}\n')
    raw = tomllib.loads((SHIPPED / f"{name}.toml").read_text()) | {"platforms": ["./there.toml"]}
    made = load_scenario(raw, name=name, where=name, folder=tmp_path, cores_here=2)
    assert max(one.case.ranks for one in made.cells) == cores * nodes
