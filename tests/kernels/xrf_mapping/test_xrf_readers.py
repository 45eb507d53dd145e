"""Files of common formats are read as they were written, and errors in a file are reported in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from daasbench.kernels.xrf_mapping import configuration as configurations
from daasbench.kernels.xrf_mapping import kernel, mda

from daasbench.errors import InputError, UsageError

PYMCA = """
[attenuators]
Matrix = 1, Steel, 1.0, 1.0, 45.0, 45.0, 1, 100.0
[peaks]
Fe = Ka, Kb
Pb = L
Zz = K
[fit]
xmin = 100
xmax = 799
use_limit = 1
scatterflag = 1
energy = 16.0, None
[detector]
noise = 0.1
fano = 0.11
zero = -0.01
gain = 0.02
"""
UNCALIBRATED = "its energy calibration is not known"


def maps_file(folder: Path, counts: Any, place: str = "MAPS_RAW/data_a", calibration: Any = None) -> Path:
    path = folder / "map.h5"
    with h5py.File(path, "w") as file:
        file[place] = counts
        if calibration is not None:
            file["MAPS/energy_calib"] = np.array(calibration, np.float32)
    return path


@pytest.fixture
def spectra(generated: Any) -> Any:
    """Return u16[4 rows, 5 columns, 1024 channels]."""
    return generated(4, 5).blocks[0].reshape(4, 5, 1024)


def test_a_maps_file_has_its_channels_first(
    tmp_path: Path, spectra: Any, configuration: Path, problem_of: Any, compute: Any, verdict: Any
) -> None:
    path = maps_file(tmp_path, np.moveaxis(spectra, -1, 0).astype(np.int16))
    problem = problem_of(path, configuration=str(configuration))
    assert problem.blocks[0].dtype == np.uint16
    np.testing.assert_array_equal(problem.blocks[0], spectra.reshape(20, 1024))
    assert problem.model.names[:5] == ("S K", "Ca K", "Fe K", "Cu K", "Pb M")
    for name in ("numpy", "numba"):
        assert verdict(problem, compute(problem, name), name).ok


def test_a_maps_file_may_bring_its_own_calibration(tmp_path: Path, spectra: Any, problem_of: Any) -> None:
    counts = np.moveaxis(spectra, -1, 0).astype(np.float32)
    path = maps_file(tmp_path, counts, "MAPS/mca_arr", [-0.012, 0.02, 0.0])
    problem = problem_of(path, elements="Fe, Cu", energies="5:10")
    assert problem.blocks[0].dtype == np.float32
    assert problem.model.first == 251
    assert problem.model.names == ("Fe K", "Cu K", *(f"continuum {k}" for k in range(4)))
    peak = problem.model.matrix[:, 0].argmax() + problem.model.first
    assert -0.012 + 0.02 * peak == pytest.approx(6.4, abs=0.02)


def test_another_hdf5_file_has_its_channels_last(tmp_path: Path, spectra: Any, problem_of: Any) -> None:
    path = maps_file(tmp_path, spectra, "entry/xrf")
    problem = problem_of(path, dataset="entry/xrf", calibration="-0.012,0.02", elements="Fe", beam_kev=17.0)
    np.testing.assert_array_equal(problem.blocks[0], spectra.reshape(20, 1024))
    assert problem.model.names[:3] == ("Fe K", "elastic", "Compton")


def test_the_default_of_a_nexus_file_is_its_spectra(tmp_path: Path, spectra: Any, problem_of: Any) -> None:
    path = maps_file(tmp_path, spectra, "entry/xrf")
    with h5py.File(path, "a") as file:
        file.attrs["default"], file["entry"].attrs["signal"] = "entry", "xrf"
    problem = problem_of(path, calibration="-0.012,0.02", elements="Fe")
    np.testing.assert_array_equal(problem.blocks[0], spectra.reshape(20, 1024))


def test_an_mda_file_is_read_row_by_row(mda_file: Any, spectra: Any, configuration: Path, problem_of: Any) -> None:
    counts = np.stack([spectra, 2 * spectra], axis=2)
    path = mda_file(counts)
    assert mda.shape(path) == (4, 5, 1024)
    np.testing.assert_array_equal(mda.spectra(path), counts)
    problem = problem_of(path, configuration=str(configuration), detector=1)
    np.testing.assert_array_equal(problem.blocks[0], 2 * spectra.reshape(20, 1024))


def test_rows_that_were_not_scanned_are_left_out(mda_file: Any, spectra: Any) -> None:
    counts = spectra[:, :, None]
    np.testing.assert_array_equal(mda.spectra(mda_file(counts, finished=3)), counts[:3])


def test_a_spe_and_an_mca_hold_one_spectrum(tmp_path: Path, spectra: Any, problem_of: Any) -> None:
    numbers = "\n".join(str(count) for count in spectra[0, 0])
    spe, column = tmp_path / "one.SPE", tmp_path / "one.mca"
    spe.write_text(f"$SPEC_ID:\n\n$DATA:\n 0 1023\n{numbers}\n$ENER_FIT:\n 0 1\n")
    column.write_text(f"# a comment\n{numbers}\n")
    for path in (spe, column):
        problem = problem_of(path, calibration="-0.012,0.02", elements="Fe, Ca", energies="2:12")
        np.testing.assert_array_equal(problem.blocks[0], spectra[0, :1].astype(np.float32))


def test_a_pymca_configuration_says_detector_lines_and_range(tmp_path: Path) -> None:
    path = tmp_path / "fit.cfg"
    path.write_text(PYMCA)
    said = configurations.load(path)
    assert (said.detector.offset, said.detector.gain, said.detector.noise, said.detector.fano) == (
        -0.01,
        0.02,
        0.1,
        0.11,
    )
    assert said.families == ("Fe Ka", "Fe Kb", "Pb L")
    assert said.unknown == ("Zz K",)
    assert said.channels == (100, 800)
    assert (said.beam.energy, said.beam.angle) == (16.0, 100.0)
    assert said.beam.compton_energy == pytest.approx(16 / (1 + 16 / 511 * 1.17365), rel=1e-4)


def test_a_maps_configuration_says_the_same(configuration: Path) -> None:
    said = configurations.load(configuration)
    assert said.families == ("S K", "Ca K", "Fe K", "Cu K", "Pb M")
    assert said.unknown == ("Unknownium K",)
    assert said.energies == (1.5, 18.2)
    assert said.detector.sigma(6.4) == pytest.approx((0.09**2 / 2.3548**2 + 2.96 * 0.00015 * 6.4) ** 0.5)


def test_spectra_that_are_no_counts_are_zeroed_and_counted(
    tmp_path: Path, spectra: Any, configuration: Path, problem_of: Any
) -> None:
    counts = spectra.astype(np.float32)
    counts[0, 0, 700], counts[1, 2, 3] = np.nan, -4
    path = maps_file(tmp_path, np.moveaxis(counts, -1, 0), "MAPS/mca_arr")
    problem = problem_of(path, configuration=str(configuration))
    assert problem.lost == 2
    assert not problem.blocks[0][[0, 7]].any()


def test_blocks_are_parts_of_the_map_as_many_as_there_are(
    tmp_path: Path, spectra: Any, configuration: Path, problem_of: Any, compute: Any, verdict: Any
) -> None:
    path = maps_file(tmp_path, np.moveaxis(spectra, -1, 0))
    problem = problem_of(path, blocks=3, configuration=str(configuration), pixels=8)
    assert len(problem.blocks) == 2
    np.testing.assert_array_equal(np.concatenate(problem.blocks), spectra.reshape(20, 1024)[:16])
    assert verdict(problem, compute(problem, "numba", block=1), block=1).ok


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"elements": "Fe"}, UNCALIBRATED),
        ({"calibration": "0, 0.02"}, "the elements to fit are not known"),
        ({"calibration": "0, -0.02", "elements": "Fe"}, "gain of -0.02 keV per channel; it must be positive"),
        ({"calibration": "none", "elements": "Fe"}, "calibration: 'none' is not 'offset, gain in keV'"),
        ({"calibration": "0, 0.02", "elements": "Fe, Xx"}, "no lines are known for Xx K; known are Al K"),
        ({"calibration": "0, 0.02", "elements": "Fe", "energies": "8:12"}, "none of Fe K has lines between 8.00"),
        ({"calibration": "0, 0.02", "elements": "Fe", "energies": "6:6.1"}, "channels would be fitted; at least 41"),
        ({"calibration": "0, 0.02", "elements": "Fe K, Fe Ka, Fe Kb"}, "not distinguishable"),
        ({"calibration": "0, 0.02", "elements": "Fe", "detector": 3}, "detector elements 0 to 0"),
        (
            {"calibration": "0, 0.02", "elements": "Fe", "dataset": "nowhere"},
            "no dataset at dataset = 'nowhere'; it has: MAPS_RAW",
        ),
        ({"configuration": "nowhere.cfg"}, "nowhere.cfg: there is no such file"),
    ],
)
def test_missing_and_contradictory_options_are_reported(tmp_path: Path, spectra: Any, options: Any, says: str) -> None:
    path = maps_file(tmp_path, np.moveaxis(spectra, -1, 0))
    with pytest.raises(UsageError, match=says) as raised:
        kernel.survey(path, kernel.options(**options))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.mda", b"", "is not an .mda file"),
        ("a.mda", b"not an mda file at all, but words", "is not an .mda file"),
        ("a.h5", b"not HDF5", "cannot be read as HDF5"),
        ("a.spe", b"$DATA:\n0 3\n1 2 3 4\n", "has 4 channels"),
        ("a.mca", b"1\n2\nthree\n", "could not convert string"),
        ("gone.spe", None, "there is no such file"),
        ("gone.mda", None, "there is no such file"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=says) as raised:
        kernel.survey(path, kernel.options(calibration="0, 0.02", elements="Fe"))
    assert str(path) in str(raised.value)


def test_a_truncated_mda_file_is_refused(mda_file: Any, spectra: Any) -> None:
    path = mda_file(spectra[:, :, None])
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="is truncated or damaged"):
        mda.spectra(path)


def test_an_mda_file_without_spectra_is_refused(mda_file: Any, spectra: Any) -> None:
    with pytest.raises(InputError, match=r"2 dimensions .* without spectra"):
        mda.shape(mda_file(spectra[:, :, None], rank=2))


@pytest.mark.parametrize(("old", "new"), [("gain = 0.02", ""), ("noise = 0.1", "noise = wide"), ("[fit]", "[fot]")])
def test_a_damaged_configuration_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "fit.cfg"
    path.write_text(PYMCA.replace(old, new))
    with pytest.raises(InputError, match=r"is missing or wrong|could not convert"):
        configurations.load(path)
