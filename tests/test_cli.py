"""``daasbench run``: what it prints, what it makes, and its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from daasbench.cli.scenario_options import ScenarioRequest

KERNEL = """\
from daasbench import kernel
@kernel(unit="frame", oracle=lambda inputs, got: abs(got["total"] - inputs["frames"].sum()), tolerance=0.5)
def frame_sums(inputs):
    return {"total": int(inputs["frames"].sum())}
@frame_sums.inputs(tiny={"n": 4}, huge={"n": 10**13})
def frames(n, rng):
    return {"frames": rng.poisson(3, (n, 64, 64)).astype("u4")}
@frame_sums.implementation("wrong", threads=True)
def wrong(inputs):
    return {"total": int(inputs["frames"].sum()) + 1}
@frame_sums.implementation("lost")
def lost(inputs):
    return {"total": float("nan")}
@frame_sums.implementation("raises")
def raises(inputs):
    raise RuntimeError("no such lens")
@frame_sums.implementation("undecided")
def undecided(inputs):
    return None
@frame_sums.implementation("absent", requires=("not_there_at_all",))
def absent(inputs):
    return None
@frame_sums.implementation("absent_part", requires=("not_there_at_all.inside",))
def absent_part(inputs):
    return None
"""

SCENARIO = """\
question = "How fast are sums?"
platforms = ["here"]
[[cases]]
kernel = "./sums.py"
implementations = ["numpy"]
sizes = ["tiny"]
cache = true
[repeat]
processes = 1
max_repeats = 10
"""


PRICED = """\
runner = "local"
price = {{ amount = "{amount}", currency = "EUR", per = "node-hour", date = 2026-11-01, source = "own books" }}
"""


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    """Return the path of a scenario of a user's kernel, both written."""
    (tmp_path / "sums.py").write_text(KERNEL)
    (tmp_path / "sums.toml").write_text(SCENARIO)
    return tmp_path / "sums.toml"


# --- run ------------------------------------------------------------------------------------------------------


def test_a_run_is_measured_once_continued_by_the_same_command_and_begun_again_on_demand(say, sums):
    first = say("run", "./sums.toml", "--json")
    assert first.code == 0
    message = json.loads(first.out)
    assert (message["schema"], message["exit_code"], message["planned"], message["measured"], message["left"]) == (
        1,
        0,
        1,
        1,
        0,
    )
    assert message["outcomes"] == {"ok": 1}
    [row] = message["rows"]
    assert (row["kernel"], row["implementation"], row["outcome"]) == ("frame_sums", "numpy", "ok")
    second = say("run", "./sums.toml")
    assert second.code == 0
    assert "1 measurement done: 1 correct.\nNothing was measured now: all of it was done before." in second.out
    assert json.loads(say("run", "./sums.toml", "--json").out)["measured"] == 0
    again = json.loads(say("run", "./sums.toml", "--again", "--json").out)
    assert again["measured"] == 1
    assert again["run"] != message["run"]
    status = json.loads(say("status", "--json").out)
    assert [(one["state"], one["planned"], one["done"], one["held_by"]) for one in status["runs"]] == [
        ("finished", 1, 1, None)
    ] * 2
    assert say("status", message["run"]).out.count("\n") == 2
    assert message["run"] in say("status", message["run"][:-1]).out
    assert "2 runs match 'sums'; name one: " in say("status", "sums").err
    assert "no run 'smus'" in say("status", "smus").err


def test_whatever_goes_wrong_in_a_users_kernel_is_a_record_with_a_sentence(say, sums):
    said = say("run", "./sums.toml", "--set", 'cases.implementations="all"', "--set", "cases.threads=[1, 999]")
    assert said.code == 1
    assert "Traceback" not in said.err + said.out
    say("results", "--csv", "table.csv")
    table = pd.read_csv("table.csv").set_index(["implementation", "threads"])
    outcomes = dict(zip(table.index, table.to_dict("records"), strict=True))
    assert outcomes["numpy", 1]["outcome"] == "ok"
    assert outcomes["wrong", 1]["outcome"] == "wrong"
    assert "error 1 is not within 0.5" in outcomes["wrong", 1]["message"]
    assert outcomes["lost", 1]["outcome"] == "wrong"
    assert (outcomes["raises", 1]["outcome"], outcomes["raises", 1]["reason"]) == ("failed", "kernel")
    assert outcomes["raises", 1]["message"] == "sums.py:16 in raises: RuntimeError: no such lens"
    assert "sums.py:2 in <lambda>: the oracle of frame_sums fails: TypeError" in outcomes["undecided", 1]["message"]
    assert (outcomes["absent", 1]["outcome"], outcomes["absent", 1]["reason"]) == ("skipped", "capacity")
    assert outcomes["absent", 1]["message"].endswith("-m pip install not_there_at_all")
    assert outcomes["absent_part", 1]["outcome"] == "skipped"
    assert outcomes["wrong", 999]["outcome"] == "skipped"
    assert re.search(
        r'999 threads requested, \d+ cores usable on this machine; write threads = "max"',
        outcomes["wrong", 999]["message"],
    )


