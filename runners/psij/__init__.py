"""The runner ``psij``: jobs of PBS, LSF, Cobalt, Flux and others through psij-python, an optional extra."""

from __future__ import annotations

from .runner import PsijRunner

__all__ = ["PsijRunner"]
