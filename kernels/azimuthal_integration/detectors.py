"""Detectors by the names that pyFAI writes into its files: pixel size and shape of regular flat grids."""

from __future__ import annotations

import re

from daasbench.authoring import unknown_sentence

Known = tuple[float, tuple[int, int] | None]

_EIGER = {"500k": (514, 1030), "1m": (1065, 1030), "4m": (2167, 2070), "9m": (3269, 3110), "16m": (4371, 4150)}
_EIGER2 = {
    "250k": (512, 512), "500k": (512, 1028), "1m": (1062, 1028), "1mw": (512, 2068), "2mw": (512, 4148),
    "4m": (2162, 2068), "9m": (3262, 3108), "16m": (4362, 4148),
}  # fmt: skip
_PILATUS = {
    "100k": (195, 487), "200k": (407, 487), "300k": (619, 487), "300kw": (195, 1475), "900k": (619, 1475),
    "900kw": (195, 4439), "1m": (1043, 981), "2m": (1679, 1475), "6m": (2527, 2463),
}  # fmt: skip
_PILATUS4 = {"260k": (530, 513), "260kw": (255, 1033), "1m": (1080, 1033), "2m": (1630, 1553), "4m": (2180, 2073)}
_MAXIPIX = {"": (256, 256), "1x1": (256, 256), "2x2": (516, 516), "5x1": (256, 1296)}
_LAMBDA = {
    "60k": (256, 256), "250k": (516, 516), "750k": (516, 1556), "2m": (1556, 1556), "9m": (3868, 3227),
    "10m": (2596, 4676), "7m5": (2596, 2596), "75m": (2596, 2596),
}  # fmt: skip
_JUNGFRAU = {"1m": (1064, 1030), "4m": (2164, 2068), "8m": (3333, 3212)}

_FAMILIES: tuple[tuple[str, float, dict[str, tuple[int, int]]], ...] = (
    ("eiger", 75e-6, _EIGER),
    ("eiger2", 75e-6, _EIGER2),
    ("eiger2cdte", 75e-6, _EIGER2),
    ("pilatus", 172e-6, _PILATUS),
    ("pilatuscdte", 172e-6, _PILATUS),
    ("pilatus4", 150e-6, _PILATUS4),
    ("pilatus4cdte", 150e-6, _PILATUS4),
    ("maxipix", 55e-6, _MAXIPIX),
    ("lambda", 55e-6, _LAMBDA),
    ("jungfrau", 75e-6, _JUNGFRAU),
)

KNOWN: dict[str, Known] = {
    family + name: (pixel_m, shape) for family, pixel_m, shapes in _FAMILIES for name, shape in shapes.items()
} | {
    # cameras that bin their pixels: the file states the pixel size, the frame has the number of pixels
    name: (pixel_m, None)
    for name, pixel_m in (
        ("frelon", 50e-6), ("fairchild", 15e-6), ("titan", 60e-6), ("dexela2923", 75e-6), ("basler", 3.75e-6),
        ("perkin", 200e-6), ("pixium", 308e-6), ("apex2", 120e-6), ("mar345", 100e-6), ("mar555", 139e-6),
        ("rayonix133", 64e-6), ("rayonixsx165", 39.5e-6), ("rayonixsx200", 48e-6), ("rayonixmx225", 73.242e-6),
        ("rayonixmx300", 73.242e-6), ("rayonixlx170", 44.2708e-6), ("rayonixmx170", 44.2708e-6),
        ("rayonixlx255", 44.2708e-6), ("rayonixmx225hs", 78.125e-6), ("rayonixmx300hs", 78.125e-6),
        ("rayonixmx340hs", 88.5417e-6), ("rayonixmx325", 79.346e-6), ("rayonixmx425hs", 44.2708e-6),
        ("adscq315", 51e-6), ("adscq270", 51e-6), ("adscq210", 51e-6), ("adscq4", 51e-6),
    )
}  # fmt: skip

IRREGULAR = {
    "pixirad1", "pixirad2", "pixirad4", "pixirad8", "imxpads10", "imxpads70", "imxpads70v", "imxpads140",
    "xpadflat", "cirpad", "aarhus", "rapid", "rapidii", "jungfrau", "jungfrau500k", "jungfrau16mcor", "mythen",
    "nexusdetector",
}  # fmt: skip


def find_detector(name: str) -> Known | None:
    """Return pixel size in metre and shape of the detector `name`; None for pyFAI's unnamed ``Detector``.

    Raises
    ------
    ValueError
        If the name is unknown, or the pixels are not a regular flat grid; the message gives the reason.
    """
    key = re.sub(r"[^a-z0-9]", "", name.lower())
    if key in ("", "detector", "none"):
        return None
    if key.endswith("cdte"):  # "Pilatus CdTe 1M" is also written "Pilatus 1M CdTe"
        key = re.sub(r"^(pilatus4|pilatus|eiger2)(.*)cdte$", r"\1cdte\2", key)
    if key in IRREGULAR:
        raise ValueError(
            f"is for {name!r}, which is not a flat grid of equal pixels; use the geometry of a flat detector"
        )
    if key not in KNOWN:
        raise ValueError(unknown_sentence("detector", name, KNOWN))
    return KNOWN[key]
