"""DIALS: its dispersion threshold and its pixel labels, in a process of the Python for which it is installed.

DIALS is not a package of this environment: Debian installs it for the system's Python, conda in a separate
environment. `dials_server.py` runs in that Python as a child of this process and ends with it. The frames are copied
once to shared memory, in double precision as DIALS' own spot finder uses them; the mask is returned in shared memory
too. It computes frame after frame with one thread.
"""

from __future__ import annotations

import mmap
import os
import pickle
import shutil
import struct
import subprocess
import tempfile
import weakref
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from daasbench.authoring import DaasbenchError, MissingRequirement, Resources

from ..definition import REACH, FoundSpots

if TYPE_CHECKING:
    from ..problem import Problem

Array = np.ndarray[Any, np.dtype[Any]]

CURE = "apt install dials"
SERVER = Path(__file__).with_name("dials_server.py")
_LENGTH = struct.Struct("<q")
_STRIDE = 61  # step of rows and of pixels that are compared, to find out whether a block has changed


def prepare(problem: Problem, resources: Resources) -> Callable[[Array], FoundSpots]:  # noqa: ARG001  (one thread)
    """Return the function that finds the spots in a block of frames; raise MissingRequirement without DIALS."""
    if problem.criteria.method != "dispersion":
        raise MissingRequirement("DIALS' dispersion threshold has no method 'threshold'", "remove method")
    return Server(find_python(), problem).compute


def find_python() -> list[str]:
    """Return the command of the Python that has DIALS; raise MissingRequirement if there is none."""
    if dispatcher := shutil.which("dials.python"):
        return [dispatcher]
    script = shutil.which("dials.find_spots")
    if script is None:
        raise MissingRequirement("DIALS is not installed (no dials.find_spots is on the PATH)", CURE)
    with open(script, "rb") as file:
        first = file.readline(256).decode(errors="replace").strip()
    if not first.startswith("#!") or "python" not in first:
        raise MissingRequirement(f"{script} does not name the Python that runs it", CURE)
    return first[2:].split()


class Server:
    """The process in which DIALS runs, and the memory that it shares with this process."""

    def __init__(self, python: list[str], problem: Problem) -> None:
        blocks, shape = _different(problem.blocks), problem.blocks[0].shape
        self._blocks = blocks
        self._seen: dict[int, tuple[Array, int, int]] = {}
        # frames, with one slot more than there are blocks, for another block; our mask; the mask of DIALS
        slots, pixels = len(blocks) + 1, int(np.prod(shape))
        descriptor = _shared_memory(slots * pixels * 8 + pixels + problem.mask.size)
        memory = mmap.mmap(descriptor, 0)
        self._frames = np.frombuffer(memory, np.float64, slots * pixels).reshape(slots, *shape)
        self._mask = np.frombuffer(memory, np.uint8, pixels, self._frames.nbytes).reshape(shape)
        good = np.frombuffer(memory, np.uint8, problem.mask.size, self._frames.nbytes + pixels)
        good[:] = ~problem.mask.ravel()
        for slot, block in zip(self._frames, blocks, strict=False):
            slot[:] = block
        self._process = subprocess.Popen(
            [*python, str(SERVER), str(descriptor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[descriptor],
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        )
        os.close(descriptor)
        weakref.finalize(self, _end, self._process)
        limits = problem.criteria
        self._send(
            {
                "shape": shape,
                "slots": slots,
                "reach": REACH,
                "limits": (limits.nsig_b, limits.nsig_s, float(limits.threshold), limits.min_count),
                "sizes": (limits.min_pixels, limits.max_pixels),
            }
        )
        self._answer()

    def compute(self, frames: Array) -> FoundSpots:
        """Return what DIALS finds in a block."""
        self._send(self._slot(frames))
        listed = {name: np.frombuffer(content, kind).copy() for name, (kind, content) in self._answer().items()}
        return FoundSpots(mask=self._mask.copy(), **listed)

    def _slot(self, frames: Array) -> int:
        """Return the slot of the block in the shared memory; copy the block if it is not one of the problem's."""
        mark = zlib.crc32(frames[:, ::_STRIDE, ::_STRIDE].tobytes())
        kept, slot, marked = self._seen.get(id(frames), (None, 0, 0))
        if kept is frames and mark == marked:
            return slot
        for index, block in enumerate(self._blocks):
            if np.array_equal(block, frames):
                self._seen[id(frames)] = (frames, index, mark)  # kept, so that no other array can have its id
                return index
        self._frames[-1] = frames
        return len(self._blocks)

    def _send(self, message: Any) -> None:
        content = pickle.dumps(message, protocol=4)
        assert self._process.stdin is not None
        self._process.stdin.write(_LENGTH.pack(len(content)) + content)
        self._process.stdin.flush()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        head = self._process.stdout.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            code = self._process.wait()
            raise DaasbenchError(
                f"the process that DIALS runs in ended with exit code {code}; see its messages on standard error"
            )
        return pickle.loads(self._process.stdout.read(*_LENGTH.unpack(head)))


def _different(blocks: Sequence[Array]) -> list[Array]:
    """Return the blocks without those that repeat an earlier one: DIALS' memory holds frames once."""
    found: list[Array] = []
    for block in blocks:
        if not any(np.array_equal(block, one) for one in found):
            found.append(block)
    return found


def _shared_memory(size: int) -> int:
    """Return the descriptor of zeroed memory that a child can inherit and that is freed by itself."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("frames")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process by closing its input."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()
