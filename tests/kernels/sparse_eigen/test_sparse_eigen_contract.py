"""The spin ring keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.sparse_eigen import kernel

from daasbench.testing.kernels import KernelContract


class TestSparseEigen(KernelContract):
    kernel = kernel
