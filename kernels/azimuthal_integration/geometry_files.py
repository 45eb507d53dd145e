"""Geometry from files: pyFAI ``.poni`` (versions 1 to 3), pyFAI goniometer JSON, HEXRD instrument JSON."""

from __future__ import annotations

import ast
import json
import math
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from daasbench.errors import InputError

from .detectors import find_detector
from .geometry import Geometry

Shape = tuple[int, int]
HC_KEV_M = 12.398419843320026e-10  # Planck constant times speed of light
FLIPS = {0: (False, False), 1: (True, True), 2: (True, False), 3: (False, False), 4: (False, True)}


def read_geometry(path: Path, shape: Shape, position: float | str | None, frames: Path) -> Geometry:
    """Return the geometry in the file `path` for frames of `shape` that come from the file `frames`.

    `position` is where the goniometer stands, for a goniometer JSON.
    """
    text = _read_text(path)
    known = _parse(path, text)
    declared = known.shape(path)
    if declared is not None and declared != shape:
        raise InputError(
            f"{frames}: frames of {shape[0]} x {shape[1]} pixels (rows x columns) do not fit the geometry {path}, "
            f"which is of a detector of {declared[0]} x {declared[1]}"
        )
    try:
        return known.geometry(path, shape, position)
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise InputError(f"{path}: {_reason(error)}") from error


def declared_shape(path: Path) -> Shape | None:
    """Return the shape of the detector that the file describes; None where it does not tell."""
    return _parse(path, _read_text(path)).shape(path)


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        said = str(error.args[0]) if error.args else ""
        return said if " " in said else f"it has no entry {said!r}, which the geometry needs"
    return f"a value of the geometry is wrong: {error}"


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: the geometry cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no geometry file; expected a .poni, goniometer JSON or HEXRD JSON") from error


def _parse(path: Path, text: str) -> Poni | Goniometer | Hexrd:
    if not text.lstrip().startswith("{"):
        return Poni(_poni_entries(path, text))
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: is not valid JSON: {error}") from error
    if "trans_function" in content:
        return Goniometer(content)
    if any(key.startswith("instrument/") for key in content):
        return Hexrd(content)
    if "poni1" in content or "poni" in content:
        content = content.get("poni", content)
        return Poni({str(key).lower(): value for key, value in content.items()})
    raise InputError(f"{path}: is neither a goniometer (no 'trans_function') nor a HEXRD instrument ('instrument/...')")


# --- pyFAI's poni --------------------------------------------------------------------------------------------


def _poni_entries(path: Path, text: str) -> dict[str, Any]:
    """Return the entries by lower-case name, the last of each name, as pyFAI takes them."""
    entries: dict[str, Any] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and not line.lstrip().startswith("#"):
            entries[key.strip().lower()] = value.strip()
    if "poni1" not in entries:
        raise InputError(f"{path}: has no entry 'Poni1:'; expected a .poni, goniometer JSON or HEXRD JSON")
    return entries


class Poni:
    """The entries of a ``.poni`` file."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.entries = entries

    def shape(self, path: Path) -> Shape | None:
        """Return the detector's shape, if the file tells."""
        return _detector(path, self.entries.get("detector", ""), self._config(path))[1]

    def geometry(self, path: Path, shape: Shape, position: float | str | None) -> Geometry:
        """Return the geometry; a poni has no axis that `position` could move."""
        if position is not None:
            raise ValueError("position belongs to a goniometer JSON; a .poni file has no moving axis")
        if str(self.entries.get("parallax", "")).lower() == "true":
            raise ValueError("parallax correction is not supported; set 'Parallax: False'")
        if str(self.entries.get("splinefile", "none")).lower() != "none":
            raise ValueError("a distortion spline is not supported; correct the frames first and leave it out")
        pixels, _, orientation = _detector(path, self.entries.get("detector", ""), self._config(path))
        distance = self.entries.get("distance", self.entries.get("dist"))
        if distance is None:
            raise KeyError("Distance")
        wavelength = self.entries.get("wavelength")
        return Geometry(
            shape=shape,
            pixel1_m=pixels[0],
            pixel2_m=pixels[1],
            distance_m=float(distance),
            **{name + "_m": float(self.entries[name]) for name in ("poni1", "poni2")},
            **{name: float(self.entries.get(name, 0)) for name in ("rot1", "rot2", "rot3")},
            wavelength_m=None if wavelength in (None, "None", "") else float(str(wavelength)),
            flip1=FLIPS[orientation][0],
            flip2=FLIPS[orientation][1],
        )

    def _config(self, path: Path) -> Mapping[str, Any]:
        config = self.entries.get("detector_config", {})
        if isinstance(config, str):
            try:
                config = json.loads(config)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}: Detector_config is not valid JSON: {error}") from error
        sizes = {new: self.entries[old] for new, old in (("pixel1", "pixelsize1"), ("pixel2", "pixelsize2"))
                 if old in self.entries}  # fmt: skip
        return {**sizes, **config}


