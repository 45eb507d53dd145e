"""Kernels whose implementations are programs: a TOML file, a command, a check."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daasbench import registry
from daasbench.authoring.command import CommandKernel
from daasbench.contracts import Resources
from daasbench.errors import DaasbenchError, InputError, MissingRequirement, PluginError, ScenarioError
from daasbench.evidence.table import load as load_table
from daasbench.scenario.plan import load as load_plan

PROGRAM = """\
title = "Numbers that echo says"
unit = "number"
units = "{n}"
[sizes.tiny]
n = 3
[sizes.small]
n = 30
[implementations.echo]
command = ["echo", "value {n}"]
[[check]]
name = "the number"
pattern = 'value (\\S+)'
expected = { tiny = 3, small = 30 }
"""


def write(folder: Path, *changes: tuple[str, str], text: str = PROGRAM) -> Path:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "said.toml"
    path.write_text(text)
    return path


def kernel_of(path: Path) -> CommandKernel:
    kernel = registry.kernel_from_file(path)
    assert isinstance(kernel, CommandKernel)
    return kernel


def run_once(
    kernel: CommandKernel, size: str = "tiny", implementation: str | None = None, input_file: Path | None = None
) -> Any:
    options = kernel.options()
    if input_file:
        problem = kernel.read(input_file, kernel.survey(input_file, options), options, 1)
    else:
        problem = kernel.make(kernel.sizes[size], options, 7, 2)
    expectation = kernel.expect(problem, options)
    name = implementation or next(iter(kernel.implementations))
    compute = kernel.implementations[name].load()(problem, Resources(threads=2))
    verdicts = [
        kernel.verify(problem, expectation, block, compute(files), kernel.implementations[name].judged_as)
        for block, files in enumerate(problem.blocks)
    ]
    return max(verdicts, key=lambda one: math.inf if one.error is None or math.isnan(one.error) else one.error)


def test_a_program_that_writes_the_right_number_is_right(tmp_path: Path) -> None:
    kernel = kernel_of(write(tmp_path))
    verdict = run_once(kernel, "small")
    assert verdict.ok
    assert verdict.verified_by == "oracle"
    assert kernel.work(kernel.sizes["small"], kernel.options()).units == 30


@pytest.mark.parametrize("said", ["value 3.5", "value", "value none", "nothing", "value nan"])
def test_another_number_or_none_is_wrong(tmp_path: Path, said: str) -> None:
    assert not run_once(kernel_of(write(tmp_path, ("value {n}", said)))).ok


def test_the_check_with_the_largest_error_decides(tmp_path: Path) -> None:
    more = "[[check]]\nname = 'other'\npattern = 'value (\\S)'\nexpected = 3.0\ntolerance = 10\n"
    path = write(tmp_path, ('{n}"]', '{n}1"]'), ("expected = {", "tolerance = 0.5\nexpected = {"))
    path.write_text(path.read_text() + more)
    verdict = run_once(kernel_of(path))
    assert not verdict.ok
    assert verdict.message == "the number is 31, expected 3"
    assert (verdict.error, verdict.tolerance) == (28.0, 0.5)


def test_a_relative_tolerance_grows_with_the_number(tmp_path: Path) -> None:
    loose = ("expected = {", "relative = 0.1\nexpected = {")
    assert run_once(kernel_of(write(tmp_path, loose, ("value {n}", "value 32"))), "small").ok
    assert not run_once(kernel_of(write(tmp_path, loose, ("value {n}", "value 34"))), "small").ok


def test_numbers_are_read_from_a_file_that_the_program_writes(tmp_path: Path) -> None:
    to_file = ('["echo", "value {n}"]', '["sh", "-c", "echo value {n} > out.txt"]')
    assert run_once(kernel_of(write(tmp_path, to_file, ("[[check]]", "[[check]]\nfile = 'out.txt'")))).ok


def test_a_number_without_an_expectation_is_compared_with_the_first_implementation(tmp_path: Path) -> None:
    text = PROGRAM.replace("expected = { tiny = 3, small = 30 }", "tolerance = 0.5")
    other = "[implementations.other]\ncommand = ['echo', 'value 4']\npeer = true\n[[check]]"
    kernel = kernel_of(write(tmp_path, ("[[check]]", other), text=text))
    assert run_once(kernel).verified_by == "agreement"
    wrong = run_once(kernel, implementation="other")
    assert not wrong.ok
    assert wrong.verified_by == "peer"
    assert kernel.implementations["other"].peer


def test_a_program_has_one_thread_unless_its_command_names_the_threads(tmp_path: Path) -> None:
    def threads(*changes: tuple[str, str]) -> list[int]:
        raw = {"question": "How fast?", "platforms": ["here"], "cases": [{"kernel": str(write(tmp_path, *changes))}]}
        plan = load_plan(raw, name="q", where="q.toml", folder=tmp_path, cores_here=2)
        return [cell.case.threads for cell in plan.cells]

    assert threads() == [1]
    assert threads(("value {n}", "value {n} {threads}")) == [2]


def test_a_make_command_writes_inputs_from_the_seed(tmp_path: Path) -> None:
    make = "make = ['sh', '-c', 'mkdir {inputs}/sub; echo {seed} > {inputs}/sub/seed']\n[sizes.tiny]"
    cat = ('["echo", "value {n}"]', '["sh", "-c", "echo value $(cat {inputs}/sub/seed)"]')
    path = write(tmp_path, ("[sizes.tiny]", make), cat, ("expected = { tiny = 3, small = 30 }", ""))
    kernel = kernel_of(path)
    problem = kernel.make(kernel.sizes["tiny"], kernel.options(), 7, 2)
    assert [bytes(block["sub/seed"]) for block in problem.blocks] == [b"7000\n", b"7001\n"]
    assert problem.work.input_bytes == 5
    assert kernel.expect(problem, kernel.options()) == {0: [7000.0], 1: [7001.0]}
    assert run_once(kernel).ok


def test_a_users_file_is_read_without_a_copy(tmp_path: Path) -> None:
    (tmp_path / "frame").write_text("value 12\n")
    kernel = kernel_of(write(tmp_path, ("[[check]]", 'input_command = ["cat", "{input}"]\n[[check]]')))
    assert kernel.reads_files
    verdict = run_once(kernel, input_file=tmp_path / "frame")
    assert verdict.ok
    assert verdict.verified_by == "agreement"


def test_a_file_is_refused_where_no_command_reads_one(tmp_path: Path) -> None:
    kernel = kernel_of(write(tmp_path))
    with pytest.raises(InputError, match=r"no command of .*said\.toml has the placeholder \{input\}"):
        kernel.survey(tmp_path / "frame", kernel.options())


def test_what_is_built_exists_when_the_program_runs(tmp_path: Path) -> None:
    build = "build = ['sh', '-c', 'echo value 3 > {build}/said']\n[sizes.tiny]"
    assert run_once(
        kernel_of(write(tmp_path, ("[sizes.tiny]", build), ('"echo", "value {n}"', '"cat", "{build}/said"')))
    ).ok


def test_the_message_of_a_failed_program_has_its_last_output(tmp_path: Path) -> None:
    path = write(tmp_path, ('["echo", "value {n}"]', '["sh", "-c", "echo no beam >&2; exit 3"]'))
    with pytest.raises(DaasbenchError, match=r"^the program ended with exit status 3: no beam$"):
        run_once(kernel_of(path))
    assert run_once(kernel_of(write(tmp_path, ("units =", "exit_status = 3\nunits ="), (
        '["echo", "value {n}"]', '["sh", "-c", "echo value 3; exit 3"]'
    )))).ok  # fmt: skip


def test_the_message_of_a_failed_build_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, ("[sizes.tiny]", "build = ['sh', '-c', 'echo no compiler; exit 1']\n[sizes.tiny]"))
    with pytest.raises(DaasbenchError, match=r"said\.toml: sh ended with exit status 1: no compiler"):
        run_once(kernel_of(path))


def test_a_program_that_is_not_installed_is_a_missing_requirement_with_its_fix(tmp_path: Path) -> None:
    path = write(
        tmp_path, ('"echo", "value', '"no-such-program", "value'), ("[[check]]", "fix = 'apt install it'\n[[check]]")
    )
    with pytest.raises(MissingRequirement, match=r"the program no-such-program was not found.*apt install it"):
        run_once(kernel_of(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("{n}\"]", "{m}\"]"), r"echo\.command: no placeholder 'm'; did you mean|no placeholder 'm' \(known"),
        (('units = "{n}"', 'units = "{k}"'), r"units: no placeholder 'k'"),
        (("title =", "titel ="), r"no key 'titel'; did you mean 'title'"),
        (("(\\S+)", "\\S+"), r"check\[0\]\.pattern: has 0 groups; put the number"),
        (("(\\S+)", "(\\S+"), r"check\[0\]\.pattern: is not a regular expression"),
        ((", small = 30 }", " }"), r"check\[0\]\.expected: has no value for size 'small'; add small = NUMBER"),
        (('command = ["echo", "value {n}"]', "command = []"), r"echo\.command: expected a list of arguments"),
        (("[[check]]", "[[check]]\nfile = '../secret'"), r"check\[0\]\.file: '\.\./secret' is outside"),
        (("[implementations.echo]", "[implementations.'e o']"), r"implementations\.e o: 'e o' is not a valid name"),
        (("[[check]]", "[[check]]\ntolerance = -1"), r"check\[0\]\.tolerance: expected a number of 0 or more, got -1"),
    ],
)  # fmt: skip
def test_an_error_in_the_file_is_reported_with_its_key(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises((ScenarioError, PluginError), match=message):
        registry.kernel_from_file(write(tmp_path, change))


def test_units_must_be_a_number(tmp_path: Path) -> None:
    kernel = kernel_of(write(tmp_path, ('units = "{n}"', 'units = "{n} frames"')))
    with pytest.raises(PluginError, match=r"units: '3 frames' is not a number above 0"):
        kernel.work(kernel.sizes["tiny"], kernel.options())


def test_a_program_is_measured_from_the_command_line(tmp_path: Path) -> None:
    wrong = "[implementations.liar]\ncommand = ['echo', 'value 5']\n"
    wrong += "[implementations.absent]\ncommand = ['no-such-program']\n[[check]]"
    path = write(tmp_path, ("[[check]]", wrong))
    few = ["--set", "repeat.processes=1", "--set", "repeat.max_repeats=5", "--set", "cases.cache=true"]
    command = [sys.executable, "-m", "daasbench", "run", str(path), "--results", str(tmp_path / "r"), *few]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    rows = load_table(tmp_path / "r").set_index("implementation")
    assert rows["outcome"].to_dict() == {"echo": "ok", "liar": "wrong", "absent": "skipped"}
    assert rows.loc["echo", "median_s"] > 0
    assert rows.loc["echo", "units"] == 30
    assert "the number is 5, expected 30" in rows.loc["liar", "message"]
    assert not list((tmp_path / "r").rglob("work-*"))  # no file remains


@pytest.mark.parametrize("name", ["ring_sums", pytest.param("dials_spots", marks=pytest.mark.slow)])
def test_the_shipped_examples_are_right(name: str) -> None:
    kernel = registry.kernel(name)
    assert isinstance(kernel, CommandKernel)
    for program in ("cc",) if name == "ring_sums" else ("dials.find_spots",):
        if shutil.which(program) is None:
            pytest.skip(f"absent: {program}")
    assert run_once(kernel, "tiny").ok
    assert msgspec.json.encode(kernel.work(kernel.sizes["tiny"], kernel.options()))
