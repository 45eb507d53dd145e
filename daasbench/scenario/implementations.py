"""The implementations that a table of cases names."""

from __future__ import annotations

from typing import Annotated

import msgspec

from daasbench.contracts import Implementation, Kernel
from daasbench.errors import UnknownName, unknown_sentence

Names = str | Annotated[list[str], msgspec.Meta(min_length=1)]


def named_implementations(kernel: Kernel, names: Names) -> list[Implementation]:
    """Return the implementations that a table names: by their names, ``"all"`` (no peers) or ``"peers"`` (all)."""
    from daasbench.compute.backends import is_installed

    known = kernel.implementations
    found: dict[str, Implementation] = {}
    for name in [names] if isinstance(names, str) else names:
        if name in ("all", "peers"):
            found |= {k: w for k, w in known.items() if not w.peer or (name == "peers" and is_installed(w))}
        elif name in known:
            found[name] = known[name]
        else:
            raise UnknownName(unknown_sentence("implementation", name, [*known, "all", "peers"]))
    return list(found.values())
