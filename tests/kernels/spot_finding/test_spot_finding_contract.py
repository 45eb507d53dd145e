"""Spot finding keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.spot_finding import kernel

from daasbench.testing.kernels import KernelContract


class TestSpotFinding(KernelContract):
    kernel = kernel
