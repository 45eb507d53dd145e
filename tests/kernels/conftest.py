"""What the tests of all kernels share."""

from __future__ import annotations

import ctypes
import functools
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from daasbench import registry
from daasbench.contracts import Kernel, Resources


def kernel_of(problem: Any) -> Kernel:
    """Return the kernel in whose folder the problem's class stands."""
    return registry.kernel(type(problem).__module__.split(".")[2])


@pytest.fixture(scope="session")
def compute() -> Callable[..., Any]:
    """Return a function that computes a block of a problem by an implementation."""

    def run(problem: Any, name: str, block: int = 0, threads: int = 2) -> Any:
        implementation = kernel_of(problem).implementations[name]
        return implementation.load()(problem, Resources(threads=threads))(problem.blocks[block])

    return run


@pytest.fixture(scope="session")
def verdict() -> Callable[..., Any]:
    """Return a function that verifies a result as the harness does."""

    def judge(problem: Any, result: Any, name: str = "numpy", block: int = 0) -> Any:
        kernel = kernel_of(problem)
        return kernel.verify(
            problem, kernel.expect(problem, kernel.options()), block, result, kernel.implementations[name].judged_as
        )

    return judge


@pytest.fixture
def hopper_log(needs: Any) -> Callable[..., str]:
    """Return a function that compiles CUDA source for sm_90 (no GPU is needed): the compiler's log, empty if right."""
    needs("cuda.bindings")
    from cuda.bindings import nvrtc

    def compile_(source: str, *options: str) -> str:
        try:
            error, program = nvrtc.nvrtcCreateProgram(source.encode(), b"kernel.cu", 0, [], [])
        except RuntimeError as missing:
            pytest.skip(f"absent: NVRTC (pip install nvidia-cuda-nvrtc): {missing}")
        assert error == nvrtc.nvrtcResult.NVRTC_SUCCESS
        flags = [b"--gpu-architecture=sm_90", *(option.encode() for option in options)]
        (error,) = nvrtc.nvrtcCompileProgram(program, len(flags), flags)
        _, size = nvrtc.nvrtcGetProgramLogSize(program)
        # Written to in place: it must not be b" ", of which Python keeps one for all (NVRTC once turned all
        # spaces that numpy.save pads its header with into zeros).
        log = bytearray(size)
        nvrtc.nvrtcGetProgramLog(program, log)
        text = log.decode().rstrip("\0")
        return text if error == nvrtc.nvrtcResult.NVRTC_SUCCESS else text or str(error)

    return compile_


@pytest.fixture(scope="session")
def as_cpp(program: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ctypes.CDLL]:
    """Return a function that compiles a text as C++, with checks for undefined behaviour where the compiler has them.

    The same text and options are compiled once.
    """
    compiler = program("g++", fix="apt install g++")

    @functools.cache
    def compile_(source: str, *options: str) -> ctypes.CDLL:
        folder = tmp_path_factory.mktemp("cpp")
        text, library = folder / "source.cpp", folder / "library.so"
        text.write_text(source)
        plain = [compiler, "-O1", "-shared", "-fPIC", *options, "-o", str(library), str(text)]
        for tried in ([*plain, "-fsanitize=undefined", "-static-libubsan"], plain):
            made = subprocess.run(tried, capture_output=True, text=True)
            if made.returncode == 0:
                break
        assert made.returncode == 0, made.stderr
        return ctypes.CDLL(str(library))

    return compile_
