"""Measured spectra: elements come out as others found them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daasbench.kernels.xrf_mapping import with_numpy

METHODS = ["linear", "snip", "nnls"]
MAPS = {"axo": "aps2ide_axo_std.mda", "fly": "aps2ide_2xfm_0011_2xfm3__0.h5"}


@pytest.fixture
def override(real_file: Any) -> str:
    """Return the MAPS configuration of the measured maps."""
    return str(real_file("xrf/aps2ide_maps_fit_parameters_override.txt"))


@pytest.fixture
def steel(needs: Any) -> tuple[Path, str]:
    """Return the steel spectrum that comes with PyMca, and its configuration."""
    needs("PyMca5")
    import PyMca5

    folder = Path(PyMca5.__file__).parent / "PyMcaData"
    return folder / "Steel.spe", str(folder / "Steel.cfg")


@pytest.mark.parametrize("method", METHODS)
def test_the_thin_film_standard_has_smooth_sensitivities(
    real_file: Any, problem_of: Any, compute: Any, verdict: Any, override: str, method: str
) -> None:
    problem = problem_of(real_file(f"xrf/{MAPS['axo']}"), configuration=override, method=method)
    assert problem.blocks[0].shape == (121, 2000)
    areas = compute(problem, "numba")
    assert verdict(problem, areas, "numba").ok
    counts = dict(zip(problem.model.names, areas.sum(axis=0), strict=True))
    standard = {"Ca K": (20, 1.931), "Fe K": (26, 0.504), "Cu K": (29, 0.284)}  # Z, ug/cm2: standardinfo.txt
    logs = {name: np.log(counts[name] / density) for name, (_, density) in standard.items()}
    iron = logs["Ca K"] + (26 - 20) / (29 - 20) * (logs["Cu K"] - logs["Ca K"])
    assert counts["Fe K"] / np.exp(iron) == pytest.approx(0.504, rel=0.1)  # its density, by the other two
    assert logs["Ca K"] < logs["Fe K"] < logs["Cu K"]
    absent = [counts[name] for name in ("P K", "K K", "Mn K", "Co K", "Ni K", "Zn K")]
    assert max(absent) < 0.1 * min(counts[name] for name in standard)


def test_a_standard_calibrates_a_map_of_the_same_film(
    real_file: Any, problem_of: Any, compute: Any, override: str
) -> None:
    densities = {}
    for name in MAPS.values():
        problem = problem_of(real_file(f"xrf/{name}"), configuration=override, method="nnls")
        areas = compute(problem, "numba").sum(axis=0)
        densities[name] = np.array([areas[problem.model.names.index(f"{element} K")] for element in ("Ca", "Fe", "Cu")])
    standard, fly = densities.values()
    np.testing.assert_allclose(fly / standard, (fly / standard).mean(), rtol=0.15)  # one time and current for all


@pytest.mark.parametrize("method", METHODS)
def test_a_bionanoprobe_map_agrees_with_the_maps_that_came_with_it(
    real_file: Any, problem_of: Any, compute: Any, verdict: Any, method: str
) -> None:
    import h5py

    path = real_file("xrf/bnp_fly0012.h5")
    problem = problem_of(
        path, elements="P, S, Cl, K, Ca, Cr, Mn, Fe, Co, Ni, Cu, Zn", energies="1.8:9.2", method=method
    )
    areas = compute(problem, "numba")
    assert verdict(problem, areas, "numba").ok
    with h5py.File(path) as file:
        names = [name.decode().strip() for name in file["MAPS/channel_names"]]
        theirs = file["MAPS/XRF_roi"][names.index("Cu")].ravel()
    assert np.corrcoef(areas[:, problem.model.names.index("Cu K")], theirs)[0, 1] > 0.8


@pytest.mark.parametrize("method", METHODS)
def test_the_steel_of_pymca_is_fitted(steel: Any, problem_of: Any, compute: Any, verdict: Any, method: str) -> None:
    path, configuration = steel
    problem = problem_of(path, configuration=configuration, method=method, snip_width=30)
    areas = compute(problem, "numba")
    assert verdict(problem, areas, "numba").ok
    spectrum = problem.blocks[0][:, problem.model.first : problem.model.last].astype(np.float64)
    if method == "snip":
        spectrum -= with_numpy.snip(spectrum, 30)
    residual = spectrum - areas @ problem.model.matrix.T
    assert np.linalg.norm(residual) < 0.05 * np.linalg.norm(spectrum)  # tails and escape peaks are not in the model


def test_the_areas_of_steel_are_those_of_pymca_s_own_model(steel: Any, problem_of: Any, compute: Any) -> None:
    from PyMca5.PyMcaIO import ConfigDict
    from PyMca5.PyMcaPhysics.xrf.FastXRFLinearFit import FastXRFLinearFit

    path, configuration = steel
    problem = problem_of(path, configuration=configuration, method="snip", snip_width=30)
    ours = dict(zip(problem.model.names, compute(problem, "numba")[0], strict=True))
    settings = ConfigDict.ConfigDict()
    settings.read(configuration)
    settings["fit"] |= {"stripalgorithm": 1, "snipwidth": 30, "fitweight": 0, "linearfitflag": 1, "strategyflag": 0}
    settings["fit"] |= {"escapeflag": 0, "sumflag": 0}
    for layer in settings["attenuators"].values():  # which change the ratios of lines
        layer[0] = 0
    logging.getLogger("PyMca5").setLevel(logging.ERROR)
    fit = FastXRFLinearFit()
    fit.setFitConfiguration(settings)
    found = fit.fitMultipleSpectra(x=np.arange(2048.0), y=problem.blocks[0].astype(np.float64), refit=False)
    theirs = dict(zip(found.labels("parameters"), found["parameters"].ravel(), strict=True))
    theirs["elastic"], theirs["Compton"] = theirs["Scatter Peak000"], theirs["Scatter Compton000"]
    for name in ("V K", "Cr K", "Mn K", "Fe Ka", "Fe Kb", "Ni K", "Cu K", "W L3", "elastic", "Compton"):
        assert ours[name] == pytest.approx(theirs[name], rel=0.01), name
