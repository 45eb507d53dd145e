"""daasbench: measure analysis kernels of photon and neutron science, verify their results, and compare platforms.

::

    import daasbench

    table = daasbench.load("results")         # a pandas DataFrame: one row per case, platform and process
    daasbench.ratio(table, base="numpy")      # how many times as fast the others are

``daasbench.kernel`` makes a kernel of your own from Python functions. The command line measures: ``daasbench --help``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daasbench.version import __version__

if TYPE_CHECKING:
    from daasbench.authoring.function import kernel
    from daasbench.costs.priced_table import price
    from daasbench.evidence.ratios import ratio
    from daasbench.evidence.table import load

__all__ = ["__version__", "kernel", "load", "price", "ratio"]

_MODULES = {  # imported on first use
    "kernel": "daasbench.authoring.function",
    "load": "daasbench.evidence.table",
    "price": "daasbench.costs.priced_table",
    "ratio": "daasbench.evidence.ratios",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        import importlib

        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'daasbench' has no attribute {name!r}; it has: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)
