"""Every implementation finds the true areas, and wrong results are detected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.xrf_mapping import kernel, oracle, with_numba, with_numpy
from daasbench.kernels.xrf_mapping.lines import table

from daasbench.contracts import Resources
from daasbench.errors import UsageError

METHODS = ["linear", "snip", "nnls"]
IMPLEMENTATIONS = ["numpy", "numba"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 17), (9, 15)])
def test_every_implementation_agrees_with_least_squares_for_any_number_of_pixels(
    generated: Any, compute: Any, name: str, method: str, rows: int, columns: int
) -> None:
    problem = generated(rows, columns, method=method)
    expected = oracle.expect(problem, kernel.options())[0]
    found = oracle._against_definition(problem.model, expected, compute(problem, name))
    assert found.ok, found


@pytest.mark.parametrize("method", ["linear", "nnls"])
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_the_pulls_of_a_known_specimen_are_standard(
    generated: Any, compute: Any, verdict: Any, name: str, method: str
) -> None:
    problem = generated(30, 30, method=method)
    areas = compute(problem, name)
    assert verdict(problem, areas, name).ok
    sigma = oracle.expect(problem, kernel.options())[0].sigma
    true = problem.truth.areas[0][:, : problem.model.elements]
    pulls = (areas[:, : problem.model.elements] - true) / sigma
    if method == "nnls":
        pulls = pulls[true > 8 * sigma]
    assert abs(pulls.mean()) < 0.05
    assert pulls.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_least_squares_areas_scale_and_add(generated: Any, compute: Any, name: str) -> None:
    problem = generated(blocks=2)
    one, other = (block.astype(np.float32) for block in problem.blocks)
    parts = [compute(replace(problem, blocks=[block]), name) for block in (one, other, 3 * one + other)]
    np.testing.assert_allclose(parts[2], 3 * parts[0] + parts[1], atol=2e-5 * np.abs(parts[2]).max())


@pytest.mark.parametrize("method", ["linear", "nnls"])
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_a_spectrum_without_noise_gives_its_areas_back(generated: Any, compute: Any, name: str, method: str) -> None:
    problem = generated(method=method)
    model = problem.model
    areas = np.abs(np.random.default_rng(3).normal(1000, 500, (20, len(model.names))))
    areas[:, 3] = 0
    spectra = np.zeros((20, 1024), np.float32)
    spectra[:, model.first : model.last] = areas @ model.matrix.T
    found = compute(replace(problem, blocks=[spectra]), name)
    np.testing.assert_allclose(found, areas, atol=2e-5 * areas.max())


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_nnls_is_never_negative_where_least_squares_is(generated: Any, compute: Any, name: str) -> None:
    assert (compute(generated(), name) < 0).mean() > 0.01
    assert not (compute(generated(method="nnls"), name) < 0).any()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize("method", METHODS)
def test_an_empty_spectrum_has_no_areas(generated: Any, compute: Any, verdict: Any, name: str, method: str) -> None:
    problem = generated(method=method)
    problem.blocks[0][2:5] = 0
    assert not compute(problem, name)[2:5].any()


def test_a_narrow_snip_of_few_channels_is_right_too(generated: Any, compute: Any) -> None:
    spectra = np.random.default_rng(1).poisson(40, (3, 45)).astype(np.uint16)
    for width in (1, 20, 22):
        found = with_numba.background_of(spectra, width)
        expected = [oracle.snip_of(spectrum, width) for spectrum in spectra]
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        np.testing.assert_allclose(with_numpy.snip(spectra.astype(float), width), expected, rtol=1e-12)


def test_snip_removes_a_straight_background_and_keeps_a_narrow_peak() -> None:
    channel = np.arange(300.0)
    background, peak = 1000 - 2 * channel, 500 * np.exp(-0.5 * ((channel - 140) / 4) ** 2)
    found = with_numpy.snip((background + peak)[None], 20)[0]
    np.testing.assert_allclose(found, background, atol=2.0)


def test_dependent_components_take_the_whole_pseudo_inverse(generated: Any, compute: Any) -> None:
    problem = generated()
    model = problem.model
    near = model.matrix[:, :1] * 0.999 + 0.001 * np.roll(model.matrix[:, :1], 9, axis=0)
    crowded = replace(model, matrix=np.hstack([near, model.matrix]), names=("near", *model.names))
    rows, solve = with_numba._factors(crowded.matrix / crowded.norms)
    np.testing.assert_array_equal(solve, np.eye(len(rows)))
    areas = compute(replace(problem, model=crowded), "numba")
    expected = np.linalg.lstsq(crowded.matrix, problem.blocks[0][:, model.first : model.last].T.astype(float))[0].T
    np.testing.assert_allclose(areas, expected, atol=1e-5 * np.abs(expected).max())


def test_counts_may_be_float32_as_well(generated: Any, compute: Any) -> None:
    problem = generated(method="nnls")
    again = replace(problem, blocks=[problem.blocks[0].astype(np.float32)])
    np.testing.assert_array_equal(compute(problem, "numba"), compute(again, "numba"))


@pytest.mark.parametrize("method", METHODS)
def test_the_next_block_does_not_change_the_last_result(generated: Any, method: str) -> None:
    problem = generated(blocks=2, method=method)
    run = kernel.implementations["numba"].load()(problem, Resources(threads=2))
    first = run(problem.blocks[0])
    kept = first.copy()
    run(problem.blocks[1])
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(run(problem.blocks[0]), kept)


def test_every_family_of_lines_is_one_whole() -> None:
    for name, lines in table().items():
        assert sum(share for _, share in lines) == pytest.approx(1), name
    energy, _ = max(table()["Fe K"], key=lambda line: line[1])
    assert energy == pytest.approx(6.404, abs=0.001)  # Bearden 1967
    assert sum(share for energy, share in table()["Fe K"] if energy > 7) == pytest.approx(0.12, abs=0.01)
    assert {energy for energy, _ in table()["Fe Ka"]} | {energy for energy, _ in table()["Fe Kb"]} == {
        energy for energy, _ in table()["Fe K"]
    }


def test_work_counts_spectra_and_the_operations_of_each_method() -> None:
    works = {method: kernel.work(kernel.sizes["medium"], kernel.options(method=method)) for method in METHODS}
    assert {work.units for work in works.values()} == {65536}
    assert works["linear"].flop == 65536 * 2 * 1670 * 21
    assert works["snip"].flop == 65536 * (2 * 1670 * 17 + 1670 * 61)
    assert works["linear"].bytes == 65536 * (2 * 1670 + 4 * 21)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"elements": "Fe"}, "the options elements describe a file"),
        ({"continuum": 1}, "of degree 3"),
        ({"method": "snip", "snip_width": 500}, "more than half of 835 channels"),
    ],
)
def test_options_that_generated_spectra_cannot_have_are_refused(options: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        kernel.make(kernel.sizes["tiny"], kernel.options(**options), 1, 1)


# --- mutants: each must be called wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("implementation", ["numpy", "numba"])
def test_a_calibration_half_a_channel_off_is_wrong(
    generated: Any, verdict: Any, method: str, implementation: str
) -> None:
    problem = generated(method=method)
    moved = np.roll(problem.model.matrix, 1, axis=0) / 2 + problem.model.matrix / 2
    wrong = replace(problem, model=replace(problem.model, matrix=moved))
    result = kernel.implementations[implementation].load()(wrong, Resources())(problem.blocks[0])
    assert not verdict(problem, result).ok


def test_clipped_least_squares_are_no_nnls(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(method="nnls")
    clipped = np.maximum(compute(generated(), "numpy"), 0)
    assert not verdict(problem, clipped).ok
    assert verdict(problem, compute(problem, "numpy")).ok


def test_snip_in_the_other_order_is_wrong(
    generated: Any, compute: Any, verdict: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def increasing(spectra: Any, width: int) -> Any:
        background = spectra.copy()
        for p in range(1, width + 1):
            mean = (background[:, : -2 * p] + background[:, 2 * p :]) / 2
            background[:, p:-p] = np.minimum(background[:, p:-p], mean)
        return background

    problem = generated(method="snip")
    monkeypatch.setattr(with_numpy, "snip", increasing)
    assert not verdict(problem, compute(problem, "numpy")).ok


def test_another_block_s_areas_are_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated(blocks=2)
    assert not verdict(problem, compute(problem, "numba"), block=1).ok


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e30])
def test_a_result_with_a_wild_number_is_wrong(
    generated: Any, compute: Any, verdict: Any, method: str, bad: float
) -> None:
    problem = generated(method=method)
    result = compute(problem, "numpy")
    result[7, 2] = bad
    assert not verdict(problem, result).ok


def test_a_result_of_another_shape_or_type_is_wrong(generated: Any, compute: Any, verdict: Any) -> None:
    problem = generated()
    result = compute(problem, "numpy")
    assert not verdict(problem, result[:2]).ok
    assert "float64" in verdict(problem, result.astype(np.float64)).message
