"""Ptychography keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.ptychography import kernel

from daasbench.testing.kernels import KernelContract


class TestPtychography(KernelContract):
    kernel = kernel
