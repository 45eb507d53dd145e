"""The result: one profile per frame, and the HDF5 file that contains them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
GROUP = "entry/integrated"
ALMOST_ALL = 1e-9  # a bin with less than this share of its norm has lost all its pixels


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """The result for some frames.

    Attributes
    ----------
    intensity
        f64[frames, bins], counts per pixel of full solid angle; 0 in bins without a valid pixel.
    signal
        u64[frames, bins], counts summed; None from a peer that has no exact sums.
    file
        u8[bytes]: the HDF5 file, in memory, with intensity, signal and q.
    """

    intensity: F64
    signal: Any
    file: NDArray[np.uint8]


def finish(signal: Any, lost: F64, norm: F64, q: F64) -> Profiles:
    """Return the profiles from sums.

    Parameters
    ----------
    signal
        u64[frames, bins].
    lost
        f64[frames, bins]: solid angle of the pixels that have no data in the frame.
    norm
        f64[bins]: solid angle of all unmasked pixels.
    q
        f64[bins]: the centres of the bins, 1/nm.
    """
    kept = norm - lost
    filled = kept > ALMOST_ALL * norm
    intensity = np.where(filled, signal / np.where(filled, kept, 1.0), 0.0)
    return written(intensity, signal, q)


def written(intensity: F64, signal: Any, q: F64) -> Profiles:
    """Return the profiles with the file that contains them."""
    import h5py

    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        group = file.create_group(GROUP)
        group.attrs.update({"NX_class": "NXdata", "signal": "I", "axes": [".", "q"]})
        group["I"], group["q"] = intensity, q
        group["q"].attrs["units"] = "1/nm"
        if signal is not None:
            group["sum"] = signal
    return Profiles(intensity=intensity, signal=signal, file=np.frombuffer(memory.getvalue(), np.uint8))


def read_back(profiles: Profiles) -> tuple[F64, F64]:
    """Return intensity and q from the file; raise OSError or KeyError if they cannot be read."""
    import h5py

    with h5py.File(io.BytesIO(profiles.file.tobytes()), "r") as file:
        return file[GROUP]["I"][()], file[GROUP]["q"][()]


def joined(parts: Sequence[Profiles]) -> Profiles:
    """Return the profiles of the frames of all parts, in one file."""
    _, q = read_back(parts[0])
    signal = np.concatenate([part.signal for part in parts])
    return written(np.concatenate([part.intensity for part in parts]), signal, q)
