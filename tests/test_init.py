"""``daasbench init``: every template works as it stands."""

from __future__ import annotations

import json
import resource
import tomllib
from pathlib import Path

import pytest

KINDS = {"scenario": "my_scenario.toml", "platform": "my_platform.toml", "kernel": "my_kernel.py"}


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_a_template_is_written_with_the_command_that_uses_it(say, tmp_path: Path, kind: str, name: str) -> None:
    said = say("init", kind)
    assert (said.code, said.err) == (0, "")
    words = {"scenario": f"run ./{name}", "platform": f"doctor --platform ./{name}", "kernel": f"run ./{name} --quick"}
    assert said.out == f"{name}: written\nnext:    daasbench {words[kind]}\n"
    text = (tmp_path / name).read_text()
    assert f"./{name}" in text
    assert "FILE" not in text
    assert "NAME" not in text


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_exists_is_never_changed(say, tmp_path: Path, kind: str) -> None:
    say("init", kind, "mine")
    [file] = tmp_path.iterdir()
    file.write_text("my work")
    said = say("init", kind, "mine")
    assert said.code == 2
    assert f"{file.name}: exists, and was not changed; to write another file: daasbench init {kind} NAME" in said.err
    assert file.read_text() == "my work"


def test_a_folder_is_created_and_a_name_that_python_refuses_is_changed(say, tmp_path: Path) -> None:
    assert say("init", "kernel", "deep/3-sums.py").code == 0
    assert "def kernel_3_sums(inputs):" in (tmp_path / "deep" / "3-sums.py").read_text()


@pytest.mark.parametrize("name", ["", ".", "folder/"])
def test_a_name_that_is_no_file_is_refused(refused, name: str) -> None:
    from daasbench.cli.init import _path
    from daasbench.errors import UsageError

    with pytest.raises(UsageError, match="is not the name of a file"):
        _path(name, ".toml")


def test_the_template_of_a_scenario_is_a_valid_plan(say) -> None:
    say("init", "scenario")
    said = say("run", "./my_scenario.toml", "--dry-run", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["cells"] == 2


def test_the_template_of_a_scenario_runs(say) -> None:
    say("init", "scenario")
    changes = ["repeat.processes=1", "repeat.max_repeats=5", "repeat.limit_s=200"]  # less work, on a busy machine too
    said = say("run", "./my_scenario.toml", "--json", *(word for change in changes for word in ("--set", change)))
    assert said.code == 0, said.out + said.err
    assert json.loads(said.out)["outcomes"] == {"ok": 2}


def test_the_template_of_a_kernel_measures_numpy_and_numba_correctly(say) -> None:
    say("init", "kernel")
    changes = ["cases.sizes=tiny", "repeat.processes=1", "repeat.max_repeats=5", "repeat.limit_s=200"]
    said = say("run", "./my_kernel.py", "--json", *(word for change in changes for word in ("--set", change)))
    assert said.code == 0, said.out + said.err
    message = json.loads(said.out)
    assert message["outcomes"] == {"ok": 2}
    assert {row["implementation"] for row in message["rows"]} == {"numpy", "numba"}
    assert {row["threads"] for row in message["rows"]} == {1}


def test_the_command_that_init_kernel_names_gives_an_answer(say) -> None:
    command = say("init", "kernel").out.splitlines()[-1].partition("daasbench ")[2]
    said = say(*command.split(), "--json")
    assert said.code == 0, said.out + said.err
    assert json.loads(said.out)["outcomes"] == {"ok": 2}


def test_the_oracle_of_the_template_finds_a_wrong_result(say, tmp_path: Path) -> None:
    from daasbench import registry

    say("init", "kernel")
    kernel = registry.kernel_from_file(tmp_path / "my_kernel.py")
    problem = kernel.make(kernel.sizes["tiny"], kernel.options(), 0, 1)
    got = kernel.reference(problem.blocks[0])
    for change, outcome in ((0, True), (1, False), (-1, False)):
        changed = {"totals": got["totals"] + [change, *[0] * (len(got["totals"]) - 1)]}
        verdict = kernel.verify(problem, None, 0, changed, "")
        assert (verdict.error <= verdict.tolerance) is outcome


def test_the_template_of_a_platform_is_checked_by_doctor_and_measured_on(say, tmp_path: Path) -> None:
    say("init", "platform")
    said = say("doctor", "--platform", "./my_platform.toml")
    assert said.code == 0, said.out + said.err
    assert "ok       file" in said.out
    assert say("run", "quickstart", "--platform", "./my_platform.toml", "--dry-run").code == 0


def test_every_line_that_the_platform_leaves_to_its_reader_is_valid(say, tmp_path: Path) -> None:
    say("init", "platform")
    lines = (tmp_path / "my_platform.toml").read_text().splitlines()
    offered = [
        line.removeprefix("# ")
        for line in lines
        if line.startswith("# ") and " = " in line and "set runner" not in line
    ]
    text = 'runner = "slurm"\n' + "\n".join([*offered[:5], "[options]", *offered[5:]])
    raw = tomllib.loads(text)
    (tmp_path / "site.toml").write_text(text)
    from daasbench.scenario.platforms import load_platform

    name, declared = load_platform("./site.toml", tmp_path, "test")
    assert (name, declared.cores_per_node, declared.options["host"]) == ("site", 64, raw["options"]["host"])


def test_a_template_that_does_not_fit_on_the_disk_leaves_no_file(say, tmp_path: Path) -> None:
    """An empty file would be in the way of the next attempt, and the message says that nothing was written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        said = say("init", "kernel")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said.code == 2
    assert "nothing was written" in said.err
    assert not (tmp_path / "my_kernel.py").exists()
    assert say("init", "kernel").code == 0
