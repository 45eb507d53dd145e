"""The probes of a GPU copy and compute correctly, tested with numpy in place of CuPy."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from daasbench.kernels.probes import kernel
from daasbench.kernels.probes.options import Copies, Numbers, ProbesOptions

from daasbench.contracts import Resources

PROBES = (*get_args(Numbers), *get_args(Copies))


class OnDevice(np.ndarray[Any, Any]):
    """An array in place of an array on the device."""

    def set(self, host: Any) -> None:
        self[...] = host

    def get(self, out: Any) -> Any:
        out[...] = self
        return out


@pytest.fixture
def cupy_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``import cupy`` find numpy."""

    def elementwise(inputs: str, output: str, operation: str, name: str) -> Any:
        assert operation == "a = b + 3.0 * c"

        def run(b: Any, c: Any, a: Any) -> Any:
            a[...] = b + 3.0 * c
            return a

        return run

    fake = SimpleNamespace(**{name: getattr(np, name) for name in ("float64", "float32", "complex64", "matmul", "fft")})
    fake.ElementwiseKernel = elementwise
    fake.empty = lambda shape, dtype: np.zeros(shape, dtype).view(OnDevice)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setitem(sys.modules, "cupyx", SimpleNamespace(empty_pinned=lambda shape, dtype: np.zeros(shape, dtype)))


@pytest.mark.usefixtures("cupy_on_the_host")
@pytest.mark.parametrize("probe", PROBES)
def test_every_probe_of_a_gpu_is_right(probe: Any) -> None:
    problem = kernel.make(kernel.sizes["tiny"], ProbesOptions(probe=probe), 7, 2)
    expectation = kernel.expect(problem, problem.options)
    compute = kernel.implementations["cupy"].load()(problem, Resources(gpus=1))
    for index, block in enumerate(problem.blocks):
        there = {name: one.view(OnDevice) if isinstance(one, np.ndarray) else one for name, one in block.items()}
        result = np.array(compute(there))
        assert kernel.verify(problem, expectation, index, result, "").ok
        spoilt = result.copy()
        spoilt.reshape(-1)[-1] += 1 if result.dtype == np.uint8 else np.abs(result).max() + 1
        assert not kernel.verify(problem, expectation, index, spoilt, "").ok


@pytest.mark.parametrize("probe", PROBES)
def test_a_gpu_gives_the_same_if_there_is_one(needs: Any, probe: Any) -> None:
    needs("cupy")
    import cupy

    if not cupy.cuda.is_available():
        pytest.skip("absent: a CUDA device")
    problem = kernel.make(kernel.sizes["tiny"], ProbesOptions(probe=probe), 7, 1)
    compute = kernel.implementations["cupy"].load()(problem, Resources(gpus=1))
    block = {name: cupy.asarray(one) if isinstance(one, np.ndarray) else one for name, one in problem.blocks[0].items()}
    result = cupy.asnumpy(compute(block))
    assert kernel.verify(problem, kernel.expect(problem, problem.options), 0, result, "").ok
