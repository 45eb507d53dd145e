"""daasbench: verified kernels, dated prices and real queues, joined to decisions with error bars.

>>> import daasbench
>>> table = daasbench.load("results")        # the tidy pandas DataFrame      # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daasbench.table import load as load
    from daasbench.userkernel import kernel as kernel

__version__ = "0.1.0"

_LAZY = {"kernel": "daasbench.userkernel", "load": "daasbench.table"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'daasbench' has no attribute {name!r}")
