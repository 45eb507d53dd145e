"""Nanostrain keeps the contract of every kernel, and so does each of its stages."""

from __future__ import annotations

from typing import Any

import pytest
from daasbench.kernels.nanostrain import kernel

from daasbench.testing.kernels import KernelContract


class TestNanostrain(KernelContract):
    kernel = kernel


@pytest.mark.parametrize("stage", ["gridding", "fits"])
@pytest.mark.parametrize("implementation", ["numpy", "numba", "silx", "xsocs", "xrayutilities"])
def test_each_stage_is_right_at_every_call(
    needs: Any, generated: Any, compute: Any, verdict: Any, stage: str, implementation: str
) -> None:
    if implementation not in ("numpy", "numba"):
        needs(implementation)
    problem = generated(stage, blocks=2)
    for threads in (1, 2):
        found = verdict(problem, compute(problem, implementation, threads), implementation)
        assert found.ok, found


@pytest.mark.parametrize("stage", ["gridding", "fits", "all"])
def test_bytes_of_the_result_are_known_beforehand(generated: Any, compute: Any, stage: str) -> None:
    from daasbench.kernels.nanostrain.options import NanostrainOptions

    from daasbench.compute.backends import arrays_in

    problem = generated(stage)
    work = kernel.work(kernel.sizes["tiny"], NanostrainOptions(stage=stage))
    assert work.input_bytes == problem.blocks[0].nbytes
    assert work.output_bytes == sum(array.nbytes for array in arrays_in(compute(problem, "numpy")))
