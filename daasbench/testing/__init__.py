"""Fakes and contract tests for plug-in authors.

A plug-in's own test module subclasses a contract and names its plug-in; pytest does the rest::

    from daasbench.testing import KernelContract

    class TestMyKernel(KernelContract):
        kernel = my_package.kernel
"""

from __future__ import annotations

from daasbench.testing.fakes import FakeRunner
from daasbench.testing.kernels import KernelContract
from daasbench.testing.reports import ReportContract
from daasbench.testing.runners import QueueContract, RunnerContract

__all__ = ["FakeRunner", "KernelContract", "QueueContract", "ReportContract", "RunnerContract"]
