"""What the tests of all kernels share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


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
