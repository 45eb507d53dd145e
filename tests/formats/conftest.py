"""Files that the tests of formats share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

COUNT, SIDE = 25, 32


@pytest.fixture
def frames() -> Any:
    """Return frames as a detector counts them: u32[25, 32, 32]."""
    return np.random.default_rng(8).poisson(40, (COUNT, SIDE, SIDE)).astype(np.uint32)


@pytest.fixture
def poni(tmp_path: Path) -> Path:
    """Return a geometry of frames of 32 x 32 pixels."""
    path = tmp_path / "cal.poni"
    path.write_text(
        'Detector: Detector\nDetector_config: {"pixel1": 1e-3, "pixel2": 1e-3, "max_shape": [32, 32]}\n'
        "Distance: 0.1\nPoni1: 0.002\nPoni2: 0.003\nRot1: 0\nRot2: 0\nRot3: 0\nWavelength: 1e-10\n"
    )
    return path


@pytest.fixture
def packed(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes stacks into an HDF5 file as a detector does, one packed chunk a frame."""

    def write(name: str, **stacks: Any) -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, stack in stacks.items():
                file.create_dataset(
                    key.replace("__", "/"), data=stack, chunks=(1, *stack.shape[1:]), **hdf5plugin.Bitshuffle()
                )
        return path

    return write


@pytest.fixture
def two_stacks(packed: Callable[..., Path], frames: Any) -> Callable[..., Path]:
    """Return a function that writes a NeXus file with two stacks that could be frames, and says which is meant.

    The second, ``entry/other/frames``, is twice the first, ``entry/data/frames``.
    """

    def write(meant: str | None) -> Path:
        path = packed("two.nxs", entry__data__frames=frames, entry__other__frames=2 * frames)
        with h5py.File(path, "a") as file:
            entry = file["entry"]
            entry["of_frames"], entry["of_rows"] = np.linspace(0, 170, COUNT), np.linspace(0, 170, SIDE)
            steps = np.stack([np.arange(COUNT) // 5, np.arange(COUNT) % 5, np.zeros(COUNT)], axis=1)
            entry["translation"] = 100e-9 * steps
            entry["data"].attrs["signal"] = entry["other"].attrs["signal"] = "frames"
            if meant is not None:
                file.attrs["default"], entry.attrs["default"] = "entry", meant
        return path

    return write


@pytest.fixture
def series(packed: Callable[..., Path], frames: Any, tmp_path: Path) -> Path:
    """Return a DECTRIS master file whose links lead to three files, the last of which was never written."""
    path = tmp_path / "scan_master.h5"
    with h5py.File(path, "w") as master:
        for number, part in ((1, frames[:10]), (2, frames[10:]), (3, None)):
            name = f"scan_data_{number:06d}.h5"
            if part is not None:
                packed(name, entry__data__data=part)
            master[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(name, "entry/data/data")
        detector = master.create_group("entry/instrument/detector/detectorSpecific")
        detector["pixel_mask"], detector["flatfield"] = frames[0], frames[0].astype("f4")
    return path
