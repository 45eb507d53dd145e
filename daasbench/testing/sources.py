"""Test CUDA source without a GPU: NVRTC compiles it for a Hopper GPU, and g++ compiles it as C++ for the processor.

Both need a compiler and no device: the package ``nvidia-cuda-nvrtc`` with ``cuda-bindings``, and ``g++``.
"""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path


class NoCompiler(Exception):
    """The compiler is not installed; the message names it, and the command that installs it."""


def hopper_log(source: str, *options: str) -> str:
    """Return the messages of NVRTC about CUDA source that it compiles for sm_90; empty if there are none.

    Raises
    ------
    NoCompiler
        NVRTC or its Python package is not installed.
    """
    try:
        from cuda.bindings import nvrtc

        error, program = nvrtc.nvrtcCreateProgram(source.encode(), b"kernel.cu", 0, [], [])
    except (ImportError, RuntimeError) as missing:
        raise NoCompiler(f"NVRTC (pip install nvidia-cuda-nvrtc cuda-bindings): {missing}") from missing
    if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        return str(error)
    flags = [b"--gpu-architecture=sm_90", *(option.encode() for option in options)]
    (error,) = nvrtc.nvrtcCompileProgram(program, len(flags), flags)
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    # The buffer is written in place. It must not be b" ", because Python has only one object for that: NVRTC once
    # changed all spaces with which numpy.save fills its header to zeros.
    log = bytearray(size)
    nvrtc.nvrtcGetProgramLog(program, log)
    text = log.decode().rstrip("\0")
    return text if error == nvrtc.nvrtcResult.NVRTC_SUCCESS else text or str(error)


def compile_as_cpp(source: str, folder: Path, *options: str, compiler: str = "g++") -> ctypes.CDLL:
    """Compile C++ source in `folder` and return its library, with checks for undefined behaviour if available.

    Raises
    ------
    ValueError
        The source does not compile; the message is the compiler's.
    """
    text, library = folder / "source.cpp", folder / "library.so"
    text.write_text(source)
    plain = [compiler, "-O1", "-shared", "-fPIC", *options, "-o", str(library), str(text)]
    for tried in ([*plain, "-fsanitize=undefined", "-static-libubsan"], plain):
        made = subprocess.run(tried, capture_output=True, text=True)
        if made.returncode == 0:
            return ctypes.CDLL(str(library))
    raise ValueError(made.stderr)
