"""PBS, LSF, Cobalt, Flux and others, through psij-python: one client of many schedulers, an optional extra."""

from __future__ import annotations

from .runner import PsijRunner

__all__ = ["PsijRunner"]
