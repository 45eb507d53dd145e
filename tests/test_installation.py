"""The command that installs what is missing: for the Python and from the checkout that run daasbench."""

from __future__ import annotations

import sys

import pytest

from daasbench.host import installation
from daasbench.host.installation import command_here, one_command

PYTHON = sys.executable


def comes_from(monkeypatch: pytest.MonkeyPatch, origin: str, *, editable: bool = False) -> None:
    monkeypatch.setattr(installation, "_origin", lambda: (origin, editable))


def test_an_extra_of_a_checkout_is_installed_from_the_checkout_into_this_python(monkeypatch):
    comes_from(monkeypatch, "/work/daas bench", editable=True)
    fix = command_here("install it: pip install 'daasbench[mpi]'")
    assert fix == f"install it: {PYTHON} -m pip install -e '/work/daas bench[mpi]'"


def test_an_extra_of_a_wheel_or_of_an_index_is_installed_from_there(monkeypatch):
    comes_from(monkeypatch, "/tmp/daasbench-1-py3-none-any.whl")
    wheel = "'daasbench[gpu] @ file:///tmp/daasbench-1-py3-none-any.whl'"
    assert command_here("pip install 'daasbench[gpu]'") == f"{PYTHON} -m pip install {wheel}"
    comes_from(monkeypatch, "")
    assert command_here("pip install 'daasbench[gpu]'") == f"{PYTHON} -m pip install 'daasbench[gpu]'"
    assert command_here("pip install mpich") == f"{PYTHON} -m pip install mpich"


def test_a_fix_that_is_no_command_of_pip_is_unchanged():
    for fix in ("apt install dials", "use a machine that has one", "pip install x, or load your site's module", ""):
        assert command_here(fix) == fix


def test_one_command_installs_what_several_fixes_install(monkeypatch):
    comes_from(monkeypatch, "/work/here", editable=True)
    declared = ["pip install 'daasbench[peers]'", "install it: pip install 'daasbench[mpi]'", "pip install numba"]
    expected = f"{PYTHON} -m pip install -e '/work/here[mpi,peers]' numba"
    assert one_command(declared) == expected
    assert one_command([*map(command_here, declared), "apt install dials"]) == expected
    assert one_command(["apt install dials"]) == ""


def test_the_origin_of_this_daasbench_is_a_folder_or_file_that_exists_or_an_index():
    from pathlib import Path

    origin, _ = installation._origin()
    assert not origin or Path(origin).exists()
