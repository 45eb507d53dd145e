"""h5py with hdf5plugin, the usual reader. The file image is opened in memory; frames are read into the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from daasbench.authoring import Resources

from .. import hdf5_library
from ..recycled import Recycled

if TYPE_CHECKING:
    from ..problem import Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], Any]:  # noqa: ARG001  (the library has a lock)
    """Return ``compute(block)``."""
    if problem.direction == "write":
        return hdf5_library.pack
    memory = Recycled()
    return lambda image: hdf5_library.unpack(image, "the block", memory)
