"""The Tab key: names are completed in a real bash, by the script that click generates, without heavy imports."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from daasbench.cli import COMMANDS, completion, daasbench

from .waiting import PATIENCE_S

HEAVY = ("numpy", "pandas", "numba", "scipy", "h5py", "matplotlib", "rich")
PROGRAM = Path(sys.executable).parent / "daasbench"


def completed(words: list[str], folder: Path) -> list[str]:
    """Return what a bash offers after Tab at the end of the last word."""
    line = " ".join(words)
    script = f"""
    source <(_DAASBENCH_COMPLETE=bash_source daasbench)
    COMP_WORDS=({" ".join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'
    _daasbench_completion daasbench
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    ended = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=folder, capture_output=True, text=True, env=environment()
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def environment() -> dict[str, str]:
    """Return an environment whose path begins with the programs of this Python."""
    return {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "$ "}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["daasbench", "res"], ["results"]),
        (["daasbench", "run", "quick"], ["quickstart"]),
        (["daasbench", "run", "tomo"], ["tomography", "tomography_iterative"]),
        (["daasbench", "run", "my_"], ["my_kernel.py", "my_scenario.toml"]),
        (["daasbench", "show", "kernel", "xp"], ["xpcs"]),
        (["daasbench", "show", "platform", "here-b"], ["here-bwrap"]),
        (["daasbench", "run", "quickstart", "--platform", "esrf"], ["esrf-slurm-gpu"]),
        (["daasbench", "doctor", "--platform", "desy"], ["desy-maxwell"]),
        (["daasbench", "report", "summ"], ["summary"]),
        (["daasbench", "report", "summary", "--format", "html,m"], ["html,md"]),
        (["daasbench", "results", "--columns", "kernel,median"], ["kernel,median_s"]),
        (["daasbench", "status", "2026"], ["20260101T000000Z-quickstart-abcdef"]),
        (["daasbench", "collect", "quick"], ["quickstart-abcdef"]),
        (["daasbench", "init", "sc"], ["scenario"]),
        (["daasbench", "list", "kern"], ["kernels"]),
        (["daasbench", "run", "quickstart", "--only", "nuf"], ["nufft"]),
        (["daasbench", "show", "log", "quick", "00"], ["001-here"]),
        (["daasbench", "report", "nothing"], []),
        (["daasbench", "wrong", "x"], []),
    ],
    ids=" ".join,
)
def test_a_real_bash_completes_names(tmp_path: Path, words: list[str], expected: list[str]) -> None:
    for name in ("my_kernel.py", "my_scenario.toml", "my_notes.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "results" / "runs" / "20260101T000000Z-quickstart-abcdef" / "jobs" / "001-here").mkdir(parents=True)
    assert completed(words, tmp_path) == expected


def test_the_tab_key_in_an_interactive_bash_writes_the_name(tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment())
    load = 'source <(_DAASBENCH_COMPLETE=bash_source daasbench); echo re""ady\n'  # echoed as typed, it does not match
    try:
        for typed, expected in ((load, "ready\r\n"), ("daasbench run quicks\t", "quickstart")):
            os.write(terminal, typed.encode())
            assert expected in _read_until(terminal, expected)
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


def _read_until(terminal: int, expected: str) -> str:
    """Return what a terminal shows until `expected`, or until patience ends."""
    shown, end = "", time.monotonic() + PATIENCE_S
    while expected not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    return shown


def test_completion_imports_no_array_library(tmp_path: Path) -> None:
    for line in ("daasbench run q", "daasbench status q", "daasbench results --columns k", "daasbench report s"):
        code = (
            "import sys, json\n"
            "from daasbench.cli import daasbench\n"
            "try: daasbench.main([], prog_name='daasbench', standalone_mode=False)\n"
            "except SystemExit: pass\n"
            f"sys.stderr.write(json.dumps(sorted(set({HEAVY!r}) & set(sys.modules))))"
        )
        asked = {
            "_DAASBENCH_COMPLETE": "bash_complete",
            "COMP_WORDS": line.replace(" ", "\n"),
            "COMP_CWORD": str(len(line.split()) - 1),
        }
        ended = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env={**os.environ, **asked}
        )
        assert json.loads(ended.stderr) == [], line


def test_the_parts_of_a_scenario_are_its_kernels_and_their_implementations() -> None:
    parts = completion.parts_of("quickstart")
    assert {"azimuthal_integration", "tomography", "numpy", "numba", "nufft"} <= set(parts)
    assert "xpcs" not in parts
    assert {"xpcs", "numpy"} <= set(completion.parts_of("xpcs"))
    assert completion.parts_of("no such thing") == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_and_option_that_takes_a_name_is_completed(command: str) -> None:
    found = daasbench.get_command(click.Context(daasbench), command)
    assert found is not None
    free = {"settings", "budget"}  # numbers and texts that only the person knows
    for parameter in found.params:
        is_flag = isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count)
        typed = isinstance(parameter.type, click.Choice | click.Path)
        custom = parameter._custom_shell_complete is not None
        assert is_flag or typed or custom or parameter.name in free, f"{command}: {parameter.name}"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_page_has_the_command_of_each_shell(checkout: Path, shell: str) -> None:
    page = (checkout / "docs" / "how-to" / "completion.md").read_text()
    [command] = re.findall(rf"(_DAASBENCH_COMPLETE={shell}_source daasbench) >", page)
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment())
    assert ended.returncode == 0
    assert "_DAASBENCH_COMPLETE" in ended.stdout
