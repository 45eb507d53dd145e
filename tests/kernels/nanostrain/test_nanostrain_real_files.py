"""Measured rocking scans and maps give what their beamlines found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (registers the compressions)
import numpy as np
import pytest
from daasbench.kernels.nanostrain import kernel
from daasbench.kernels.nanostrain.options import NanostrainOptions

from daasbench.errors import InputError

Find = Callable[[str], Path]
GOLD = NanostrainOptions(
    dataset="frames",
    angles="theta_deg",
    rocking="phi",  # 34-ID-C turns the sample about the vertical axis
    eta_deg=0,
    nu_deg=32.174,
    delta_deg=12.6346,
    energy_kev=9,
    distance_mm=500,
    pixel_um=55,
    centre="127.5,127.5",  # its arm angles are those of the middle of the region of interest
    grid="60,60,60",
)
MAP_26ID = NanostrainOptions(
    eta_deg=8.2, phi_deg=0, nu_deg=0, delta_deg=16.7, energy_kev=10, distance_mm=578.837, centre="258,258", positions=27
)


def _problem(path: Path, options: NanostrainOptions, blocks: int = 1) -> Any:
    return kernel.read(path, kernel.survey(path, options), options, blocks)


def test_the_gold_crystal_has_the_spacing_of_gold(real_file: Find, compute: Any, verdict: Any) -> None:
    problem = _problem(real_file("cdi/au_bcdi_aps34idc.h5"), GOLD)
    result = compute(problem, "numba", 2)
    found = verdict(problem, result, "numba")
    assert found.ok, found
    assert result.photons == [46155653]  # known: the sum of all frames
    centres, widths = result.gaussians[0, :, 1], result.gaussians[0, :, 2]
    spacing = 2 * np.pi / np.linalg.norm(centres)
    assert spacing == pytest.approx(2.335, abs=0.003)  # the authors' 2 theta of 34.32 degrees
    assert spacing == pytest.approx(2.355, rel=0.01)  # Au(111)
    assert (widths < 2.5e-3).all(), "a crystal of some 200 nm has a narrow peak"


def test_the_map_of_26id_has_the_photons_that_the_beamline_counted(real_file: Find, compute: Any, verdict: Any) -> None:
    path = real_file("nanostrain/sxdm294_aps26idc.h5")
    options = NanostrainOptions(
        **{name: getattr(MAP_26ID, name) for name in MAP_26ID.__struct_fields__} | {"pixel_um": 55}
    )
    problem = _problem(path, options, 2)
    with h5py.File(path) as file:
        counted = file["mda/stats2_total"][:2]
        frames = file["frames"][:54].sum(axis=(1, 2), dtype=np.int64).reshape(2, 27)
    for block in range(2):
        result = compute(problem, "numba", 2, block)
        assert np.array_equal(result.photons, frames[block])
        assert np.corrcoef(result.photons, counted[block])[0, 1] > 0.999
    assert verdict(problem, compute(problem, "numba"), "numba").ok


def test_the_map_of_26id_does_not_say_how_large_a_pixel_is(real_file: Find) -> None:
    with pytest.raises(InputError, match="pixel_um="):
        kernel.survey(real_file("nanostrain/sxdm294_aps26idc.h5"), MAP_26ID)


def test_a_bliss_master_without_its_images_is_refused(real_file: Find) -> None:
    with pytest.raises(InputError, match="takes values from the missing file"):
        kernel.survey(real_file("nanostrain/id01_bliss_master_PTO_STO_SL.h5"), NanostrainOptions())


def test_the_geometry_of_a_bliss_master_is_found(real_file: Find, tmp_path: Path) -> None:
    """With images instead of those that are missing: the rocking curve of the beamline's region of interest."""
    with h5py.File(real_file("nanostrain/id01_bliss_master_PTO_STO_SL.h5")) as master:
        roi = master["20.1/measurement/mpx1x4_roi1"][()]
        images = np.zeros((51, 516, 516), np.int32)
        images[:, 240, 130] = roi  # all of its counts in one pixel
        path = tmp_path / "scan0020" / "mpx1x4_0000.h5"
        path.parent.mkdir()
        with h5py.File(path, "w") as file:
            file.create_dataset(
                "entry_0000/instrument/mpx1x4/data", data=images, chunks=(1, 516, 516), compression="gzip"
            )
        target = tmp_path / "master.h5"
        target.write_bytes(Path(master.filename).read_bytes())
    problem = _problem(target, NanostrainOptions(window="180:300,60:200"))
    geometry = problem.geometry
    assert geometry.energy_kev == pytest.approx(10, rel=1e-6)
    assert geometry.distance_m == pytest.approx(0.566851, rel=1e-6)
    assert geometry.pixel_m == (55e-6, 55e-6)
    assert geometry.centre == pytest.approx((185.604 - 180, 172.911 - 60), abs=1e-3)
    assert geometry.eta[[0, -1]] == pytest.approx([15.242, 19.242], abs=2e-3)
    assert geometry.delta[0] == 37.046
    assert np.array_equal(problem.blocks[0][0].sum(axis=(1, 2)), roi.astype(np.int64))
