"""Conversion of a file's frames to the types that the kernel computes with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from daasbench.authoring import InputError

from .powder import DUMMY

Array = np.ndarray[Any, np.dtype[Any]]


def to_counts(raw: Array, dummy: float | None, path: Path) -> Array:
    """Return frames as the kernel needs them: u32 with DUMMY, or f32 with NaN, where there is no data.

    A value is not data if it is negative, not finite or equal to `dummy`. In integer frames, the largest value of the
    type (which detectors use for gaps and saturation) and all values from 2**32 - 1 on are not data either.
    """
    if raw.dtype.kind not in "biuf":
        raise InputError(f"{path}: frames are of type {raw.dtype}; they must be integers or floating-point numbers")
    lost = raw < 0 if raw.dtype.kind in "if" else np.zeros(raw.shape, bool)
    if dummy is not None:
        lost |= raw == dummy
    if raw.dtype.kind == "f":
        return np.where(lost | ~np.isfinite(raw), np.nan, raw).astype(np.float32)
    if raw.dtype.kind != "b":
        lost |= raw >= min(int(np.iinfo(raw.dtype).max), DUMMY)
    return np.where(lost, DUMMY, raw.astype(np.uint32, copy=False)).astype(np.uint32, copy=False)