def _detector(path: Path, name: str, config: Mapping[str, Any]) -> tuple[tuple[float, float], Shape | None, int]:
    """Return pixel sizes, shape if known, and orientation of a detector as pyFAI writes it."""
    try:
        known = find_detector(str(name))
        pixel, shape = known if known is not None else (None, None)
        pixels = tuple(float(config[key] if config.get(key) else pixel) for key in ("pixel1", "pixel2"))  # type: ignore[arg-type]  # None: told below
        orientation = int(config.get("orientation") or 3)
        FLIPS[orientation]
    except KeyError as error:
        raise InputError(f"{path}: {_reason(error)}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: has no size of the pixels (pixel1 and pixel2, in metre)") from error
    if config.get("splineFile"):
        raise InputError(f"{path}: a distortion spline is not supported; correct the frames first and leave it out")
    if config.get("max_shape"):
        shape = (int(config["max_shape"][0]), int(config["max_shape"][1]))
    elif known is not None and shape is not None and not math.isclose(pixels[0], known[0], rel_tol=0.01):
        shape = None  # binned
    return (pixels[0], pixels[1]), shape, orientation


# --- pyFAI's goniometer --------------------------------------------------------------------------------------


class Goniometer:
    """A goniometer JSON of pyFAI: expressions that give a poni for each position of the axes."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content

    def shape(self, path: Path) -> Shape | None:
        """Return the detector's shape, if the file tells."""
        return _detector(path, self.content.get("detector", ""), self._config())[1]

    def _config(self) -> Mapping[str, Any]:
        sizes = {key: self.content[key] for key in ("pixel1", "pixel2") if key in self.content}
        return {**sizes, **self.content.get("detector_config", {})}

    def geometry(self, path: Path, shape: Shape, position: float | str | None) -> Geometry:
        """Return the geometry where the axes stand at `position`."""
        function = self.content["trans_function"]
        axes = list(function.get("pos_names") or self.content["pos_names"])
        names = dict(function.get("constants", {"pi": math.pi}))
        names |= dict(zip(function["param_names"], self.content["param"], strict=True))
        names |= _positions(axes, position)
        value = {
            key.removesuffix("_expr"): evaluate(str(text), names)
            for key, text in function.items()
            if key.endswith("_expr") and text is not None
        }
        pixels, _, orientation = _detector(path, self.content.get("detector", ""), self._config())
        wavelength = value.get("wavelength", self.content.get("wavelength"))
        return Geometry(
            shape=shape,
            pixel1_m=pixels[0],
            pixel2_m=pixels[1],
            distance_m=value["dist"],
            poni1_m=value["poni1"],
            poni2_m=value["poni2"],
            rot1=value.get("rot1", 0.0),
            rot2=value.get("rot2", 0.0),
            rot3=value.get("rot3", 0.0),
            wavelength_m=None if wavelength is None else float(wavelength),
            flip1=FLIPS[orientation][0],
            flip2=FLIPS[orientation][1],
        )


def _positions(axes: list[str], position: float | str | None) -> dict[str, float]:
    """Return the value of each axis from ``5.2`` or ``"tth=5.2,eta=1"``."""
    if position is None:
        raise ValueError(f"the goniometer's position is not known; set position=... ({', '.join(axes)})")
    if isinstance(position, str) and "=" in position:
        pairs = dict(part.split("=", 1) for part in position.split(","))
        given = {name.strip(): float(value) for name, value in pairs.items()}
    elif len(axes) == 1:
        given = {axes[0]: float(position)}
    else:
        given = {}
    if set(given) != set(axes):
        raise ValueError(f"position = {position!r} does not name each axis once: {', '.join(axes)}")
    return given


