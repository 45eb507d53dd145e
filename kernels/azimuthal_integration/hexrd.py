"""Geometry from an instrument file of HEXRD."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .geometry import Geometry

Shape = tuple[int, int]
Array = np.ndarray[Any, np.dtype[Any]]
HC_KEV_M = 12.398419843320026e-10  # Planck constant times speed of light


class Hexrd:
    """An instrument of HEXRD with its keys flattened to paths, as JSON; it must describe one flat detector."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        found = sorted({key.split("/")[2] for key in content if key.startswith("instrument/detectors/")})
        self.name = found[0] if len(found) == 1 else None
        self.found = found

    def _of(self, path: str) -> Any:
        return self.content[f"instrument/{path}"]

    def _detector(self, path: str) -> Any:
        return self._of(f"detectors/{self.name}/{path}")

    def shape(self) -> Shape:
        """Return the detector's shape; raise ValueError unless there is exactly one detector."""
        if self.name is None:
            raise ValueError(
                f"describes {len(self.found)} detectors ({', '.join(self.found)}); it must describe exactly one"
            )
        return int(self._detector("pixels/rows")[0]), int(self._detector("pixels/columns")[0])

    def geometry(self, shape: Shape, position: float | str | None) -> Geometry:
        """Return the geometry: the detector's plane and the beam, seen from the sample.

        HEXRD's laboratory has x to the right seen from the source, y up and the beam usually along -z; `tilt` is a
        rotation vector, `translation` the detector's centre in mm. In the detector's axes, the beam determines
        PONI, distance and two angles; the third is a rotation about the beam and changes no radius.
        """
        if position is not None:
            raise ValueError("has no moving axis; remove the option position, which is for a goniometer JSON")
        rows, columns = shape
        pixel1, pixel2 = (float(size) * 1e-3 for size in self._detector("pixels/size"))
        rotation = _rotation_about(np.asarray(self._detector("transform/tilt"), float))
        right, up, normal = rotation[:, 0], rotation[:, 1], rotation[:, 2]
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


def _rotation_about(vector: Array) -> Array:
    """Return the matrix of the rotation about `vector` by its length in radian (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / angle if angle else vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: Array = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return rotation


def _beam(azimuth_deg: float, polar_deg: float) -> Array:
    """Return the unit vector along which the beam travels."""
    azimuth, polar = math.radians(azimuth_deg), math.radians(polar_deg)
    return -np.array([math.sin(polar) * math.cos(azimuth), math.cos(polar), math.sin(polar) * math.sin(azimuth)])
