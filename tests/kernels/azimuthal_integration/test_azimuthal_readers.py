"""Frames, masks and geometries are read from files, and a file that cannot be used is refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fabio.cbfimage
import fabio.edfimage
import fabio.tifimage
import h5py
import hdf5plugin
import numpy as np
import pytest
from daasbench.kernels.azimuthal_integration import kernel
from daasbench.kernels.azimuthal_integration.expressions import evaluate
from daasbench.kernels.azimuthal_integration.geometry_files import read_geometry
from daasbench.kernels.azimuthal_integration.powder import DUMMY

from daasbench.errors import InputError, UsageError

PONI1 = (
    "PixelSize1: 1e-4\nPixelSize2: 1e-4\nDistance: 0.1\nPoni1: 0.002\nPoni2: 0.003\nRot1: 0.01\nRot2: 0.02\nRot3: 0\n"
)
PONI2 = """# a comment: not an entry
poni_version: {version}
Detector: Detector
Detector_config: {{"pixel1": 1e-4, "pixel2": 1e-4, "max_shape": [30, 41], "orientation": {orientation}}}
Distance: 0.1
Poni1: 0.002
Poni2: 0.003
Rot1: 0.01
Rot2: 0.02
Rot3: 0.0
Wavelength: 1e-10
"""


@pytest.fixture
def frames() -> Any:
    """Return three frames i32[3, 30, 41]."""
    return np.random.default_rng(1).integers(1, 99, (3, 30, 41)).astype(np.int32)


@pytest.fixture
def poni(tmp_path: Path) -> Path:
    """Return a .poni file of a detector of 30 x 41 pixels."""
    path = tmp_path / "cal.poni"
    path.write_text(PONI2.format(version=2.1, orientation=3))
    return path


def read(path: Path, poni: Path, blocks: int = 1, **options: Any) -> Any:
    """Return the problem of a file, as the harness reads it."""
    chosen = kernel.options(geometry=str(poni), **options)
    return kernel.read(path, kernel.survey(path, chosen), chosen, blocks)


def refusal(path: Path, poni: Path | None, **options: Any) -> str:
    """Return the message with which a file is refused before or while it is read."""
    chosen = kernel.options(geometry=None if poni is None else str(poni), **options)
    with pytest.raises(InputError) as refused:
        kernel.read(path, kernel.survey(path, chosen), chosen, 1)
    assert "\n" not in str(refused.value).strip()
    assert "Error(" not in str(refused.value)
    assert str(refused.value).startswith((str(path), *([str(poni)] if poni else []), *map(str, options.values())))
    return str(refused.value)


# --- frames --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [fabio.tifimage.TifImage, fabio.edfimage.EdfImage, fabio.cbfimage.CbfImage])
def test_an_image_of_any_format_of_fabio_is_one_frame(image: Any, frames: Any, poni: Path, tmp_path: Path) -> None:
    path = tmp_path / f"frame.{image.DEFAULT_EXTENSIONS[0]}"
    image(data=frames[0]).write(str(path))
    problem = read(path, poni, blocks=2)
    assert problem.truth is None
    (block,) = problem.blocks
    np.testing.assert_array_equal(block, frames[:1])
    assert block.dtype == np.uint32


def test_an_edf_of_several_frames_is_a_stack(frames: Any, poni: Path, tmp_path: Path) -> None:
    image = fabio.edfimage.EdfImage(data=frames[0])
    for frame in frames[1:]:
        image.append_frame(data=frame)
    image.write(str(tmp_path / "series.edf"))
    np.testing.assert_array_equal(read(tmp_path / "series.edf", poni).blocks[0], frames)


def test_the_only_stack_of_an_hdf5_file_is_found(frames: Any, poni: Path, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "entry/detector/frames", data=frames, chunks=(1, 30, 41), compression=hdf5plugin.Bitshuffle()
        )
        file["entry/motor"] = np.arange(3.0)
        file["entry/other"] = np.zeros((5, 6))  # does not have the detector's shape
    np.testing.assert_array_equal(read(path, poni).blocks[0], frames)


def test_the_default_of_a_nexus_file_is_followed(frames: Any, poni: Path, tmp_path: Path) -> None:
    path = tmp_path / "scan.nxs"
    with h5py.File(path, "w") as file:
        file["entry/raw/dark"] = frames * 0
        file["entry/raw/frames"] = frames
        file.attrs["default"], file["entry"].attrs["default"], file["entry/raw"].attrs["signal"] = (
            "entry",
            "raw",
            "frames",
        )
    np.testing.assert_array_equal(read(path, poni).blocks[0], frames)


def test_the_linked_files_of_a_dectris_master_are_one_stack(frames: Any, poni: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan_master.h5", "w") as master:
        for number, part in ((1, frames[:2]), (2, frames[2:])):
            name = f"scan_data_{number:06d}.h5"
            with h5py.File(tmp_path / name, "w") as file:
                file["entry/data/data"] = part
            master[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "entry/data/data")
        master["entry/data/data_000003"] = h5py.ExternalLink("scan_data_000003.h5", "entry/data/data")  # does not exist
        master["entry/detector/pixel_mask"] = frames[0]
        master["entry/detector/flatfield"] = frames[0].astype("f4")
    np.testing.assert_array_equal(read(tmp_path / "scan_master.h5", poni).blocks[0], frames)
    (tmp_path / "scan_data_000001.h5").unlink()
    assert "data_000001 leads to scan_data_000001.h5, which is missing" in refusal(tmp_path / "scan_master.h5", poni)


def test_a_dataset_that_is_linked_is_one_and_a_stack_goes_before_images(
    frames: Any, poni: Path, tmp_path: Path
) -> None:
    path = tmp_path / "scan.nxs"
    with h5py.File(path, "w") as file:
        file["entry/detector/data"] = frames
        file["entry/detector/mask"] = frames[0]
        file["entry/data/soft"] = h5py.SoftLink("/entry/detector/data")
        file["entry/data/hard"] = file["entry/detector/data"]
    np.testing.assert_array_equal(read(path, poni).blocks[0], frames)
    with h5py.File(path, "a") as file:
        file["entry/detector/second"] = frames * 2
    assert "several datasets" in refusal(path, poni)
    with h5py.File(path, "a") as file:
        file["entry/detector/second"].attrs["signal"] = 1  # NeXus before 2014
    np.testing.assert_array_equal(read(path, poni).blocks[0], frames * 2)


def test_blocks_take_the_next_frames_until_there_are_no_more(frames: Any, poni: Path, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["frames"] = frames
    problem = read(path, poni, blocks=5, frames=1)
    for block, want in zip(problem.blocks, (0, 1, 2), strict=True):
        np.testing.assert_array_equal(block[0], frames[want])
    np.testing.assert_array_equal(read(path, poni, frame=2).blocks[0], frames[2:])


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i2", "i4", "i8", "f4", "f8"])
def test_values_without_data_join_the_mask_and_are_counted(dtype: str, poni: Path, tmp_path: Path) -> None:
    raw = np.full((2, 30, 41), 5, dtype)
    kind = np.dtype(dtype).kind
    raw[:, 0, 0] = np.nan if kind == "f" else np.iinfo(dtype).max
    raw[:, 0, 1] = 77  # the dummy
    if kind != "u":
        raw[:, 0, 2] = -1
    raw[0, 4, 4] = 77
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["frames"] = raw
    problem = read(path, poni, dummy=77)
    masked = 2 if kind == "u" else 3
    assert problem.masked_pixels == masked
    assert problem.lost_values == 1
    assert problem.mask[0, :masked].all()
    assert problem.blocks[0].dtype == (np.float32 if kind == "f" else np.uint32)
    assert (np.isnan(problem.blocks[0][0, 4, 4])) if kind == "f" else (problem.blocks[0][0, 4, 4] == DUMMY)
    assert problem.blocks[0][1, 4, 4] == 5


def test_a_mask_file_excludes_its_pixels(frames: Any, poni: Path, tmp_path: Path) -> None:
    fabio.tifimage.TifImage(data=frames[0]).write(str(tmp_path / "f.tif"))
    mask = np.zeros((30, 41), np.uint8)
    mask[3:5, 7] = 1
    fabio.edfimage.EdfImage(data=mask).write(str(tmp_path / "mask.edf"))
    np.save(tmp_path / "mask.npy", mask)
    with h5py.File(tmp_path / "mask.h5", "w") as file:
        file["mask"] = mask
    for name in ("mask.edf", "mask.npy", "mask.h5"):
        problem = read(tmp_path / "f.tif", poni, mask=str(tmp_path / name))
        np.testing.assert_array_equal(problem.mask, mask != 0)


@pytest.mark.parametrize("mode", ["nosplit", "split"])
def test_a_file_is_measured_and_verified_like_generated_frames(
    mode: str, frames: Any, poni: Path, tmp_path: Path, compute: Any
) -> None:
    for dtype in (np.uint16, np.float32):
        path = tmp_path / f"scan_{np.dtype(dtype).name}.h5"
        with h5py.File(path, "w") as file:
            file["frames"] = frames.astype(dtype)
        problem = read(path, poni, blocks=2, mode=mode, bins=40, frames=1)
        expectation = kernel.expect(problem, kernel.options(mode=mode))
        for name in ("numpy", "numba"):
            assert kernel.verify(
                problem, expectation, 1, compute(problem, name, block=1), kernel.implementations[name].judged_as
            ).ok


# --- files that cannot be used -------------------------------------------------------------------------------


def test_bad_files_are_refused_in_one_sentence(frames: Any, poni: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.h5"
    with h5py.File(good, "w") as file:
        file.create_dataset("a/frames", data=np.repeat(frames, 40, axis=0), chunks=(1, 30, 41), compression="gzip")
        file["a/more"] = frames
        file["a/words"] = "text"
        chunk = file["a/frames"].id.get_chunk_info(7)
    assert "there is no such file" in refusal(tmp_path / "nowhere.tif", poni)
    assert "geometry=FILE" in refusal(good, None, dataset="a/more")
    several = refusal(good, poni)
    assert "a/frames int32[120, 30, 41]" in several
    assert "dataset=PATH" in several
    assert "a/more int32[3, 30, 41]" in refusal(good, poni, dataset="a/nothing")
    assert "frames 0 to 2" in refusal(good, poni, dataset="a/more", frame=3)

    cut = tmp_path / "cut.h5"
    cut.write_bytes(good.read_bytes()[:3000])
    assert "truncated" in refusal(cut, poni)
    hole = tmp_path / "hole.h5"
    content = bytearray(good.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    hole.write_bytes(content)
    with pytest.raises(InputError, match=r"hole\.h5.*damaged"):
        read(hole, poni, dataset="a/frames", frames=120)

    words = tmp_path / "words.tif"
    words.write_text("no image")
    assert "fabio" in refusal(words, poni)
    fabio.tifimage.TifImage(data=frames[0]).write(str(tmp_path / "f.tif"))
    half = tmp_path / "half.tif"
    half.write_bytes((tmp_path / "f.tif").read_bytes()[:900])
    refusal(half, poni)
    assert "HDF5" in refusal(tmp_path / "f.tif", poni, dataset="a")

    with h5py.File(tmp_path / "none.h5", "w") as file:
        file["only"] = np.arange(4)
    assert "has no frames" in refusal(tmp_path / "none.h5", poni)


def test_shapes_that_do_not_fit_are_refused(frames: Any, poni: Path, tmp_path: Path) -> None:
    fabio.edfimage.EdfImage(data=frames[0][:20]).write(str(tmp_path / "short.edf"))
    message = refusal(tmp_path / "short.edf", poni)
    assert "20 x 41" in message
    assert "30 x 41" in message
    fabio.edfimage.EdfImage(data=frames[0]).write(str(tmp_path / "f.edf"))
    mask = tmp_path / "short.edf"
    assert "the mask has 20 x 41" in refusal(tmp_path / "f.edf", poni, mask=str(mask))


def test_a_mask_or_a_range_without_pixels_is_refused(frames: Any, poni: Path, tmp_path: Path) -> None:
    fabio.edfimage.EdfImage(data=frames[0]).write(str(tmp_path / "f.edf"))
    fabio.edfimage.EdfImage(data=np.full((30, 41), -1, np.int32)).write(str(tmp_path / "gap.edf"))
    mask = tmp_path / "all.edf"
    fabio.edfimage.EdfImage(data=np.ones((30, 41), np.uint8)).write(str(mask))
    assert "no pixel outside the mask has data in any of 1 frames" in refusal(tmp_path / "gap.edf", poni)
    assert "no pixel outside the mask has data in any of 1 frames" in refusal(tmp_path / "f.edf", poni, mask=str(mask))
    for least, most in ((50.0, 60.0), (-2.0, -1.0)):
        with pytest.raises(UsageError, match="has no pixel in it; the detector reaches from"):
            read(tmp_path / "f.edf", poni, radial_min=least, radial_max=most)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not a geometry", "Poni1"),
        ("{", "not a geometry file"),
        ("{}", "goniometer"),
        (PONI1.replace("Distance: 0.1", ""), "distance"),
        (PONI1.replace("0.002", "far"), "is 'far'; it must be a number"),
        (PONI1.replace("Distance: 0.1", "Distance: -0.1"), "distance is -0.1 m; it must be above 0"),
        (PONI1.replace("Distance: 0.1", "Distance: nan"), "distance is nan m"),
        (PONI1.replace("PixelSize1: 1e-4", ""), "pixel1"),
        (PONI1 + "SplineFile: x.spline\n", "spline"),
        (PONI1 + "Detector: Pixirad1\n", "flat grid"),
        (PONI1 + "Detector: Pilatus1N\n", "pilatus1m"),
        (PONI2.format(version=2.1, orientation=7), "7"),
        (PONI2.format(version=3, orientation=3) + "Parallax: True\n", "parallax"),
        (PONI2.format(version=2.1, orientation=3).replace('"pixel1"', "pixel1"), "Detector_config"),
    ],
)
def test_a_geometry_that_cannot_be_used_is_refused(text: str, message: str, frames: Any, tmp_path: Path) -> None:
    path, image = tmp_path / "cal.poni", tmp_path / "f.edf"
    path.write_text(text)
    fabio.edfimage.EdfImage(data=frames[0]).write(str(image))
    assert message in refusal(image, path)


def test_q_without_a_wavelength_is_refused(frames: Any, tmp_path: Path) -> None:
    (tmp_path / "cal.poni").write_text(PONI1)
    fabio.edfimage.EdfImage(data=frames[0]).write(str(tmp_path / "f.edf"))
    with pytest.raises(InputError, match="wavelength"):
        read(tmp_path / "f.edf", tmp_path / "cal.poni", unit="q_A^-1")


# --- geometries ----------------------------------------------------------------------------------------------


def test_all_versions_of_a_poni_say_the_same(tmp_path: Path) -> None:
    path, shape = tmp_path / "cal.poni", (30, 41)
    found = []
    for text in (PONI1 + "Wavelength: 1e-10\n", *(PONI2.format(version=v, orientation=3) for v in (2, 2.1, 3))):
        path.write_text(text)
        found.append(read_geometry(path, shape, None, path))
    assert found[0] == found[1] == found[2] == found[3]
    assert found[0].distance_m == 0.1


def test_the_last_entry_of_a_poni_counts(tmp_path: Path) -> None:
    (tmp_path / "cal.poni").write_text(PONI1 + "Distance: 0.3\n")
    assert read_geometry(tmp_path / "cal.poni", (3, 3), None, tmp_path).distance_m == 0.3


@pytest.mark.parametrize("name", ["Eiger4M", "Eiger2 CdTe 1M-W", "Pilatus 300k", "Pilatus CdTe 2M", "Detector"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_what_pyfai_writes_is_read_as_pyfai_means_it(name: str, orientation: int, tmp_path: Path, needs: Any) -> None:
    needs("pyFAI")
    from pyFAI.detectors import detector_factory
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    config: dict[str, Any] = {"orientation": orientation}
    if name == "Detector":
        config |= {"pixel1": 3e-4, "pixel2": 2e-4, "max_shape": [50, 60]}
    detector = detector_factory(name, config)
    theirs = AzimuthalIntegrator(0.2, 0.01, 0.02, 0.1, -0.05, 0.3, detector=detector, wavelength=1e-10)
    theirs.save(str(tmp_path / "cal.poni"))
    ours = read_geometry(tmp_path / "cal.poni", detector.max_shape, None, tmp_path)
    rows, columns = np.array([0.5, 7.5]), np.array([0.5, 20.5])
    want = theirs.tth(rows - 0.5, columns - 0.5)
    np.testing.assert_allclose(ours.positions(rows, columns).radial("2th_rad"), want, rtol=1e-9)


def test_a_goniometer_moves_its_detector(tmp_path: Path, frames: Any) -> None:
    content: dict[str, Any] = {
        "detector": "Detector",
        "detector_config": {"pixel1": 1e-4, "pixel2": 2e-4},
        "wavelength": 1e-10,
        "param": [0.5, 0.25],
        "trans_function": {
            "param_names": ["dist", "scale"],
            "pos_names": ["tth", "eta"],
            "dist_expr": "dist",
            "poni1_expr": "0.01 + 2*scale**2",
            "poni2_expr": "-scale/4",
            "rot1_expr": "tth*pi/180",
            "rot2_expr": "sin(eta)",
            "rot3_expr": "0",
            "constants": {"pi": np.pi},
        },
    }
    path, image = tmp_path / "gonio.json", tmp_path / "f.edf"
    path.write_text(json.dumps(content))
    at = read_geometry(path, (30, 41), "tth=90, eta=0.5", path)
    assert (at.rot1, at.rot2) == (pytest.approx(np.pi / 2), pytest.approx(np.sin(0.5)))
    assert (at.poni1_m, at.poni2_m, at.pixel2_m) == (pytest.approx(0.135), pytest.approx(-0.0625), 2e-4)
    fabio.edfimage.EdfImage(data=frames[0]).write(str(image))
    for position in (None, 5.0, "tth=5", "tth=5,chi=3", "tth=five,eta=1"):
        with pytest.raises(InputError, match=r"gonio\.json"):
            read(image, path, position=position)


@pytest.mark.parametrize(
    "text", ["__import__('os')", "a.b", "(lambda: 1)()", "'a'", "1 if a else 2", "sin", "a(1)", "1 +", "x"]
)
def test_an_expression_that_is_not_arithmetic_is_never_executed(text: str) -> None:
    with pytest.raises(ValueError, match="expression"):
        evaluate(text, {"a": 1.0})


def test_expressions_are_read_as_numexpr_reads_them() -> None:
    assert evaluate(" -a**2 + arctan2(1, b)/2 - sqrt(9)", {"a": 3.0, "b": 1.0}) == pytest.approx(-9 + np.pi / 8 - 3)
