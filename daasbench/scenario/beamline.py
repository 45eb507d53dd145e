"""The beamline of a scenario: its unit, and the size of that unit, must be those of the kernel that is to keep up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from daasbench.contracts import Kernel, Options
from daasbench.errors import ScenarioError
from daasbench.model import Beamline
from daasbench.scenario.grid import CaseGrid

ALIKE = 1.25  # two sizes of a unit that differ by less are taken as one


def alike(measured_bytes: float, declared_bytes: float) -> bool:
    """Return whether two sizes of a unit are near enough to compare rates in that unit."""
    return 1 / ALIKE < measured_bytes / declared_bytes < ALIKE


def fitting_sizes(kernel: Kernel, options: Options, unit_bytes: float) -> list[str]:
    """Return the sizes of a kernel whose unit has about so many bytes."""
    works = {size: kernel.work(parameters, options) for size, parameters in kernel.sizes.items()}
    return [size for size, work in works.items() if work.units and alike(work.input_bytes / work.units, unit_bytes)]


def check_beamline(beamline: Beamline | None, grids: Sequence[CaseGrid], where: str) -> None:
    """Refuse a beamline whose unit is not that of a kernel, or of another size: the rates could not be compared.

    Raises
    ------
    ScenarioError
        The message names the key, both units or sizes, and what to write.
    """
    if beamline is not None:
        for grid in grids:
            _check_unit(beamline, grid, where)
            _check_unit_bytes(beamline, grid, where)


def _check_unit(beamline: Beamline, grid: CaseGrid, where: str) -> None:
    unit = grid.kernel.card.unit
    if beamline.unit != unit:
        message = f"{beamline.unit!r} is not the unit of {grid.at}: {grid.kernel.name} counts its work in {unit!r}"
        fix = f"give the rate in that unit, or measure {grid.kernel.name} in a scenario of its own"
        raise ScenarioError(f"{where}: beamline.unit: {message}; {fix}")


def _check_unit_bytes(beamline: Beamline, grid: CaseGrid, where: str) -> None:
    declared, unit = beamline.unit_bytes, beamline.unit
    if declared is None:
        return
    for size, measured in _unit_bytes(grid):
        if alike(measured, declared):
            continue
        what = f"of size {size}" if size else "of the input file"
        owner = f"the {beamline.detector}" if beamline.detector else beamline.name
        message = (
            f"{unit}s {what} in {grid.at} have {_in_words(measured)} each, those of {owner}"
            f" {_in_words(declared)} (unit_bytes): they cannot show whether it keeps up"
        )
        fitting = fitting_sizes(grid.kernel, grid.options, declared)
        fix = f'write sizes = "{fitting[0]}"' if fitting else f"measure a file of {unit}s of that size"
        raise ScenarioError(f"{where}: beamline.unit_bytes: {message}; {fix}, or the unit_bytes of what is measured")


def _unit_bytes(grid: CaseGrid) -> Iterator[tuple[str | None, float]]:
    """Yield each size of a table, None for its file, and the bytes of one unit, where the kernel counts them."""
    for size in grid.sizes:
        known = grid.kernel.sizes[size] if size else grid.kernel.survey(Path(grid.paths["input"]), grid.options)
        work = grid.kernel.work(known, grid.options)
        if work.units and work.input_bytes:
            yield size, work.input_bytes / work.units


def _in_words(size: float) -> str:
    """Return bytes in the unit that leaves the fewest digits: ``"162 KiB"``."""
    for scale, sign in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= scale:
            return f"{size / scale:.3g} {sign}"
    return f"{size:.0f} bytes"
