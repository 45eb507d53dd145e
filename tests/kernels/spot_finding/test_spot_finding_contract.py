"""Spot finding keeps the contract of every kernel."""

from __future__ import annotations

import shutil

from daasbench.kernels.spot_finding import kernel

from daasbench.contracts import Implementation
from daasbench.testing.kernels import KernelContract


class TestSpotFinding(KernelContract):
    kernel = kernel

    def _ways(self) -> list[Implementation]:
        """Return the ways that can run here: DIALS is a program, of which `requires` knows nothing."""
        return [way for way in super()._ways() if way.name != "dials" or shutil.which("dials.find_spots")]