def test_a_case_with_a_missing_requirement_is_skipped_with_the_fix_and_the_run_is_done(say, sums):
    said = say("run", "./sums.toml", "--set", "cases.implementations=absent")
    assert said.code == 0
    assert "1 skipped" in said.out


def test_inputs_that_cannot_be_made_are_a_failed_record(say, sums):
    said = say("run", "./sums.toml", "--set", "cases.sizes=huge")
    assert said.code == 1
    assert "no inputs: out of memory" in said.out


def test_too_much_memory_is_predicted_and_skipped_before_anything_is_made(say, monkeypatch):
    words = ["run", "azimuthal_integration", "--set", "repeat.processes=1", "--set", "cases.implementations=numpy"]
    monkeypatch.setattr("daasbench.measure.requirements.RUNTIME_BYTES", 0.0)
    from daasbench import registry
    from daasbench.host import machine
    from daasbench.measure.inputs import predicted_bytes
    from daasbench.measure.requirements import missing_requirement
    from daasbench.model import Case

    kernel = registry.kernel("azimuthal_integration")
    assert say(*words, "--dry-run").code == 0
    case = Case(kernel="azimuthal_integration", implementation="numpy", version="1", size="large", seed=0)
    work = kernel.work(kernel.sizes["large"], kernel.options())
    needed = predicted_bytes(kernel, case, work, machine.last_level_cache_bytes())
    monkeypatch.setattr(machine, "usable_memory_bytes", lambda: int(needed) - 1)
    missing = missing_requirement(case, None, gpus=0)
    assert missing is not None
    assert "is predicted to need" in missing
    assert "choose a smaller size or a larger machine" in missing
    monkeypatch.setattr(machine, "usable_memory_bytes", lambda: int(needed) + 1)
    assert missing_requirement(case, None, gpus=0) is None


def test_a_dry_run_shows_the_requests_and_makes_no_file(say, sums, tmp_path):
    (tmp_path / "priced.toml").write_text(PRICED.format(amount="3.60"))
    before = sorted(tmp_path.rglob("*"))
    words = ["run", "./sums.toml", "--platform", "./priced.toml", "--set", "repeat.limit_s=100", "--dry-run"]
    said = say(*words, "--budget", "0.01 EUR")
    assert said.code == 0
    assert "1 case in 1 job; nothing is run" in said.out
    assert "frame_sums, tiny, within the cache\n  numpy (1 thread)  1 process  at most 2 min\n" in said.out
    assert "time: at most 2 min; most cases need far less (never measured before" in said.out
    assert re.search(r"price +at most \d+\.\d\d EUR", said.out)
    assert "-m daasbench.worker" not in said.out
    assert "note: --budget would refuse this run: the remaining measurements may cost" in said.err
    files = say(*words, "--files").out
    assert "-m daasbench.worker" in files
    assert '"platform_name": "priced"' in files
    message = json.loads(say(*words, "--json").out)
    assert set(message) == {
        "schema",
        "dry_run",
        "notes",
        "cells",
        "cases",
        "requests",
        "wall_time_limit_s",
        "expected_s",
        "ceiling",
        "refused",
    }
    [job] = message["requests"]
    assert json.loads(message["requests"][job]["files"]["job.json"])["platform_name"] == "priced"
    assert message["expected_s"][job] is None
    assert sorted(path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts) == before


def test_a_budget_below_the_ceiling_is_refused_with_exit_code_4(say, sums, tmp_path):
    (tmp_path / "priced.toml").write_text(PRICED.format(amount="9"))
    said = say("run", "./sums.toml", "--platform", "./priced.toml", "--budget", "0.01")
    assert said.code == 4
    assert "nothing was started" in said.err
    assert not list(tmp_path.rglob("job.json"))


