"""The integration pipeline keeps the contract of every kernel."""

from __future__ import annotations

from daasbench.kernels.integration_pipeline import kernel

from daasbench.testing.kernels import KernelContract


class TestIntegrationPipeline(KernelContract):
    kernel = kernel
