"""Tomography keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.tomography import kernel

from daasbench.testing.kernels import KernelContract


class TestTomography(KernelContract):
    kernel = kernel
