"""File formats of ptychography, each opened as a scan: frames, positions, mask, probe, and the size of a pixel.

CXI (Maia, Nature Methods 9, 854 (2012), doi:10.1038/nmeth.2110) and ptypy's .ptyd are HDF5; .npz may be
compressed with bzip2.
"""

from __future__ import annotations

import bz2
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from daasbench.authoring import InputError
from daasbench.formats.datasets import at_known_path, named
from daasbench.formats.hdf5 import Contents, contents, dataset_at, open_hdf5

from .options import PtychographyOptions

_HC_KEV_M = 1.23984198e-9  # wavelength times energy
_JOULE_KEV = 6.241509074e15
_CXI_FRAMES = ("entry_1/data_1/data", "entry_1/instrument_1/detector_1/data")
_CXI_PLACES = (
    "entry_1/data_1/translation",
    "entry_1/sample_1/geometry_1/translation",
    "entry_1/instrument_1/detector_1/translation",
)


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A scan in an open file.

    Attributes
    ----------
    path
        The file.
    frames
        [frame, row, column], in the file; several datasets if the file has the frames in pieces.
    places
        f64[frames, 2]: row and column of the beam on the object, in metres, or in pixels where `pitch` is None.
    pitch
        Wavelength times distance over the detector's pixel, in metres: n times the object's pixel.
    mask
        bool[row, column], true where a pixel is bad; None: no pixel is bad.
    probe
        c64[rows, columns] or None.
    """

    path: Path
    frames: Sequence[Any]
    places: Any
    pitch: float | None = None
    mask: Any = None
    probe: Any = None

    @property
    def count(self) -> int:
        """Return the number of frames."""
        return sum(piece.shape[0] for piece in self.frames)

    @property
    def detector(self) -> tuple[int, int]:
        """Return the numbers of rows and columns of a frame."""
        return int(self.frames[0].shape[1]), int(self.frames[0].shape[2])

    def read(self, first: int, last: int, rows: slice, columns: slice) -> Any:
        """Return these rows and columns of the frames from `first` to `last` (excluded)."""
        made, begin = [], 0
        for piece in self.frames:
            here = slice(max(first - begin, 0), max(last - begin, 0))
            made.append(np.asarray(piece[here, rows, columns]))
            begin += piece.shape[0]
        return np.concatenate(made)


@contextmanager
def open_scan(path: Path, options: PtychographyOptions) -> Iterator[Scan]:
    """Open a scan; raise InputError if the file is not usable."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.name.endswith((".npz", ".npz.bz2")):
        yield _checked(_npz(path, options))
        return
    with open_hdf5(path) as file:
        listed = contents(file)
        chunks = sorted({int(name.split("/")[1]) for name in listed.datasets if _is_chunk(name)})
        made = _ptyd(path, file, chunks) if chunks and not options.dataset else _cxi(path, file, listed, options)
        yield _checked(made)


def _is_chunk(name: str) -> bool:
    parts = name.split("/")
    return len(parts) == 3 and parts[0] == "chunks" and parts[1].isdigit() and parts[2] == "data"


def _are_frames(piece: Any) -> bool:
    return piece.ndim == 3 and piece.dtype.kind in "uif"


def _checked(scan: Scan) -> Scan:
    if not all(map(_are_frames, scan.frames)):
        shapes = ", ".join(f"{piece.dtype}{list(piece.shape)}" for piece in scan.frames)
        raise InputError(f"{scan.path}: the frames are {shapes}; they must be real numbers [frame, row, column]")
    if scan.places.shape != (scan.count, 2):
        raise InputError(
            f"{scan.path}: there are {scan.count} frames and positions of shape {list(scan.places.shape)}; each frame "
            "must have a row and a column"
        )
    if not np.isfinite(scan.places).all():
        raise InputError(f"{scan.path}: {int((~np.isfinite(scan.places)).any(axis=1).sum())} positions are not finite")
    return scan


