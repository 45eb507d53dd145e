"""The limits of a machine: measured once per results folder, machine and code, and used again while they hold."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench.errors import ScenarioError
from daasbench.host import machine
from daasbench.host.clock import utc_now
from daasbench.host.code_fingerprint import package_files
from daasbench.measure import job_limits, rounds
from daasbench.measure.job_limits import conditions, limits_of_job
from daasbench.model import Case, Job, Limit, Limits, LimitsRule, Machine, Planned, parsing
from daasbench.records.known_limits import FOREIGN, known_limits, with_known_limits
from daasbench.records.ledger import Ledger
from daasbench.records.readers import read_lines
from daasbench.scenario.plan import Scenario
from daasbench.testing.runners import sample_job

NOW = "2026-12-08T12:00:00.000Z"
WEEK = LimitsRule()
READ = Limit(value=2e10, unit="B/s", low=1.9e10, high=2e10, repeats=9)


def limits(**facts: Any) -> Limits:
    """Return limits that may be used again."""
    usual: dict[str, Any] = {
        "id": "l1", "machine": "m1", "threads": 2, "values": {"read": READ}, "measured_at": "2026-12-07T12:00:00.000Z",
        "conditions": "c1", "foreign": 0.01,
    }  # fmt: skip
    return Limits(**(usual | facts))


def kept(results: Path, *lines: Limits, run: str = "a-run", job: str = "001-here") -> Path:
    """Write the lines as the head of a job's records; return the file."""
    path = results / "runs" / run / "jobs" / job / "records.jsonl"
    with Ledger(path) as ledger:
        for line in lines:
            ledger.append(line)
    return path


