"""The stencil keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.halo_stencil import kernel

from daasbench.testing.kernels import KernelContract


class TestHaloStencil(KernelContract):
    kernel = kernel
