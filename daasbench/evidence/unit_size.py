"""How large one unit of scientific work is: frames of 2167 x 2070 pixels. A rate means nothing without it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from daasbench.contracts import Kernel
from daasbench.errors import DaasbenchError
from daasbench.model import Case


def unit_size(kernel: Kernel | None, case: Case, files: Mapping[str, str] | None = None) -> str:
    """Return the size of a unit of a case: ``"2167 x 2070 pixels"``; empty if it is not known.

    Parameters
    ----------
    kernel
        The case's kernel, if it is installed.
    files
        The paths of the case's files by option, ``"input"`` among them. Without them, or if the file cannot be read
        now, the size of a unit of a measured file is not known.
    """
    if kernel is None:
        return ""
    if case.size is not None:
        return _of(kernel.sizes.get(case.size, {}))
    paths = dict(files or {})
    path = paths.pop("input", "")
    if not path or not Path(path).is_file():
        return ""
    try:
        options = msgspec.convert({**case.options, **paths}, kernel.options)
        return _of(kernel.survey(Path(path), options))
    except (DaasbenchError, msgspec.ValidationError, OSError, KeyError, ValueError):
        return ""  # the headers say nothing that can be shown


def unit_words(kernel: Kernel | None, case: Case, files: Mapping[str, str] | None = None) -> str:
    """Return what a unit is, in the plural: ``"frames of 2167 x 2070 pixels"``; empty if it is not known."""
    size = unit_size(kernel, case, files)
    return f"{kernel.card.units} of {size}" if kernel and size else ""


def _of(parameters: Mapping[str, Any]) -> str:
    """Return the size of a unit by the names that kernels give to it; empty if they give none."""
    pairs = (("ny", "nx"), ("rows", "columns"), ("pixels", "pixels"), ("detector", "detector"))
    known = parameters.keys()
    if "channels" in known:  # of spectra, in a map of rows and columns
        return f"{parameters['channels']} channels"
    pair = next((pair for pair in pairs if known >= set(pair)), None)
    return f"{parameters[pair[0]]} x {parameters[pair[1]]} pixels" if pair else ""
