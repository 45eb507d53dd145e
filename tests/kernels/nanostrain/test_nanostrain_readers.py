"""Maps of XSOCS and BLISS are read as they were written, and missing or wrong values are named in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from daasbench.kernels.nanostrain import crystal, kernel
from daasbench.kernels.nanostrain.options import NanostrainOptions

from daasbench.errors import InputError

POSITIONS, ANGLES, ROWS, COLUMNS = 7, 5, 12, 10
ETA = np.linspace(30.0, 30.4, ANGLES)


def frames_of_a_map() -> Any:
    """Return u16[positions, angles, rows, columns]: a peak in the middle."""
    at = np.meshgrid(*(np.arange(n) - n / 2 for n in (ANGLES, ROWS, COLUMNS)), indexing="ij")
    expected = 1 + 300 * np.exp(-0.5 * (at[0] ** 2 + (at[1] / 2) ** 2 + (at[2] / 2) ** 2))
    return np.random.default_rng(1).poisson(expected, (POSITIONS, *expected.shape)).astype(np.uint16)


def write_bliss(path: Path, frames: Any, **changes: Any) -> Path:
    """Write a map at every angle, as BLISS does at ID01; a change of None removes a dataset."""
    detector = "instrument/mpx1x4"
    with h5py.File(path, "w") as file:
        for angle in range(frames.shape[1]):
            entry = f"{angle + 1}.1"
            written = {
                f"{detector}/image": frames[:, angle].astype(np.int32),
                f"{detector}/beam_center_x": 4.5,
                f"{detector}/beam_center_y": 6.25,
                f"{detector}/distance": 0.5669,
                f"{detector}/x_pixel_size": 55e-6,
                f"{detector}/y_pixel_size": 55e-6,
                f"{detector}/pixel_mask": np.eye(ROWS, COLUMNS, dtype=np.uint8),
                "instrument/monochromator/Energy": 9000.0,
                "instrument/positioners/eta": ETA[angle],
                "instrument/positioners/phi": 1.0,
                "instrument/positioners/nu": 0.0,
                "instrument/positioners/delta": 60.4,
                "instrument/positioners/pix": np.linspace(0, 1, len(frames)),
            } | {key.replace("__", "/"): value for key, value in changes.items()}
            for name, value in written.items():
                if value is not None:
                    file[f"{entry}/{name}"] = value
            if f"{detector}/image" in file[entry]:
                file[f"{entry}/measurement/mpx1x4"] = h5py.SoftLink(f"/{entry}/{detector}/image")
    return path


def read(path: Path, blocks: int = 1, **chosen: Any) -> Any:
    options = NanostrainOptions(**chosen)
    return kernel.read(path, kernel.survey(path, options), options, blocks)


def test_a_map_of_bliss_is_read_with_its_geometry(tmp_path: Path) -> None:
    frames = frames_of_a_map()
    path = write_bliss(tmp_path / "map.h5", frames)
    assert kernel.survey(path, NanostrainOptions(positions=3)) == {
        "positions": 3, "angles": ANGLES, "rows": ROWS, "columns": COLUMNS, "grid": [5, 5, 6], "count_bytes": 4,
    }  # fmt: skip
    problem = read(path, 3, positions=3, grid="4,5,6")
    assert [len(block) for block in problem.blocks] == [3, 3]
    assert np.array_equal(np.concatenate(problem.blocks), frames[:6])
    assert np.array_equal(problem.mask, np.eye(ROWS, COLUMNS, dtype=bool))
    assert problem.grid.shape == (4, 5, 6)
    geometry = problem.geometry
    assert (geometry.energy_kev, geometry.centre, geometry.distance_m) == (9.0, (6.25, 4.5), 0.5669)
    assert np.array_equal(geometry.eta, ETA)
    assert (geometry.delta == 60.4).all()


def test_a_map_that_xsocs_merged_is_read_as_xsocs_reads_it(needs: Any, tmp_path: Path) -> None:
    needs("xsocs")
    from xsocs.io.XsocsH5 import XsocsH5Writer
    from xsocs.process.qspace.QSpaceConverter import qspace_conversion

    frames, path = frames_of_a_map(), tmp_path / "merged.h5"
    written = XsocsH5Writer(str(path), mode="w")
    for angle in range(ANGLES):
        entry = f"scan_{angle:04d}"
        written.create_entry(entry)
        written.set_beam_energy(9000.0, entry)
        written.set_direct_beam((6.25, 4.5), entry)
        written.set_chan_per_deg((180.0, 181.0), entry)
        with written.image_dset_ctx(entry, create=True, shape=frames[:, angle].shape, dtype=np.uint16) as images:
            images[...] = frames[:, angle]
    with h5py.File(path, "a") as file:
        for angle in range(ANGLES):
            motors = {"eta": ETA[angle], "phi": 1.0, "nu": 0.5, "del": 60.4}
            for name, value in motors.items():
                file[f"scan_{angle:04d}/instrument/positioners/{name}"] = value
    problem = read(path)
    assert np.array_equal(problem.blocks[0], frames)
    still = np.ones(ANGLES)
    theirs = qspace_conversion(
        (ROWS, COLUMNS), (6.25, 4.5), (180.0, 181.0), 9000.0, still, ETA, 0.5 * still, 60.4 * still
    )
    ours = np.stack([problem.geometry.q(angle) for angle in range(ANGLES)])
    assert np.abs(ours - theirs).max() < 2e-7 * np.abs(theirs).max()


def test_a_rocking_scan_of_one_position_is_read(tmp_path: Path) -> None:
    frames = frames_of_a_map()[0]
    with h5py.File(write_bliss(tmp_path / "map.h5", frames[None]), "a") as file:
        scan = file["1.1"]
        del scan["instrument/mpx1x4/image"], scan["instrument/positioners/eta"]
        scan["instrument/mpx1x4/image"], scan["instrument/positioners/eta"] = frames, ETA
        for entry in list(file)[1:]:
            del file[entry]
    problem = read(tmp_path / "map.h5", 2)
    assert [block.shape for block in problem.blocks] == [(1, ANGLES, ROWS, COLUMNS)]
    assert np.array_equal(problem.blocks[0][0], frames)
    assert np.array_equal(problem.geometry.eta, ETA)


def test_a_window_of_the_frames_keeps_the_scattering_vectors(tmp_path: Path) -> None:
    path = write_bliss(tmp_path / "map.h5", frames_of_a_map())
    whole, part = read(path), read(path, window="2:9,1:8")
    assert np.array_equal(part.blocks[0], whole.blocks[0][:, :, 2:9, 1:8])
    assert np.allclose(part.geometry.q(3), whole.geometry.q(3)[2:9, 1:8], atol=1e-15)
    assert np.array_equal(part.mask, whole.mask[2:9, 1:8])


def test_what_the_user_says_goes_before_the_file(tmp_path: Path) -> None:
    path = write_bliss(tmp_path / "map.h5", frames_of_a_map())
    geometry = read(path, energy_kev=10, distance_mm=600, pixel_um=75, centre="1,2", delta_deg=50).geometry
    assert (geometry.energy_kev, geometry.distance_m, geometry.centre) == (10, 0.6, (1, 2))
    assert geometry.pixel_m == (75e-6, 75e-6)
    assert (geometry.delta == 50).all()


def test_negative_pixels_are_gaps_and_hot_pixels_can_be_left_out(tmp_path: Path) -> None:
    frames = frames_of_a_map().astype(np.int32)
    frames[:, :, 3, 4], frames[2, 1, 5, 5] = -1, 100_000
    problem = read(write_bliss(tmp_path / "map.h5", frames), mask_above=50_000)
    assert (problem.blocks[0][:, :, 3, 4] == 0).all()
    assert problem.mask[5, 5]
    assert problem.mask.sum() == min(ROWS, COLUMNS)  # (5, 5) is on the diagonal


@pytest.mark.parametrize("stage", ["all", "gridding", "fits"])
def test_a_file_is_computed_and_judged_without_a_truth(tmp_path: Path, compute: Any, verdict: Any, stage: str) -> None:
    problem = read(write_bliss(tmp_path / "map.h5", frames_of_a_map()), stage=stage)
    found = verdict(problem, compute(problem, "numba"), "numba")
    assert found.ok, found


DETECTOR = "instrument__mpx1x4__"
MOTORS = "instrument__positioners__"


@pytest.mark.parametrize(
    ("changes", "chosen", "message"),
    [
        ({f"{DETECTOR}distance": None}, {}, "distance_mm="),
        ({f"{DETECTOR}x_pixel_size": None}, {}, "pixel_um="),
        ({f"{DETECTOR}beam_center_x": None}, {}, "centre="),
        ({"instrument__monochromator__Energy": None}, {}, "energy_kev="),
        ({f"{MOTORS}phi": None}, {}, "phi_deg="),
        ({f"{MOTORS}eta": None}, {}, "angles=PATH"),
        ({f"{MOTORS}eta": 30.0}, {}, "does not move"),
        ({f"{DETECTOR}image": None}, {}, "has no frames"),
        ({f"{DETECTOR}other": np.zeros((7, ROWS, COLUMNS), np.int32)}, {}, "several datasets"),
        ({}, {"dataset": "nothing/there"}, "is not in the file"),
        ({}, {"dataset": "instrument/positioners/pix"}, "frames must be integers"),
        ({}, {"angles": "nothing"}, "not a list of numbers"),
        ({}, {"window": "0:40,0:4"}, "does not fit"),
        ({}, {"window": "3:4,0:4"}, "at least two"),
        ({}, {"grid": "4,1,4"}, "two voxels"),
    ],
)
def test_the_message_names_what_is_missing_or_wrong(tmp_path: Path, changes: Any, chosen: Any, message: str) -> None:
    path = write_bliss(tmp_path / "map.h5", frames_of_a_map(), **changes)
    with pytest.raises(InputError) as caught:
        kernel.survey(path, NanostrainOptions(**chosen))
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_maps_of_different_length_are_refused(tmp_path: Path) -> None:
    path = write_bliss(tmp_path / "map.h5", frames_of_a_map())
    with h5py.File(path, "a") as file:
        del file["3.1/instrument/mpx1x4/image"]
        file["3.1/instrument/mpx1x4/image"] = np.zeros((2, ROWS, COLUMNS), np.int32)
    with pytest.raises(InputError, match="the same number of frames"):
        kernel.survey(path, NanostrainOptions())


def test_a_mask_of_everything_is_refused(tmp_path: Path) -> None:
    path = write_bliss(
        tmp_path / "map.h5", frames_of_a_map(), **{f"{DETECTOR}pixel_mask": np.ones((ROWS, COLUMNS), int)}
    )
    with pytest.raises(InputError, match="all pixels are masked"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + bytes(80)])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.h5"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        kernel.survey(path, NanostrainOptions())


def test_the_generated_geometry_sees_the_reflection() -> None:
    geometry = crystal.make_geometry(11, 20, 20)
    q = np.stack([geometry.q(angle) for angle in range(11)]).reshape(-1, 3)
    assert (q.min(axis=0) < [0, 0, crystal.Q_004]).all()
    assert (q.max(axis=0) > [0, 0, crystal.Q_004]).all()
