"""How large one unit of scientific work is: frames of 2167 x 2070 pixels. A rate means nothing without it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from daasbench.contracts import Kernel
from daasbench.errors import DaasbenchError
from daasbench.model import Case
from daasbench.model.sizes import size_of_unit


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
        return size_of_unit(kernel.sizes.get(case.size, {}))
    paths = dict(files or {})
    path = paths.pop("input", "")
    if not path or not Path(path).is_file():
        return ""
    try:
        options = msgspec.convert({**case.options, **paths}, kernel.options)
        return size_of_unit(kernel.survey(Path(path), options))
    except (DaasbenchError, msgspec.ValidationError, OSError, KeyError, ValueError):
        return ""  # the headers say nothing that can be shown


def unit_words(kernel: Kernel | None, case: Case, files: Mapping[str, str] | None = None) -> str:
    """Return what a unit is, in the plural: ``"frames of 2167 x 2070 pixels"``; empty if it is not known."""
    size = unit_size(kernel, case, files)
    return f"{kernel.card.units} of {size}" if kernel and size else ""
