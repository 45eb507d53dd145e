"""The wheel alone: everything is in it, and it runs from anywhere with an empty HOME."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOMS = ("kernels", "scenarios", "runners", "reports")
SOURCES = ("daasbench", *ROOMS, "pyproject.toml", "setup.py", "README.md", "LICENSE")
LEFTOVERS = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc", "*.egg-info")
KERNEL = '''
from daasbench import kernel

@kernel(unit="number", oracle=lambda inputs, got: abs(got - inputs["numbers"].sum()), tolerance=0.0)
def total(inputs):
    """Return the sum of whole numbers."""
    return inputs["numbers"].sum()

@total.inputs(tiny={"n": 100})
def numbers(n, rng):
    return {"numbers": rng.integers(0, 9, n)}
'''

Command = Callable[..., str]


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from a copy of the sources so that nothing is left from an earlier build."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        source = checkout / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=LEFTOVERS)
        else:
            shutil.copy(source, copy / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."]
    done = subprocess.run(build, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Return a function that runs the `daasbench` of a fresh environment, elsewhere, with an empty HOME."""
    place = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / "venv"], check=True)
    constraints = checkout / "constraints.txt"
    install = [checkout / "ci/install", place / "venv/bin/python", "-c", constraints, wheel]
    subprocess.run(install, check=True, capture_output=True, timeout=240)
    elsewhere, home = place / "elsewhere", place / "home"
    elsewhere.mkdir()
    home.mkdir()
    (elsewhere / "total.py").write_text(KERNEL, encoding="utf-8")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [place / "venv/bin/daasbench", *arguments],
            cwd=elsewhere, env={"PATH": os.defpath, "HOME": str(home)}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_every_module_and_data_file_of_every_room_is_in_the_wheel(wheel: Path, checkout: Path) -> None:
    expected = set()
    for room in ("daasbench", *ROOMS):
        prefix = "daasbench" if room == "daasbench" else f"daasbench/{room}"
        for path in (checkout / room).rglob("*"):
            left_over = "__pycache__" in path.parts or path.suffix in (".nbi", ".nbc", ".md")
            if path.is_file() and not left_over:
                expected.add(f"{prefix}/{path.relative_to(checkout / room)}")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {"daasbench/py.typed", "daasbench/scenarios/quickstart.toml"} <= expected
    assert sorted(packed) == sorted(expected)


def test_the_wheel_carries_its_licence_and_says_which_it_is(wheel: Path, checkout: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (metadata,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        message = email.message_from_bytes(packed.read(metadata))
        licence = packed.read(metadata.replace("METADATA", "licenses/LICENSE"))
    assert message["License-Expression"] == "Apache-2.0"
    assert message["Requires-Python"] == ">=3.11"
    assert licence == (checkout / "LICENSE").read_bytes()


def test_the_installed_wheel_shows_its_help_and_its_kernels(installed: Command) -> None:
    assert "run" in installed("--help")
    listed = installed("list", "kernels")
    assert "azimuthal_integration" in listed
    assert "tomography" in listed


def test_the_installed_wheel_measures_a_kernel_of_the_users_own_and_reports_it(installed: Command) -> None:
    quick = ("--set", "repeat.processes=1", "--set", "repeat.max_repeats=5", "--set", "cases.cache=true")
    assert "1 correct" in installed("run", "./total.py", *quick)
    assert "summary.html" in installed("report", "summary")
    assert "total" in installed("results", "--csv", "-")
