"""Every plug-in of ours keeps the contract that is shipped to plug-in authors."""

from __future__ import annotations

import pytest
from daasbench.runners.local import LocalRunner

from daasbench import registry
from daasbench.contracts import Implementation, Kernel, Queue
from daasbench.testing import FakeRunner, KernelContract, QueueContract, RunnerContract
from daasbench.testing.queues import FakeQueue


class TestAzimuthalIntegration(KernelContract):
    kernel: Kernel = registry.kernel("azimuthal_integration")


class TestProbes(KernelContract):
    kernel: Kernel = registry.kernel("probes")

    def _implementations(self) -> list[Implementation]:
        """Return those of the probe `triad`; the others have tests of their own."""
        return [
            implementation for implementation in super()._implementations() if implementation.name in ("numpy", "numba")
        ]

    def _spread(self, backend: str) -> list[Implementation]:
        """Return none: ranks have probes of their own, with tests of their own."""
        return []


class TestLocalRunner(RunnerContract):
    make = LocalRunner


class TestFakeRunner(RunnerContract):
    make = FakeRunner


class TestFakeQueue(QueueContract):
    make = FakeQueue

    def _again(self, queue: Queue) -> Queue:
        return queue


@pytest.mark.parametrize("name", ["local", "dask"])
def test_a_runner_whose_jobs_end_with_their_controller_is_no_queue(name: str) -> None:
    assert not isinstance(registry.runner(name), Queue)


@pytest.mark.parametrize("name", ["slurm", "psij"])
def test_a_runner_whose_jobs_outlive_their_controller_is_a_queue(name: str) -> None:
    assert isinstance(registry.runner(name), Queue)


def test_the_fakes_are_what_they_stand_for() -> None:
    assert isinstance(FakeQueue(), Queue)
    assert not isinstance(FakeRunner(), Queue)
