"""Motion correction keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.motion_correction import kernel

from daasbench.contracts import Implementation
from daasbench.testing.kernels import KernelContract


class TestMotionCorrection(KernelContract):
    kernel = kernel

    def _implementations(self) -> list[Implementation]:
        """Return what is to be right: not scikit-image, which is not (its own test)."""
        return [implementation for implementation in super()._implementations() if implementation.name != "skimage"]
