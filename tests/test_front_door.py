"""The first words that a person types, on any terminal; listings, and folders in which nothing was measured yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from daasbench.cli import COMMANDS
from daasbench.cli.catalogue import KINDS

EVERY = (
    [],
    ["--help"],
    *([name, "--help"] for name in COMMANDS),
    ["doctor"],
    ["doctor", "--all"],
    ["list"],
    ["show", "kernel", "azimuthal_integration"],
    ["show", "kernel", "tomography"],
    ["show", "scenario", "quickstart"],
    ["show", "platform", "esrf-slurm-gpu"],
    ["run", "quickstart", "--dry-run", "--files"],
    ["init", "kernel"],
    ["status"],
    ["collect"],
    ["cancel"],
    ["results"],
    ["report", "summary"],
)


def test_the_bare_command_prints_its_help_and_succeeds(say):
    said = say()
    assert (said.code, said.err) == (0, "")
    assert said.out == say("--help").out
    assert said.out.startswith("Usage: daasbench [OPTIONS] [COMMAND] [ARGS]...\n")


def test_a_list_without_a_kind_lists_every_kind(say):
    said = say("list")
    assert said.code == 0
    headings = [line for line in said.out.splitlines() if line in KINDS]
    assert headings == list(KINDS)
    message = json.loads(say("list", "--json").out)
    assert list(message["kinds"]) == headings
    assert message["kinds"]["kernels"] == json.loads(say("list", "kernels", "--json").out)["entries"]


@pytest.mark.parametrize("words", [("list", "kernel"), ("list", "kernels"), ("list", "report")], ids=" ".join)
def test_a_kind_may_be_in_the_singular_or_the_plural_to_list(say, words):
    assert say(*words).code == 0


@pytest.mark.parametrize("kind", ["kernel", "kernels"])
def test_a_kind_may_be_in_the_singular_or_the_plural_to_show(say, kind):
    assert say("show", kind, "tomography").code == 0


@pytest.mark.parametrize(
    "words", [["show"], ["show", "kernel"], ["run"], ["report"], ["init"], ["list", "kernels", "more"]], ids=" ".join
)
def test_a_wrong_usage_is_one_line_without_tabs_that_names_the_help(say, words):
    said = say(*words)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "\t" not in said.err
    assert "  " not in said.err
    assert said.err.endswith(f"see daasbench {words[0]} --help\n")


@pytest.mark.parametrize("command", ["status", "collect", "cancel"])
@pytest.mark.parametrize("folder", ["results", "empty"])
def test_where_nothing_was_measured_json_is_an_empty_list(say, tmp_path, command, folder):
    (tmp_path / "empty").mkdir()
    said = say(command, "--json", "--results", folder)
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["runs"] == []


def test_where_nothing_was_measured_the_rows_are_an_empty_list(say):
    assert json.loads(say("results", "--json").out) == {"schema": 1, "rows": []}


def test_json_is_utf_8_whatever_the_terminal_is(tmp_path: Path) -> None:
    ended = _in_latin_1(["show", "kernel", "tomography", "--json"], tmp_path)
    assert "π/Nθ" in json.loads(ended.stdout.decode("utf-8"))["method"]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_a_terminal_without_unicode_gets_an_answer_from_every_command(words: list[str], tmp_path: Path) -> None:
    ended = _in_latin_1(words, tmp_path)
    assert ended.returncode in (0, 2), ended.stderr
    assert b"internal error" not in ended.stderr
    (ended.stdout + ended.stderr).decode("latin-1")


def _in_latin_1(words: list[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    code = "from daasbench.cli import main; main()"
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    return subprocess.run([sys.executable, "-c", code, *words], cwd=folder, capture_output=True, env=environment)
