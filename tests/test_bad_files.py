"""A measured file that cannot be used is one sentence with file and cure, exit code 2, and nothing is run."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

PONI = """\
Detector: Detector
Detector_config: {"pixel1": 1e-4, "pixel2": 1e-4, "max_shape": [100, 120]}
Distance: 0.1
Poni1: 0.005
Poni2: 0.006
Rot1: 0
Rot2: 0
Rot3: 0
Wavelength: 1e-10
"""


def stack(path: Path, *, name: str = "/entry/data/data", shape: tuple[int, ...] = (3, 100, 120)) -> Path:
    """Write an HDF5 file with one dataset."""
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=np.ones(shape, np.uint32))
    return path


def test_a_truncated_hdf5_file_is_refused(refused, tmp_path):
    path = stack(tmp_path / "f.h5")
    path.write_bytes(path.read_bytes()[:5000])
    (tmp_path / "c.poni").write_text(PONI)
    message = refused("azimuthal_integration", "--input", path, "--set", "geometry=c.poni")
    assert "f.h5: " in message
    assert "truncated" in message


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 9])
@pytest.mark.parametrize("name", ["f.h5", "f.tif", "f.edf", "f.cbf"])
def test_a_file_that_is_no_image_is_refused(refused, tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "c.poni").write_text(PONI)
    assert f"{name}: " in refused("azimuthal_integration", "--input", name, "--set", "geometry=c.poni")


@pytest.mark.parametrize("shape", [(5,), (2, 2, 100, 120)])
def test_a_file_without_frames_is_refused(refused, tmp_path, shape):
    stack(tmp_path / "f.h5", shape=shape)
    (tmp_path / "c.poni").write_text(PONI)
    message = refused("azimuthal_integration", "--input", "f.h5", "--set", "geometry=c.poni")
    assert "f.h5: has no frames" in message


def test_a_file_without_the_expected_dataset_is_refused_with_what_is_in_it(refused, tmp_path):
    stack(tmp_path / "f.h5")
    (tmp_path / "c.poni").write_text(PONI)
    words = ["--input", "f.h5", "--set", "geometry=c.poni", "--set", "dataset=/entry/dada"]
    message = refused("azimuthal_integration", *words)
    assert "dataset = '/entry/dada'; it has: " in message
    assert "entry/data/data" in message


def test_frames_of_another_shape_than_their_geometry_are_refused(refused, tmp_path):
    stack(tmp_path / "f.h5", shape=(3, 90, 120))
    (tmp_path / "c.poni").write_text(PONI)
    message = refused("azimuthal_integration", "--input", "f.h5", "--set", "geometry=c.poni")
    assert "frames of 90 x 120 pixels" in message
    assert "a detector of 100 x 120" in message


@pytest.mark.parametrize("text", ["", "hello", "{}", '{"content": 3}'])
def test_a_file_that_is_no_geometry_is_refused(refused, tmp_path, text):
    stack(tmp_path / "f.h5")
    (tmp_path / "c.poni").write_text(text)
    assert "c.poni: " in refused("azimuthal_integration", "--input", "f.h5", "--set", "geometry=c.poni")


def test_an_input_without_its_geometry_is_refused_with_the_option_to_give(refused, tmp_path):
    stack(tmp_path / "f.h5")
    assert "--set geometry=FILE" in refused("azimuthal_integration", "--input", "f.h5")


@pytest.mark.parametrize(
    ("kernel", "option"),
    [("azimuthal_integration", "dataset=/x"), ("azimuthal_integration", "frame=3"), ("tomography", "slices=4")],
)
def test_an_option_that_describes_a_file_is_refused_without_one(refused, kernel, option):
    key = option.partition("=")[0]
    assert f"cases[0].options.{key}: describes a file, but no file is given; give it by input or --input" in refused(
        kernel, "--set", option
    )


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_a_tomogram_that_cannot_be_read_is_refused(refused, tmp_path, content):
    (tmp_path / "t.h5").write_bytes(content)
    assert "t.h5: " in refused("tomography", "--input", "t.h5")


def test_a_tomogram_without_its_dataset_is_refused_with_what_is_in_it(refused, tmp_path):
    stack(tmp_path / "t.h5", name="/some/thing", shape=(4,))
    assert "some/thing" in refused("tomography", "--input", "t.h5")
