"""Iterative tomography keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.tomography_iterative import kernel

from daasbench.testing.kernels import KernelContract


class TestTomographyIterative(KernelContract):
    kernel = kernel
