"""Geometry files of pyFAI: a ``.poni`` file, or a goniometer whose axes move the detector."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from .detectors import find_detector
from .expressions import evaluate
from .geometry import Geometry

Shape = tuple[int, int]
FLIPS = {1: (True, True), 2: (True, False), 3: (False, False), 4: (False, True)}  # by pyFAI's "orientation"


class Poni:
    """The entries of a ``.poni`` file, by lower-case name."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.entries = entries

    @classmethod
    def parse(cls, text: str) -> Poni:
        """Return the entries ``name: value``; of equal names the last, as pyFAI does."""
        lines = (line.partition(":") for line in text.splitlines() if not line.lstrip().startswith("#"))
        entries = {key.strip().lower(): value.strip() for key, colon, value in lines if colon}
        if "poni1" not in entries:
            raise KeyError("Poni1")
        return cls(entries)

    def _detector(self) -> Detector:
        try:
            config = json.loads(self.entries.get("detector_config", "{}"))
        except json.JSONDecodeError as error:
            raise ValueError(f"Detector_config is not valid JSON: {error}") from None
        if not isinstance(config, dict):
            raise ValueError(f"Detector_config is {config!r}; it must be a JSON object, for example {{}}")
        for name, old in (("pixel1", "pixelsize1"), ("pixel2", "pixelsize2")):  # version 1
            if old in self.entries:
                config.setdefault(name, self.entries[old])
        return Detector(self.entries.get("detector", ""), config)

    def _number(self, name: str, default: str | None = None) -> float:
        text = self.entries[name] if default is None else self.entries.get(name, default)
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"{name} is {text!r}; it must be a number") from None

    def shape(self) -> Shape | None:
        """Return the detector's shape; None if the file does not state it."""
        return self._detector().shape

    def geometry(self, shape: Shape, position: float | str | None) -> Geometry:
        """Return the geometry; a poni has no axis that `position` could move."""
        if position is not None:
            raise ValueError("has no moving axis; remove the option position, which is for a goniometer JSON")
        if self.entries.get("parallax", "").lower() == "true":
            raise ValueError("requires parallax correction, which is not supported; set 'Parallax: False'")
        if self.entries.get("splinefile", "none").lower() != "none":
            raise ValueError(
                "names a distortion spline, which is not supported; correct the frames and remove the spline"
            )
        wavelength = self.entries.get("wavelength", "none")
        return Geometry(
            shape=shape,
            distance_m=self._number("distance"),
            poni1_m=self._number("poni1"),
            poni2_m=self._number("poni2"),
            rot1=self._number("rot1", "0"),
            rot2=self._number("rot2", "0"),
            rot3=self._number("rot3", "0"),
            wavelength_m=None if wavelength.lower() == "none" else self._number("wavelength"),
            **self._detector().placed(),
        )


class Goniometer:
    """A goniometer JSON of pyFAI: expressions that give a poni for each position of the axes."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content

    def _detector(self) -> Detector:
        sizes = {key: self.content[key] for key in ("pixel1", "pixel2") if key in self.content}
        return Detector(self.content.get("detector", ""), {**sizes, **self.content.get("detector_config", {})})

    def shape(self) -> Shape | None:
        """Return the detector's shape; None if the file does not state it."""
        return self._detector().shape

    def geometry(self, shape: Shape, position: float | str | None) -> Geometry:
        """Return the geometry with the axes at `position`."""
        function = self.content["trans_function"]
        names = dict(function.get("constants", {"pi": math.pi}))
        names |= dict(zip(function["param_names"], self.content["param"], strict=True))
        names |= _positions(list(function["pos_names"]), position)
        value = {
            key.removesuffix("_expr"): evaluate(str(text), names)
            for key, text in function.items()
            if key.endswith("_expr") and text is not None
        }
        wavelength = value.get("wavelength", self.content.get("wavelength"))
        return Geometry(
            shape=shape,
            distance_m=value["dist"],
            poni1_m=value["poni1"],
            poni2_m=value["poni2"],
            rot1=value.get("rot1", 0.0),
            rot2=value.get("rot2", 0.0),
            rot3=value.get("rot3", 0.0),
            wavelength_m=None if wavelength is None else float(wavelength),
            **self._detector().placed(),
        )


def _positions(axes: list[str], position: float | str | None) -> dict[str, float]:
    """Return the value of each axis from ``5.2`` or ``"tth=5.2,eta=1"``."""
    example = ",".join(f"{axis}=0" for axis in axes)
    if position is None:
        raise ValueError(f"is a goniometer whose position is not known; set position={example}")
    if "=" in str(position):
        pairs = (part.partition("=") for part in str(position).split(","))
        given = {name.strip(): float(value) for name, _, value in pairs}
    else:
        given = {axes[0]: float(position)} if len(axes) == 1 else {}
    if set(given) != set(axes):
        raise ValueError(f"position = {position!r} does not give each axis once; write position={example}")
    return given


class Detector:
    """A detector by name and configuration, as in the files of pyFAI."""

    def __init__(self, name: str, config: Mapping[str, Any]) -> None:
        known = find_detector(name)
        default = known[0] if known is not None else None
        if config.get("splineFile"):
            raise ValueError(
                "names a distortion spline, which is not supported; correct the frames and remove the spline"
            )
        self.pixels = [float(config.get(key) or default or math.nan) for key in ("pixel1", "pixel2")]
        if not all(size > 0 for size in self.pixels):
            raise KeyError("pixel1" if not self.pixels[0] > 0 else "pixel2")
        self.orientation = int(config.get("orientation") or 3)
        if self.orientation not in FLIPS:
            raise ValueError(f"has the orientation {self.orientation}; it must be 1, 2, 3 or 4")
        self.shape: Shape | None = None
        if config.get("max_shape"):
            self.shape = (int(config["max_shape"][0]), int(config["max_shape"][1]))
        elif known is not None and math.isclose(self.pixels[0], known[0], rel_tol=0.01):  # else its pixels are binned
            self.shape = known[1]

    def placed(self) -> dict[str, Any]:
        """Return the fields of a geometry that the detector determines."""
        flip1, flip2 = FLIPS[self.orientation]
        return {"pixel1_m": self.pixels[0], "pixel2_m": self.pixels[1], "flip1": flip1, "flip2": flip2}
