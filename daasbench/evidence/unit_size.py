"""How large one unit of scientific work is: frames of 2167 x 2070 pixels. A rate means nothing without it."""

from __future__ import annotations

from daasbench.contracts import Kernel
from daasbench.model import Case
from daasbench.model.sizes import size_of_unit


def unit_size(kernel: Kernel | None, case: Case) -> str:
    """Return the size of a unit of generated inputs: ``"2167 x 2070 pixels"``; empty if it is not known.

    It is for records that do not have it themselves (``work.unit_size``), such as old ones.
    """
    return size_of_unit(kernel.sizes.get(case.size, {})) if kernel and case.size is not None else ""


def unit_words(kernel: Kernel | None, size: str) -> str:
    """Return what is counted, with its size: ``"frames of 2167 x 2070 pixels"``; empty if a part is not known.

    Where work is counted otherwise, in GB or in frames times iterations, it is what the size is of: frames or slices.
    """
    if kernel is None or not size:
        return ""
    unit = kernel.card.unit
    if "·" not in unit and not unit.isupper():
        return f"{kernel.card.units} of {size}"
    return f"{'slices' if unit.startswith('slice') else 'frames'} of {size}"
