"""daasbench: verified kernels, dated prices and real queues, joined to decisions with error bars.

>>> import daasbench
>>> table = daasbench.load("results")        # the tidy pandas DataFrame      # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daasbench.version import __version__ as __version__

if TYPE_CHECKING:
    from daasbench.authoring.function import kernel as kernel
    from daasbench.evidence.table import load as load


_LAZY = {"kernel": "daasbench.authoring.function", "load": "daasbench.evidence.table"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'daasbench' has no attribute {name!r}")
