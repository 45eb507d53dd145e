"""A beamline whose frames are not those that are measured is refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCENARIO = """
question = "Does it keep up?"
platforms = ["here"]
[beamline]
name = "our beamline"
{detector}
unit = "frame"
units_per_s = 100.0
{unit_bytes}
source = "the detector group, by mail"
date = 2026-11-01
[[cases]]
kernel = "azimuthal_integration"
implementations = "numpy"
sizes = {sizes}
"""
EIGER = {"detector": 'detector = "Eiger2 4M"', "unit_bytes": "unit_bytes = 17942760"}


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes a scenario with a beamline, and returns its name."""

    def write(sizes: str, **facts: str) -> str:
        (tmp_path / "waiting.toml").write_text(SCENARIO.format(sizes=sizes, **{**EIGER, **facts}))
        return "./waiting.toml"

    return write


def test_frames_that_are_not_the_detectors_are_refused_with_the_size_to_write(
    scenario: Callable[..., str], refused: Callable[..., str]
) -> None:
    assert refused(scenario('"tiny"')) == (
        "daasbench: waiting.toml: beamline.unit_bytes: frames of size tiny in cases[0] have 162 KiB each, those of the"
        ' Eiger2 4M 17.1 MiB (unit_bytes): they cannot show whether it keeps up; write sizes = "small", or the'
        " unit_bytes of what is measured\n"
    )


def test_one_size_of_several_that_does_not_fit_is_enough(
    scenario: Callable[..., str], refused: Callable[..., str]
) -> None:
    assert "frames of size tiny in cases[0]" in refused(scenario('["small", "tiny"]', detector=""))


def test_where_no_size_fits_a_file_is_proposed(scenario: Callable[..., str], refused: Callable[..., str]) -> None:
    said = refused(scenario('"small"', unit_bytes="unit_bytes = 5", detector=""))
    assert "those of our beamline 5 bytes (unit_bytes)" in said
    assert "measure a file of frames of that size, or the unit_bytes of what is measured" in said


@pytest.mark.parametrize("facts", [{}, {"unit_bytes": ""}])
def test_frames_of_the_detectors_size_or_of_an_unknown_one_are_accepted(
    scenario: Callable[..., str], say: Callable[..., Any], facts: dict[str, str]
) -> None:
    said = say("run", scenario('"small"', **facts), "--dry-run", "--json")
    assert said.code == 0, said


def test_the_shipped_scenario_measures_frames_of_its_detector(say: Callable[..., Any]) -> None:
    assert say("run", "time_to_science", "--dry-run", "--json").code == 0
