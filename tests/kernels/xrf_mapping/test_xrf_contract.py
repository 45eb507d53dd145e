"""The fit of fluorescence maps keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.xrf_mapping import kernel

from daasbench.testing.kernels import KernelContract


class TestXrfMapping(KernelContract):
    kernel = kernel