def _npz(path: Path, options: PtychographyOptions) -> Scan:
    """Return the scan of an archive with `data`, `scan` (rows and columns in pixels) and, optionally, `probe`."""
    packed = path.suffix == ".bz2"  # not read in order: decompress once, not at every step back
    try:
        with (
            io.BytesIO(bz2.decompress(path.read_bytes())) if packed else path.open("rb") as file,
            np.load(file) as archive,
        ):
            found = {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise InputError(
            f"{path}: cannot be read as npz ({error}); it is truncated, damaged or of another format"
        ) from error
    if missing := [name for name in ("data", "scan") if name not in found]:
        raise InputError(f"{path}: has no {' and no '.join(missing)}; it has: {', '.join(found) or 'nothing'}")
    frames, places = found["data"], found["scan"]
    while frames.ndim > 3 and frames.shape[0] == 1:
        frames = frames[0]
    while places.ndim > 2 and places.shape[0] == 1:
        places = places[0]
    probe = None if options.probe == "" else found.get("probe")
    return Scan(
        path=path,
        frames=[frames],
        places=np.asarray(places, np.float64),
        probe=None if probe is None else _first_mode(probe),
    )


def _first_mode(probe: Any) -> Any:
    return probe.reshape(-1, *probe.shape[-2:])[0].astype(np.complex64)


def _cxi(path: Path, file: Any, listed: Contents, options: PtychographyOptions) -> Scan:
    """Return the scan of a CXI file, or of an HDF5 file whose datasets are named by the options."""
    frames = at_known_path(path, file, "dataset", options.dataset or None, _CXI_FRAMES, may_be=_are_frames)
    if frames is None:
        raise _missing(path, listed, "frames", _CXI_FRAMES, "dataset")
    positions = at_known_path(path, file, "translations", options.translations or None, _CXI_PLACES)
    if positions is None:
        raise _missing(path, listed, "positions", _CXI_PLACES, "translations")
    places = np.asarray(positions, np.float64)
    if places.ndim == 2 and places.shape[0] in (2, 3) and places.shape[1] == frames.shape[0] and len(frames) > 3:
        places = places.T
    if places.ndim != 2 or places.shape[1] not in (2, 3):
        raise InputError(
            f"{path}: the positions have the shape {list(places.shape)}; it must be [frame, 2 or 3]: x, y (, z)"
        )
    mask = dataset_at(file, "entry_1/instrument_1/detector_1/mask")
    probe = _probe(path, file, options)
    return Scan(
        path=path,
        frames=[frames],
        places=places[:, 1::-1],  # from x, y to row (y), column (x)
        pitch=_cxi_pitch(path, file, options),
        mask=None if mask is None else np.asarray(mask) != 0,
        probe=probe,
    )


def _probe(path: Path, file: Any, options: PtychographyOptions) -> Any:
    if not options.probe:
        return None
    probe = np.asarray(named(path, file, options.probe, "probe"))
    if probe.ndim < 2 or probe.dtype.kind != "c":
        raise InputError(
            f"{path}: {options.probe} is {probe.dtype}{list(probe.shape)}; it must be complex [row, column]"
        )
    return _first_mode(probe)


def _missing(path: Path, listed: Contents, what: str, places: Sequence[str], option: str) -> InputError:
    return InputError(
        f"{path}: has no {what} at {' or '.join(places)}; name it with --set {option}=PATH; the file has: {listed}"
    )


def _cxi_pitch(path: Path, file: Any, options: PtychographyOptions) -> float | None:
    if options.pixel_nm is not None:
        return None
    detector, source = "entry_1/instrument_1/detector_1", "entry_1/instrument_1/source_1"
    wavelength, energy = _number(file, f"{source}/wavelength"), _number(file, f"{source}/energy")
    if wavelength is None and energy:
        wavelength = _HC_KEV_M / (energy * _JOULE_KEV)
    distance, size = _number(file, f"{detector}/distance"), _number(file, f"{detector}/x_pixel_size")
    return _pitch(path, wavelength, distance, size)


def _pitch(path: Path, wavelength: float | None, distance: float | None, size: float | None) -> float:
    known = {"wavelength or energy": wavelength, "distance": distance, "detector pixel size": size}
    missing = [name for name, value in known.items() if value is None or not 0 < value < np.inf]
    if missing or wavelength is None or distance is None or size is None:
        raise InputError(
            f"{path}: has no usable {' and no '.join(missing)}, so positions cannot be converted to pixels; "
            "set the size of the object's pixel with --set pixel_nm=SIZE"
        )
    return wavelength * distance / size


def _number(file: Any, name: str) -> float | None:
    found = dataset_at(file, name)
    if found is None:
        return None
    values = np.asarray(found[()]).ravel()
    return float(values[0]) if values.size and values.dtype.kind in "uif" else None


def _ptyd(path: Path, file: Any, chunks: Sequence[int]) -> Scan:
    """Return the scan of a ptypy file: pieces of frames with positions in metres, and the energy in keV."""
    pieces = [f"chunks/{number}" for number in chunks]
    positions = [dataset_at(file, f"{piece}/positions") for piece in pieces]
    if any(one is None for one in positions):
        raise InputError(f"{path}: has frames in {', '.join(pieces)}, but not the positions of all of these frames")
    energy, distance, size = (_number(file, f"meta/{name}") for name in ("energy", "distance", "psize"))
    weights = dataset_at(file, f"{pieces[0]}/weights")
    bad = None if weights is None else np.asarray(weights)[0] <= 0 if weights.ndim == 3 else np.asarray(weights) <= 0
    return Scan(
        path=path,
        frames=[file[f"{piece}/data"] for piece in pieces],
        places=np.concatenate([np.asarray(one, np.float64) for one in positions]),
        pitch=_pitch(path, _HC_KEV_M / energy if energy else None, distance, size),
        mask=bad,
    )