@pytest.fixture(scope="module")
def observed() -> Machine:
    return machine.observe(commit="c0", observed_at=NOW)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Return a job of a case whose limits are needed, for one thread."""
    job = sample_job(tmp_path, runner="local", cases=1)
    (planned,) = job.planned
    return msgspec.structs.replace(
        job, planned=[msgspec.structs.replace(planned, case=msgspec.structs.replace(planned.case, cache=False))]
    )


# --- what the results folder knows ------------------------------------------------------------------------------


def test_limits_of_an_earlier_job_are_known_with_their_origin_the_newest_first(tmp_path: Path) -> None:
    kept(tmp_path, limits(id="old", measured_at="2026-12-03T12:00:00.000Z"), limits(id="other", threads=8))
    kept(tmp_path, limits(id="new"), run="b-run")
    found = known_limits(tmp_path, {2}, WEEK, NOW)
    assert [(line.id, line.reused_from) for line in found] == [("new", "b-run/001-here"), ("old", "a-run/001-here")]


def test_limits_that_were_used_again_keep_the_name_of_the_job_that_measured_them(tmp_path: Path) -> None:
    kept(tmp_path, limits(reused_from="a-run/001-here"), run="b-run")
    assert [line.reused_from for line in known_limits(tmp_path, {2}, WEEK, NOW)] == ["a-run/001-here"]


@pytest.mark.parametrize(
    "facts",
    [
        {"foreign": 0.06},
        {"foreign": None},
        {"failed": {"fft_float32": "not enough memory"}},
        {"conditions": ""},
        {"measured_at": "2026-12-01T11:59:00.000Z"},
        {"measured_at": "2026-12-09T12:00:00.000Z"},
        {"measured_at": "yesterday"},
    ],
    ids=["disturbed", "disturbance unknown", "incomplete", "conditions unknown", "too old", "of the future", "undated"],
)
def test_limits_are_not_used_again_if_they_were(tmp_path: Path, facts: dict[str, Any]) -> None:
    kept(tmp_path, limits(**facts))
    assert known_limits(tmp_path, {2}, WEEK, NOW) == []


def test_limits_are_disturbed_by_what_disturbs_a_round() -> None:
    assert FOREIGN == rounds.FOREIGN


def test_the_scenario_says_how_long_limits_are_used_again(tmp_path: Path) -> None:
    kept(tmp_path, limits())
    assert known_limits(tmp_path, {2}, LimitsRule(max_age_days=0.5), NOW) == []
    assert known_limits(tmp_path, {2}, LimitsRule(max_age_days=0), NOW) == []
    raw = {"question": "?", "platforms": ["here"], "cases": [{"kernel": "xpcs"}], "limits": {"max_age_days": 30}}
    assert parsing.convert(raw, Scenario, "q.toml").limits == LimitsRule(max_age_days=30)
    raw["limits"] = {"max_age_days": -1}
    with pytest.raises(ScenarioError, match=r"limits\.max_age_days"):
        parsing.convert(raw, Scenario, "q.toml")


def test_a_file_of_a_newer_daasbench_or_a_torn_line_hides_no_other_limits(tmp_path: Path) -> None:
    newer = kept(tmp_path, limits(id="l2"), run="b-run")
    newer.write_text(newer.read_text().replace('"schema":1', '"schema":99'))
    torn = kept(tmp_path, limits(id="l3"), run="c-run")
    torn.write_bytes(torn.read_bytes()[:60] + b"\n" + torn.read_bytes())
    kept(tmp_path, limits(id="l1"))
    assert {line.id for line in known_limits(tmp_path, {2}, WEEK, NOW)} == {"l1", "l3"}


def test_limits_of_the_first_version_of_the_files_are_read_and_not_used_again(tmp_path: Path) -> None:
    frozen = Path(__file__).parent / "data" / "records_v1.jsonl"
    (line,) = [line for line in read_lines(frozen).lines if isinstance(line, Limits)]
    assert (line.conditions, line.foreign, line.reused_from) == ("", None, "")
    kept(tmp_path, line)
    assert known_limits(tmp_path, {2}, WEEK, line.measured_at) == []


def test_each_job_receives_the_limits_for_its_own_numbers_of_threads(tmp_path: Path, job: Job) -> None:
    kept(tmp_path, limits(id="l1", threads=1), limits(id="l2", threads=2))
    case = Case(kernel="xpcs", implementation="numba", version="1", size="tiny", seed=0, threads=2)
    other = msgspec.structs.replace(job, planned=[Planned(key="k", case=case, process=0)])
    both = with_known_limits([job, other], tmp_path, NOW)
    assert [[line.id for line in one.known_limits] for one in both] == [["l1"], ["l2"]]


# --- what a job does with them ----------------------------------------------------------------------------------


def test_conditions_follow_what_can_change_a_limit_and_nothing_else(observed: Machine) -> None:
    def changed(**facts: Any) -> bool:
        return conditions(msgspec.structs.replace(observed, **facts), [0]) != conditions(observed, [0])

    numba = observed.packages | {"numba": "0.0"}
    assert all(
        changed(**{name: value})
        for name, value in {
            "host": "other", "cpu": "other", "usable_cores": 99, "threads": 99, "governor": "powersave",
            "memory_bytes": 1, "environment": {"OMP_PROC_BIND": "true"}, "virtual": "container", "packages": numba,
        }.items()
    )  # fmt: skip
    same = {"id": "x", "commit": "c1", "observed_at": "later", "usable_memory_bytes": 1, "gpu": "NVIDIA H100"}
    assert not changed(**same, packages=observed.packages | {"fabio": "0.0"})
    assert conditions(observed, [0]) != conditions(observed, [1])


def test_conditions_follow_the_code_of_the_probes(observed: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = conditions(observed, [0])
    files = package_files()
    probes = [name for name in files if name.startswith(job_limits.PROBES)]
    assert {Path(name).name for name in probes} >= {"limits.py", "with_llvm.py", "simd.py"}

    def after_a_change_of(name: str) -> str:
        monkeypatch.setattr(job_limits, "package_files", lambda: files | {name: b"another"})
        job_limits._content_of_probes.cache_clear()
        return conditions(observed, [0])

    try:
        assert after_a_change_of("daasbench/kernels/probes/with_llvm.py") != before
        assert after_a_change_of("daasbench/kernels/xpcs/with_numba.py") == before
    finally:
        job_limits._content_of_probes.cache_clear()


def lines_for(job: Job, observed: Machine, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Limits], list[str]]:
    """Return the limits of a job and what was said; measuring gives limits of the id ``measured``."""
    said: list[str] = []
    monkeypatch.setattr(job_limits, "_measured", lambda threads, *_: limits(id="measured", threads=threads))
    monkeypatch.setattr(job_limits, "utc_now", lambda: NOW)
    return list(limits_of_job(job, observed, io.BytesIO(), said.append)), said


def test_a_job_uses_known_limits_only_under_the_same_conditions(
    job: Job, observed: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = conditions(observed, machine.allowed_cpus(os.getpid())[:1])
    known = limits(id="known", threads=1, conditions=here, reused_from="a-run/001-here")
    (line,), said = lines_for(msgspec.structs.replace(job, known_limits=[known]), observed, monkeypatch)
    assert (line.id, line.machine, line.reused_from, said) == ("known", observed.id, "a-run/001-here", [])
    elsewhere = msgspec.structs.replace(known, conditions="another machine")
    (line,), said = lines_for(msgspec.structs.replace(job, known_limits=[elsewhere]), observed, monkeypatch)
    assert (line.id, said) == ("measured", ["measuring the limits of this machine (1 thread)"])
    on_site = msgspec.structs.replace(job, platform_name="site")
    _, said = lines_for(on_site, observed, monkeypatch)
    assert said == ["measuring the limits of the machine of site (1 thread)"]


def test_known_limits_that_became_too_old_while_a_job_waited_are_measured_again(
    job: Job, observed: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = conditions(observed, machine.allowed_cpus(os.getpid())[:1])
    old = limits(threads=1, conditions=here, measured_at="2026-11-30T12:00:00.000Z")
    (line,), _ = lines_for(msgspec.structs.replace(job, known_limits=[old]), observed, monkeypatch)
    assert line.id == "measured"


def test_a_job_that_may_not_measure_limits_has_the_known_ones_or_none(
    job: Job, observed: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = msgspec.structs.replace(job, limits=LimitsRule(measure=False))
    assert lines_for(quick, observed, monkeypatch) == ([], [])


def test_a_record_refers_to_the_limits_that_it_used(job: Job, tmp_path: Path) -> None:
    seen = machine.observe(commit=job.commit, observed_at=NOW)
    here = conditions(seen, machine.allowed_cpus(os.getpid())[:1])
    known = limits(threads=1, conditions=here, measured_at=utc_now(), reused_from="a-run/001-here")
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "job.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(job, known_limits=[known])))
    command = [sys.executable, "-m", "daasbench.worker", str(folder / "job.json")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    (used,) = [line for line in lines if line["type"] == "limits"]
    (record,) = [line for line in lines if line["type"] == "record"]
    assert (used["id"], used["reused_from"]) == ("l1", "a-run/001-here")
    assert (record["limits"], record["outcome"]) == ("l1", "ok")
    assert used["machine"] == record["machine"]
