"""daasbench: verified kernels, dated prices and real queues, joined to decisions with error bars.

>>> import daasbench
>>> table = daasbench.load("results")        # the tidy pandas DataFrame      # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daasbench.version import __version__

if TYPE_CHECKING:
    from daasbench.authoring.function import kernel
    from daasbench.costs.priced_table import price
    from daasbench.evidence.table import load

__all__ = ["__version__", "kernel", "load", "price"]

_MODULES = {  # imported on first use
    "kernel": "daasbench.authoring.function",
    "load": "daasbench.evidence.table",
    "price": "daasbench.costs.priced_table",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        import importlib

        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'daasbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