_OPERATORS: Mapping[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "arcsin": math.asin, "arccos": math.acos,
    "arctan": math.atan, "arctan2": math.atan2, "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "abs": abs,
    "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh,
}  # fmt: skip


def evaluate(expression: str, names: Mapping[str, float]) -> float:
    """Return the value of an arithmetic expression as numexpr reads it; nothing else is ever executed.

    Raises
    ------
    ValueError
        If the expression is anything but numbers, `names`, + - * / ** and elementary functions.
    """

    def value(node: ast.AST) -> float:
        match node:
            case ast.Constant(value=float() | int() as number) if not isinstance(number, bool):
                return float(number)
            case ast.Name(id=name) if name in names:
                return float(names[name])
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(operand))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](*map(value, args))
        raise ValueError(f"the expression {expression!r} has a part that is not understood: {ast.unparse(node)}")

    try:
        return value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, RecursionError) as error:
        raise ValueError(f"the expression {expression!r} is not arithmetic") from error


# --- HEXRD's instrument --------------------------------------------------------------------------------------


class Hexrd:
    """An instrument of HEXRD with its keys flattened to paths, as JSON; the first, or only, flat detector."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        found = sorted({key.split("/")[2] for key in content if key.startswith("instrument/detectors/")})
        self.name = found[0] if len(found) == 1 else None
        self.found = found

    def _of(self, path: str) -> Any:
        return self.content[f"instrument/{path}"]

    def _detector(self, path: str) -> Any:
        return self._of(f"detectors/{self.name}/{path}")

    def shape(self, path: Path) -> Shape | None:
        """Return the detector's shape."""
        if self.name is None:
            raise InputError(f"{path}: describes {len(self.found)} detectors, not one: {', '.join(self.found)}")
        try:
            return int(self._detector("pixels/rows")[0]), int(self._detector("pixels/columns")[0])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"{path}: {_reason(error)}") from error

    def geometry(self, path: Path, shape: Shape, position: float | str | None) -> Geometry:  # noqa: ARG002  (as its siblings)
        """Return the geometry: the detector's plane and the beam, seen from the sample.

        HEXRD's laboratory has x to the right seen from the source, y up and the beam usually along -z; `tilt` is a
        rotation vector, `translation` the detector's middle in mm. Seen in the detector's axes, the beam fixes
        PONI, distance and two angles; the third turns about the beam and changes no radius.
        """
        if position is not None:
            raise ValueError("position belongs to a goniometer JSON; a HEXRD instrument has no moving axis here")
        rows, columns = shape
        pixel1, pixel2 = (float(size) * 1e-3 for size in self._detector("pixels/size"))
        turn = _rotation_about(np.asarray(self._detector("transform/tilt"), float))
        right, up, normal = turn[:, 0], turn[:, 1], turn[:, 2]
        down = -up
        stage = np.asarray(self.content.get("instrument/oscillation_stage/translation", [0, 0, 0]), float)
        middle = (np.asarray(self._detector("transform/translation"), float) - stage) * 1e-3
        origin = middle - down * pixel1 * rows / 2 - right * pixel2 * columns / 2
        away = normal if normal @ middle > 0 else -normal
        beam = _beam(float(self._of("beam/vector/azimuth")[0]), float(self._of("beam/vector/polar_angle")[0]))
        along1, along2, along3 = beam @ down, beam @ right, beam @ away
        return Geometry(
            shape=shape,
            pixel1_m=pixel1,
            pixel2_m=pixel2,
            distance_m=float(away @ middle),
            poni1_m=float(-origin @ down),
            poni2_m=float(-origin @ right),
            rot1=math.atan2(-along2, along3),
            rot2=math.asin(along1),
            wavelength_m=HC_KEV_M / float(self._of("beam/energy")[0]),
        )


def _rotation_about(vector: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the matrix of the rotation about `vector` by its length in radian (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / angle if angle else vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: np.ndarray[Any, Any] = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return turn


def _beam(azimuth_deg: float, polar_deg: float) -> np.ndarray[Any, Any]:
    """Return the unit vector along which the beam travels."""
    azimuth, polar = math.radians(azimuth_deg), math.radians(polar_deg)
    return -np.array([math.sin(polar) * math.cos(azimuth), math.cos(polar), math.sin(polar) * math.sin(azimuth)])
