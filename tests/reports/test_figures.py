"""Figures: one colour for one implementation, bars from zero, names beside the points."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daasbench.reports.figures import bars, canvas, roof, stacks
from daasbench.reports.figures.palette import colours
from daasbench.reports.summary import report

OKABE_ITO = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}


def bar(**facts: Any) -> bars.Bar:
    return bars.Bar(**({"label": "a", "text": "1 s", "colour": canvas.SERIES[0], "value": 1.0} | facts))


def test_an_implementation_has_the_same_colour_on_every_page() -> None:
    alone, together = colours(["numba", "numpy"]), colours(["nufft", "numpy", "scipy", "numba"])
    assert {name: together[name] for name in alone} == alone
    assert len(set(together.values())) == 4
    assert set(together.values()) <= OKABE_ITO | {canvas.REFERENCE}


def test_no_phase_has_the_colour_of_an_implementation() -> None:
    phases = [colour for _, colour in stacks.PHASES.values()]
    assert len(set(phases)) == len(phases)
    assert not set(phases) & {*canvas.SERIES, canvas.REFERENCE}


def test_bars_of_a_group_start_at_zero_and_share_a_scale() -> None:
    drawn = bars.draw([bars.BarGroup(title="frames/s", bars=(bar(value=200.0), bar(value=50.0, low=40.0, high=60.0)))])
    assert re.findall(r"width:([\d.]+)%;--bar", drawn) == ["100.00", "25.00"]
    assert "left:20.00%;width:10.00%" in drawn


def test_a_bar_without_a_value_has_its_interval_only() -> None:
    drawn = bars.draw([bars.BarGroup(title="", bars=(bar(value=None, low=1.0, high=4.0),))])
    assert "fill" not in drawn
    assert "left:25.00%;width:75.00%" in drawn


def test_what_was_projected_is_drawn_otherwise_than_what_was_measured() -> None:
    drawn = bars.draw([bars.BarGroup(title="", bars=(bar(), bar(basis="projected")))])
    assert re.findall(r'class="fill (\w+)"', drawn) == ["measured", "projected"]


def test_hostile_words_stay_words_in_bars() -> None:
    drawn = bars.draw([bars.BarGroup(title="<b>", bars=(bar(label="<script>", text='"><img>', basis='"><i>'),))])
    assert not {"<b>", "<script>", "<img>", "<i>"} & set(re.findall(r"<[^>]*>", drawn))


def test_every_point_of_a_roofline_has_its_name_beside_it() -> None:
    points = [
        roof.RooflinePoint(label=name, group="g", colour=canvas.SERIES[0], intensity=1.0, speed=speed)
        for name, speed in (("numba", 1e9), ("numpy", 1.01e9))
    ]
    ceilings = [roof.Ceiling(label="memory (read)", value=50e9, slope=True)]
    drawn = roof.draw(ceilings, points, "r", "Roofline", "Two points.")
    heights = [float(y) for y in re.findall(r"translate\([\d.]+ ([\d.]+)\)[^>]*>(?:numba|numpy)</text>", drawn)] or [
        float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>(?:numba|numpy)</text>', drawn)
    ]
    assert len(heights) == 2
    assert abs(heights[0] - heights[1]) > 6  # points: their labels do not overlap


def test_tables_that_are_stacked_on_a_phone_name_every_cell(fill: Callable[[Path], Any], tmp_path: Path) -> None:
    page = report.write(fill(tmp_path / "results").gather(), tmp_path / "out", ["html"])[0].read_text()
    stacked = re.findall(r'<div class="box stack".*?</table>', page, flags=re.DOTALL)
    assert len(stacked) >= 4
    for table in stacked:
        cells = re.findall(r"<td[^>]*>", table)
        assert [cell for cell in cells if "data-label" not in cell and "colspan" not in cell] == []
