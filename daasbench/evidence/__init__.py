"""Evidence: the tidy table, whole records with their machines, limits and jobs, phases, and limits of the machine."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daasbench.evidence.collection import Evidence, Missing, gather
    from daasbench.evidence.table import COLUMNS, load, options_text
    from daasbench.model.sizes import SIZES, size_order

_MODULES = {  # imported when a name is used: pandas takes half a second
    "COLUMNS": "daasbench.evidence.table",
    "Evidence": "daasbench.evidence.collection",
    "Missing": "daasbench.evidence.collection",
    "SIZES": "daasbench.model.sizes",
    "gather": "daasbench.evidence.collection",
    "load": "daasbench.evidence.table",
    "options_text": "daasbench.evidence.table",
    "size_order": "daasbench.model.sizes",
}

__all__ = ["COLUMNS", "SIZES", "Evidence", "Missing", "gather", "load", "options_text", "size_order"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
