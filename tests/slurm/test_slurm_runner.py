"""The runner on a real Slurm of four virtual nodes."""

from __future__ import annotations

import pytest
from daasbench.runners.slurm import SlurmRunner

from daasbench.testing.runners import RunnerContract


@pytest.mark.usefixtures("slurm")
class TestSlurmRunner(RunnerContract):
    """What every runner must keep."""

    make = SlurmRunner
