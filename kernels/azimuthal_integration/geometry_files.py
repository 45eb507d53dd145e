"""Geometry from files: pyFAI ``.poni`` (versions 1 to 3), pyFAI goniometer JSON, HEXRD instrument JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from daasbench.authoring import InputError

from .geometry import Geometry
from .hexrd import Hexrd
from .poni import Goniometer, Poni

Shape = tuple[int, int]
Position = float | str | None
EXPECTED = "expected a .poni, a goniometer JSON or a HEXRD instrument JSON"


class GeometryFile(Protocol):
    """The content of a geometry file; both methods raise KeyError if an entry is missing, ValueError if it is wrong."""

    def shape(self) -> Shape | None:
        """Return rows and columns of the detector; None if the file does not state them."""
        ...

    def geometry(self, shape: Shape, position: Position) -> Geometry:
        """Return the geometry of frames of `shape`, with the goniometer, if there is one, at `position`."""
        ...


def read_geometry(path: Path, shape: Shape, position: Position, frames: Path) -> Geometry:
    """Return the geometry in the file `path` for frames of `shape` that come from the file `frames`.

    `position` is the position of the goniometer: a number, or ``"tth=5.2,eta=1"``; None for a fixed detector.
    """
    declared = declared_shape(path)
    if declared is not None and declared != shape:
        raise InputError(
            f"{frames}: frames of {shape[0]} x {shape[1]} pixels (rows x columns) do not match the geometry {path}, "
            f"which is for a detector of {declared[0]} x {declared[1]} pixels; give the geometry of this detector"
        )
    with _naming(path):
        return _parse(path.read_text(encoding="utf-8")).geometry(shape, position)


def declared_shape(path: Path) -> Shape | None:
    """Return the shape of the detector that the file describes; None if it does not state it."""
    with _naming(path):
        return _parse(path.read_text(encoding="utf-8")).shape()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Convert every error in the content of the file into an InputError that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: the geometry cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:  # both are ValueErrors, so they are caught first
        raise InputError(f"{path}: is not a geometry file ({error}); {EXPECTED}") from error
    except KeyError as error:
        raise InputError(f"{path}: has no entry {error}, which the geometry needs") from error
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError, ZeroDivisionError) as error:
        raise InputError(f"{path}: {error}") from error


def _parse(text: str) -> GeometryFile:
    if not text.lstrip().startswith("{"):
        return Poni.parse(text)
    content = json.loads(text)
    if "trans_function" in content:
        return Goniometer(content)
    if any(key.startswith("instrument/") for key in content):
        return Hexrd(content)
    raise ValueError(f"has neither 'trans_function' (a goniometer) nor 'instrument/...' (HEXRD); {EXPECTED}")
