"""Readers of movies as microscopes write them: MRC and TIFF stacks of counts, after gain correction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import InputError
from daasbench.formats.stacks import open_images

from .mrc import open_mrc
from .options import MotionOptions

_MRC, _TIFF = (".mrc", ".mrcs", ".st"), (".tif", ".tiff")
_FEWEST_PIXELS = 32
_FEWEST_FRAMES = 3  # with two frames, each would be shifted onto the other again and again
_KINDS = {
    "u1": "u1",
    "i1": "u1",
    "u2": "u2",
    "i2": "u2",
    "f2": "f4",
    "f4": "f4",
}  # type in the file, and type that is computed with


@dataclass(frozen=True, kw_only=True)
class _Stack:
    """An open file: number, shape and type of its frames, and a function that reads one frame."""

    frames: int
    shape: tuple[int, int]
    kind: np.dtype[Any]
    frame: Callable[[int], NDArray[Any]]


def survey(path: Path, options: MotionOptions) -> Mapping[str, Any]:
    """Return the numbers of movies (one), frames, rows and columns of a file, and the bytes per pixel."""
    with _open(path) as stack:
        used = _used(path, stack.frames, options)
        return {
            "movies": 1,
            "frames": used.stop - used.start,
            "rows": stack.shape[0],
            "columns": stack.shape[1],
            "pixel_bytes": _kind(path, stack).itemsize,
        }


def read(path: Path, options: MotionOptions) -> tuple[NDArray[Any], int]:
    """Return a movie [frames, rows, columns] of u8, u16 or f32, and the number of pixels that were not finite.

    These pixels are set to the mean of their frame.
    """
    repaired = 0
    with _open(path) as stack:
        used, kind = _used(path, stack.frames, options), _kind(path, stack)
        movie = np.empty((used.stop - used.start, *stack.shape), kind)
        for number, into in zip(range(used.start, used.stop), movie, strict=True):
            frame = stack.frame(number)
            if frame.dtype.kind == "i" and frame.min() < 0:
                raise InputError(
                    f"{path}: frame {number} has negative counts down to {frame.min()}; counts must be 0 or more"
                )
            into[:] = frame
            repaired += _repair(path, number, into)
    return movie, repaired


def _repair(path: Path, number: int, frame: NDArray[Any]) -> int:
    if frame.dtype.kind != "f":
        return 0
    bad = ~np.isfinite(frame)
    if bad.all():
        raise InputError(
            f"{path}: frame {number} has no finite pixel; exclude it with --set first=NUMBER and --set frames=NUMBER"
        )
    if bad.any():
        frame[bad] = frame[~bad].mean()
    return int(bad.sum())


@contextmanager
def _open(path: Path) -> Iterator[_Stack]:
    """Yield the open file; raise InputError if its headers are wrong."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    suffix = path.suffix.lower()
    if suffix in _MRC:
        stack = open_mrc(path)
        _, rows, columns = stack.shape
        yield _checked(
            path, _Stack(frames=len(stack), shape=(rows, columns), kind=stack.dtype, frame=lambda number: stack[number])
        )
    elif suffix in _TIFF:
        with open_images(
            path, "TIFF with a compression that fabio can read; convert it to MRC, for example with tif2mrc"
        ) as images:
            frames, rows, columns = images.shape
            yield _checked(
                path,
                _Stack(
                    frames=frames,
                    shape=(rows, columns),
                    kind=images.dtype,
                    frame=lambda number: images.read(number, 1)[0],
                ),
            )
    else:
        raise InputError(
            f"{path}: movies are read from MRC ({', '.join(_MRC)}) and TIFF ({', '.join(_TIFF)}) files; an EER file "
            "must first be converted, for example with relion_convert_to_tiff"
        )


def _checked(path: Path, stack: _Stack) -> _Stack:
    if len(stack.shape) != 2 or min(stack.shape) < _FEWEST_PIXELS:
        raise InputError(
            f"{path}: frames are {list(stack.shape)}; they must be [rows, columns] of at least {_FEWEST_PIXELS} pixels"
        )
    return stack


def _kind(path: Path, stack: _Stack) -> np.dtype[Any]:
    stored = stack.kind.str[1:]
    if stored not in _KINDS:
        raise InputError(f"{path}: pixels are {stack.kind}; they must be 8 or 16 bit integers or float32")
    return np.dtype(_KINDS[stored])


def _used(path: Path, frames: int, options: MotionOptions) -> slice:
    """Return the frames that are used."""
    last = frames if options.frames is None else options.first + options.frames
    if last > frames or last - options.first < _FEWEST_FRAMES:
        raise InputError(
            f"{path}: has {frames} frames; first={options.first} and frames={options.frames or 'all'} must select "
            "at least three frames, and none after the last"
        )
    return slice(options.first, last)
