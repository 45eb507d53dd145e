"""Detector I/O keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.detector_io import kernel

from daasbench.testing.kernels import KernelContract


class TestDetectorIo(KernelContract):
    kernel = kernel
