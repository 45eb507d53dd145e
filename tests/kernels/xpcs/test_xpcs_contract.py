"""XPCS keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.xpcs import kernel

from daasbench.testing.kernels import KernelContract


class TestXpcs(KernelContract):
    kernel = kernel
