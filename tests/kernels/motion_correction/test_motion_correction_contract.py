"""Motion correction keeps the contract of every kernel."""

from __future__ import annotations

import shutil

from daasbench.kernels.motion_correction import kernel

from daasbench.contracts import Implementation
from daasbench.testing.kernels import KernelContract


class TestMotionCorrection(KernelContract):
    kernel = kernel

    def _ways(self) -> list[Implementation]:
        """Return what is to be right: not scikit-image, which is not (its own test), nor RELION where it is absent."""
        absent = {"skimage"} | (set() if shutil.which("relion_run_motioncorr") else {"relion"})
        return [way for way in super()._ways() if way.name not in absent]
