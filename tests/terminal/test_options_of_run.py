"""The options of ``daasbench run`` that choose what is measured and shown, and ``show log``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from daasbench.cli.scenario_options import ScenarioRequest
from daasbench.errors import ScenarioError, UnknownName

KERNEL = """\
from daasbench import kernel
@kernel(unit="frame", oracle=lambda inputs, got: abs(int(got) - int(inputs["frames"].sum())), tolerance=0.5)
def frame_sums(inputs):
    print("seen by the log")
    return int(inputs["frames"].sum())
@frame_sums.inputs(tiny={"n": 4})
def frames(n, rng):
    return {"frames": rng.poisson(3, (n, 8, 8)).astype("u4")}
"""
SCENARIO = """\
question = "How fast are sums?"
platforms = [{platform}]
[[cases]]
kernel = "sums.py"
sizes = "tiny"
threads = {threads}
cache = true
[repeat]
processes = 1
min_repeats = 2
max_repeats = 2
"""


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    (tmp_path / "sums.py").write_text(KERNEL)
    (tmp_path / "sums.toml").write_text(SCENARIO.format(platform='"here"', threads=1))
    return tmp_path


# --- --only ---------------------------------------------------------------------------------------------------


def only(scenario: str, *patterns: str) -> list[tuple[str, str]]:
    request = ScenarioRequest(scenario)
    request.set_only(patterns)
    cells = request.plan().cells
    return list(dict.fromkeys((cell.case.kernel, cell.case.implementation) for cell in cells))


def test_only_keeps_a_kernel_or_an_implementation_or_what_a_pattern_matches():
    assert only("quickstart", "tomography") == [("tomography", name) for name in ("numpy", "numba", "nufft", "cupy")]
    assert only("quickstart", "numba") == [("azimuthal_integration", "numba"), ("tomography", "numba")]
    assert only("quickstart", "nu[fm]*") == [
        ("azimuthal_integration", "numpy"), ("azimuthal_integration", "numba"),
        ("tomography", "numpy"), ("tomography", "numba"), ("tomography", "nufft"),
    ]  # fmt: skip
    assert only("quickstart", "nufft", "azimuthal*") == [
        ("azimuthal_integration", "numpy"), ("azimuthal_integration", "numba"), ("azimuthal_integration", "cupy"),
        ("tomography", "nufft"),
    ]  # fmt: skip
    assert only("tomography", "numpy") == [("tomography", "numpy")]


def test_only_what_matches_nothing_is_an_error_with_the_nearest_name():
    with pytest.raises(UnknownName, match=r"--only numbaa: no kernel or implementation 'numbaa'; did you mean 'numba'"):
        only("quickstart", "numpy", "numbaa")


def test_what_only_kept_is_the_scenario_of_the_run():
    request = ScenarioRequest("quickstart")
    request.set_only(["nufft"])
    assert 'implementations = [\n    "nufft",\n]' in request.text()


# --- what a platform does not declare ---------------------------------------------------------------------------


def planned(folder: Path, platform: str, threads: str) -> ScenarioRequest:
    (folder / "site.toml").write_text(platform)
    (folder / "q.toml").write_text(SCENARIO.format(platform='"./site.toml"', threads=threads))
    kernel = (folder / "sums.py").read_text() + '@frame_sums.implementation("all_cores", threads=True)\n'
    (folder / "sums.py").write_text(kernel + "def all_cores(inputs):\n    return frame_sums(inputs)\n")
    return ScenarioRequest(str(folder / "q.toml"))


@pytest.mark.parametrize("platform", ['runner = "slurm"', 'runner = "psij"\n[options]\nexecutor = "pbs"'])
@pytest.mark.parametrize("threads", ['"max"', '"ladder"', '[1, "max"]'])
def test_the_cores_of_this_machine_are_never_taken_for_those_of_another(sums, platform, threads):
    with pytest.raises(ScenarioError) as refused:
        planned(sums, platform, threads).plan()
    assert str(refused.value).endswith(
        'platform site: cores_per_node is missing; cases[0] has threads or ranks = "max" or "ladder", which needs the'
        " number of a node; write cores_per_node = N into the platform's file;"
        " daasbench doctor --platform FILE prints N"
    )


@pytest.mark.parametrize(
    ("platform", "threads"),
    [
        ('runner = "slurm"', "4"),
        ('runner = "slurm"\ncores_per_node = 64', '"max"'),
        ('runner = "psij"\n[options]\nexecutor = "local"', '"max"'),
        ('runner = "local"', '"max"'),
    ],
)
def test_cores_need_no_declaration_where_they_are_known_or_not_needed(sums, platform, threads):
    assert planned(sums, platform, threads).plan().cells


def test_a_size_that_does_not_exist_is_refused_also_where_a_file_is_measured(tmp_path, hdf5_file):
    import numpy as np

    file = hdf5_file("frames.h5", {"entry/data/data": np.zeros((2, 30, 40), np.uint16)})
    request = ScenarioRequest("detector_io")
    request.set_values([f"cases.input={file}", "cases.sizes=huge"])
    with pytest.raises(ScenarioError, match="no size 'huge'"):
        request.plan()


# --- a run, its log, and its progress ---------------------------------------------------------------------------


def test_quiet_shows_no_progress_and_verbose_what_verified_each_result(say, sums):
    quiet = say("run", "./sums.toml", "-q")
    assert (quiet.code, quiet.err) == (0, "")
    assert "1 measurement done: 1 correct.\n" in quiet.out
    assert "ok (verified by oracle)\n" in say("run", "./sums.toml", "-v", "--again").err


def test_the_log_of_a_run_is_shown_by_the_first_letters_of_its_name(say, sums, monkeypatch):
    """It holds what a kernel prints, although the process is killed at its end."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    run = json.loads(say("run", "./sums.toml", "--json").out)
    shown = say("show", "log", run["run"][:6])
    assert shown.code == 0
    assert shown.out.startswith(f"{run['folder']}/jobs/001-here/log:\n")
    assert "seen by the log" in shown.out
    [log] = json.loads(say("show", "log", run["run"], "001-here", "--json").out)["logs"]
    assert (log["job"], "seen by the log" in log["text"]) == ("001-here", True)
    missing = say("show", "log", "nonsense")
    assert (missing.code, "no run 'nonsense'" in missing.err) == (2, True)
    assert "no job '9'" in say("show", "log", run["run"], "9").err
    assert "JOB is for show log" in say("show", "kernel", "tomography", "9").err


def test_files_are_shown_with_a_dry_run_only(say, sums):
    refused = say("run", "./sums.toml", "--files")
    assert (refused.code, refused.err) == (
        2, "daasbench: --files: shows the files of a dry run; add --dry-run, or remove --files\n"
    )  # fmt: skip


def test_a_dry_run_expects_what_earlier_runs_took(say, sums):
    assert "1 process  at most 10 min" in say("run", "./sums.toml", "--dry-run").out
    say("run", "./sums.toml")
    dry = say("run", "./sums.toml", "--again", "--dry-run").out
    assert re.search(r"  numpy \(1 thread\)  1 process  (about \d+|under 1) s\n", dry)
    assert re.search(r"time: (about \d+|under 1) s \(by earlier records of these cases\)", dry)
    assert "0 jobs; nothing is run" in say("run", "./sums.toml", "--dry-run").out
