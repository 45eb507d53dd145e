"""The distributed transform keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.distributed_fft import kernel

from daasbench.testing.kernels import KernelContract


class TestDistributedFft(KernelContract):
    kernel = kernel