def test_a_users_file_that_changes_between_plan_and_measurement_is_not_measured(sums, tmp_path):
    from daasbench import registry
    from daasbench.errors import Unfinished
    from daasbench.measure.inputs import find_kernel
    from daasbench.model import Case

    kernel = registry.kernel_from_file(tmp_path / "sums.py")
    version = registry.version_of(kernel.implementations["numpy"], tmp_path / "sums.py")
    case = Case(kernel="frame_sums", implementation="numpy", version=version, size="tiny", seed=0)
    assert find_kernel(case, str(tmp_path / "sums.py")) is kernel
    (tmp_path / "sums.py").write_text(KERNEL + "# changed\n")
    with pytest.raises(Unfinished, match=r"sums.py: has changed since this run was planned"):
        find_kernel(case, str(tmp_path / "sums.py"))


# --- --set, --input, --platform -------------------------------------------------------------------------------


def asked(word: str, *settings: str) -> ScenarioRequest:
    """Return a scenario with its settings applied."""
    made = ScenarioRequest(word)
    made.set_values(settings)
    return made


def test_dotted_keys_change_the_scenario_and_bare_keys_the_options_of_the_kernel(say):
    raw = asked(
        "azimuthal_integration",
        "cases.threads=[1, 2]",
        "cases.0.seed=3",
        "cases[0].cache=true",
        "repeat.processes=7",
        "goal.deadline_s=1.5",
        "platforms=['here']",
        "question=Really?",
        "bins = 500",
        "mode=nosplit",
        "dataset=3",
        "position=tth=5.2,eta=1",
    ).raw
    [case] = raw["cases"]
    assert (case["threads"], case["seed"], case["cache"]) == ([1, 2], 3, True)
    assert raw["repeat"]["processes"] == 7
    assert raw["goal"] == {"deadline_s": 1.5}
    assert (raw["platforms"], raw["question"]) == (["here"], "Really?")
    assert case["options"] == {"bins": 500, "mode": "nosplit", "dataset": "3", "position": "tth=5.2,eta=1"}


def test_paths_on_the_command_line_are_relative_to_where_the_command_is_given(say, tmp_path):
    (tmp_path / "cal.poni").write_text("")
    made = asked("azimuthal_integration", "geometry=cal.poni", "cases.options.mask='cal.poni'", "cases.input=f.h5")
    made.set_platforms(["./p.toml", "here"])
    [case] = made.raw["cases"]
    assert case["options"] == {"geometry": str(tmp_path / "cal.poni"), "mask": str(tmp_path / "cal.poni")}
    assert case["input"] == str(tmp_path / "f.h5")
    assert made.raw["platforms"] == [str(tmp_path / "p.toml"), "here"]
    made.set_input("g.h5")
    assert made.raw["cases"][0]["input"] == str(tmp_path / "g.h5")
    made.set_input("data:a/g.h5")
    assert made.raw["cases"][0]["input"] == "data:a/g.h5"


@pytest.mark.parametrize(
    ("platforms", "place"),
    [(["here"], "on this machine"), (["./site.toml"], "on site"), (["./site.toml", "here"], "on site and on here")],
)
def test_the_question_about_a_kernel_names_the_platforms_that_are_measured(say, platforms, place):
    made = asked("tomography")
    made.set_platforms(platforms)
    assert made.raw["question"].startswith(f"Which implementation of tomography is the fastest {place}? (")


def test_an_option_goes_to_every_kernel_that_has_it(say, tmp_path):
    (tmp_path / "q.toml").write_text(
        'question = "?"\nplatforms = ["here"]\n[[cases]]\nkernel = "probes"\n'
        '[[cases]]\nkernel = "azimuthal_integration"\n[[cases]]\nkernel = "azimuthal_integration"\n'
    )
    cases = asked("./q.toml", "bins=5").raw["cases"]
    assert [one.get("options") for one in cases] == [None, {"bins": 5}, {"bins": 5}]


def test_what_was_asked_is_kept_as_a_scenario_that_can_be_run_again(say, sums, tmp_path):
    say("run", "./sums.toml", "--set", "repeat.max_repeats=7", "--set", "cases.implementations=absent")
    [kept] = (tmp_path / "results" / "runs").glob("*/scenario.toml")
    import tomllib

    raw = tomllib.loads(kept.read_text())
    assert raw["repeat"]["max_repeats"] == 7
    assert raw["cases"][0]["implementations"] == "absent"
