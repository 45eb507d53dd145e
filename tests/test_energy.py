"""Energy is what the packages' counters say, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from daasbench.host.energy import EnergyCounter


def package(root: Path, name: str, energy_uj: int, wraps_at: int = 10_000_000) -> Path:
    zone = root / name
    zone.mkdir()
    (zone / "energy_uj").write_text(f"{energy_uj}\n")
    (zone / "max_energy_range_uj").write_text(f"{wraps_at}\n")
    return zone


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    first, second = package(tmp_path, "intel-rapl:0", 100), package(tmp_path, "intel-rapl:1", 200)
    cores = package(tmp_path, "intel-rapl:0:0", 50)
    counter = EnergyCounter(tmp_path)
    (first / "energy_uj").write_text("1000100")
    (second / "energy_uj").write_text("500200")
    (cores / "energy_uj").write_text("9000000")
    assert counter.joules() == pytest.approx(1.5)


def test_a_counter_that_wraps_continues(tmp_path: Path) -> None:
    zone = package(tmp_path, "intel-rapl:0", 9_500_000)
    counter = EnergyCounter(tmp_path)
    (zone / "energy_uj").write_text("500000")
    assert counter.joules() == pytest.approx(1.0)


def test_without_counters_there_is_no_number(tmp_path: Path) -> None:
    assert EnergyCounter(tmp_path).joules() is None
    (tmp_path / "intel-rapl:0").mkdir()
    assert EnergyCounter(tmp_path).joules() is None
