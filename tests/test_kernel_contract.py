"""The contract tests of kernels detect what a third party's kernel does wrong."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from daasbench import kernel as kernel_of
from daasbench.authoring.function import FunctionKernel
from daasbench.compute.backends import HostBackend
from daasbench.errors import MissingRequirement
from daasbench.testing import KernelContract, kernels


def error_of(inputs: Any, got: Any) -> float:
    """Return the error of a sum over the frames; infinite if its shape or type is wrong."""
    right = inputs["frames"].sum(axis=0)
    if got["sum"].shape != right.shape or got["sum"].dtype != right.dtype:
        return float("inf")
    return float(np.abs(got["sum"] - right).max())


def made(oracle: Any = error_of) -> FunctionKernel:
    """Return a kernel whose reference is correct."""

    @kernel_of(unit="frame", oracle=oracle, tolerance=1e-9)
    def sums(inputs: Any) -> Any:
        return {"sum": inputs["frames"].sum(axis=0)}

    @sums.inputs(tiny={"n": 3}, small={"n": 5})
    def frames(n: int, rng: Any) -> Any:
        return {"frames": rng.random((n, 6, 7))}

    return sums


def contract_of(kernel: Any) -> KernelContract:
    """Return the contract tests of a kernel."""
    contract = KernelContract()
    contract.kernel = kernel  # type: ignore[misc]  # of the class, where pytest uses it
    return contract


def with_one_buffer(kernel: FunctionKernel, **facts: Any) -> None:
    """Give `kernel` an implementation that writes each result over the last one."""
    buffer = np.empty((6, 7))

    @kernel.implementation("buffered", **facts)
    def buffered(inputs: Any) -> Any:
        return {"sum": np.sum(inputs["frames"], axis=0, out=buffer)}


def test_overwriting_is_allowed_only_where_it_is_declared() -> None:
    silent, honest = made(), made()
    with_one_buffer(silent)
    with_one_buffer(honest, overwrites_result=True)
    contract_of(honest).test_a_result_stays_as_it_is_unless_overwriting_is_declared()
    with pytest.raises(AssertionError, match="buffered: the next call changed the last result"):
        contract_of(silent).test_a_result_stays_as_it_is_unless_overwriting_is_declared()


def test_a_result_that_grows_out_of_the_last_one_is_caught_even_where_overwriting_is_declared() -> None:
    kernel, buffer = made(), np.zeros((6, 7))

    @kernel.implementation("growing", overwrites_result=True)
    def growing(inputs: Any) -> Any:
        buffer[...] = buffer * 0 + inputs["frames"].sum(axis=0)  # NaN stays
        return {"sum": buffer}

    with pytest.raises(AssertionError, match="growing, after its first result was written into"):
        contract_of(kernel).test_a_result_stays_as_it_is_unless_overwriting_is_declared()


@pytest.mark.parametrize("blind_to", ["shape", "type"])
def test_an_oracle_that_ignores_shape_or_type_is_caught(blind_to: str) -> None:
    def oracle(inputs: Any, got: Any) -> float:
        right, found = inputs["frames"].sum(axis=0), got["sum"]
        if blind_to == "shape":
            return error_of(inputs, got) if found.shape == right.shape else 0.0
        return 0.0 if found.dtype != right.dtype else error_of(inputs, got)

    contract_of(made()).test_a_result_of_another_shape_or_type_is_wrong()
    with pytest.raises(AssertionError, match="array 0"):
        contract_of(made(oracle)).test_a_result_of_another_shape_or_type_is_wrong()


# --- for a GPU -----------------------------------------------------------------------------------------------


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module in place of a third party's ``with_cupy``."""
    one = ModuleType("theirs_with_cupy")
    one.SOURCE = 'extern "C" __global__ void nothing(float *x) { x[threadIdx.x] = 0; }'  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, one.__name__, one)
    return one


def with_a_gpu(module: ModuleType, compute: Any) -> FunctionKernel:
    """Return a kernel with an implementation for a GPU, whose code is in `module`."""
    kernel = made()

    def prepare(problem: Any, resources: Any) -> Any:
        return compute

    prepare.__module__ = module.__name__
    kernel.implementation("cupy", backend="cuda", requires=["cupy"])(compute)
    one = kernel.implementations["cupy"]
    kernel.implementations["cupy"] = type(one)(name="cupy", load=lambda: prepare, backend="cuda", requires=("cupy",))
    return kernel


def right(inputs: Any) -> Any:
    """Return the correct result."""
    return {"sum": inputs["frames"].sum(axis=0)}


def wrong(inputs: Any) -> Any:
    """Return a wrong result."""
    return {"sum": inputs["frames"].sum(axis=0) + 1}


def test_source_that_does_not_compile_for_a_hopper_gpu_is_caught(needs: Any, module: ModuleType) -> None:
    needs("cuda.bindings")
    kernel = with_a_gpu(module, right)
    contract_of(kernel).test_the_source_compiles_for_a_hopper_gpu()
    module.SOURCE_OPTIONS = ((), ("-DfloatX=1", "-Dnothing=1 +"))  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match="cupy"):
        contract_of(kernel).test_the_source_compiles_for_a_hopper_gpu()


@pytest.fixture
def cupy_on_the_host() -> None:
    """Mark that numpy replaces cupy."""


def test_a_wrong_result_of_the_source_run_as_cpp_is_caught(module: ModuleType, request: pytest.FixtureRequest) -> None:
    contract_of(with_a_gpu(module, right)).test_the_source_run_as_cpp_is_right(request)
    with pytest.raises(AssertionError, match="cupy: "):
        contract_of(with_a_gpu(module, wrong)).test_the_source_run_as_cpp_is_right(request)


def test_a_wrong_result_of_a_gpu_is_caught(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "require", lambda implementation: None)
    monkeypatch.setattr(kernels, "open_backend", lambda name: HostBackend())
    contract_of(with_a_gpu(module, right)).test_a_gpu_gives_the_right_answer_if_there_is_one()
    with pytest.raises(AssertionError, match="cupy: "):
        contract_of(with_a_gpu(module, wrong)).test_a_gpu_gives_the_right_answer_if_there_is_one()


def test_without_a_gpu_its_contract_test_is_skipped_and_the_reason_is_given(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(implementation: Any) -> None:
        raise MissingRequirement("CuPy is not installed", "install it")

    monkeypatch.setattr(kernels, "require", absent)
    with pytest.raises(pytest.skip.Exception, match="absent: CuPy is not installed"):
        contract_of(with_a_gpu(module, right)).test_a_gpu_gives_the_right_answer_if_there_is_one()
