"""Every plug-in of ours keeps the contract that is shipped to plug-in authors."""

from __future__ import annotations

from daasbench.runners.local import LocalRunner

from daasbench import registry
from daasbench.contracts import Kernel
from daasbench.testing import FakeRunner, KernelContract, RunnerContract


class TestAzimuthalIntegration(KernelContract):
    kernel: Kernel = registry.kernel("azimuthal_integration")


class TestTomography(KernelContract):
    kernel: Kernel = registry.kernel("tomography")


class TestProbes(KernelContract):
    kernel: Kernel = registry.kernel("probes")


class TestLocalRunner(RunnerContract):
    make = LocalRunner


class TestFakeRunner(RunnerContract):
    make = FakeRunner
