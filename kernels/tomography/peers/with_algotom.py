"""algotom: filter by numpy, back-projection by numba with threads over the angles.

The threads add to one image without a lock (algotom 1.7, ``back_projection_cpu``). An addition of one thread between
the read and the write of another thread is lost. Measured with 2 threads at 512 pixels and 720 angles: 6 to 8e-4 rms
of the volume, single pixels up to 9 % of the maximum, different pixels in every repeat. The oracle, whose tolerance
allows for algotom's padding, cannot detect this. The harness detects it when a block is computed again; the record is
`wrong`. With one thread no addition is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numba
import numpy as np
from algotom.rec import reconstruction
from numpy.typing import NDArray

from daasbench.authoring import Resources

if TYPE_CHECKING:
    from ..problem import Problem

F32 = NDArray[np.float32]

_MOST_PADDING, _PADDING = 150, 0.15  # algotom's own choice, in pixels and as a fraction of the detector


def prepare(problem: Problem, resources: Resources) -> Callable[[F32], F32]:
    """Return the function that turns a block of sinograms into a volume; the ramp is made beforehand."""
    numba.set_num_threads(resources.threads)
    _, angles, detector = problem.blocks[0].shape
    padding = min(int(_PADDING * detector), _MOST_PADDING)
    ramp = reconstruction.make_2d_ramp_window(angles, detector + 2 * padding)

    def compute(sinograms: F32) -> F32:
        volume = reconstruction.fbp_reconstruction(
            sinograms.transpose(1, 0, 2),
            problem.centre,
            angles=-problem.angles,  # its rows are in reverse order
            ratio=None,
            ramp_win=ramp,
            filter_name=None,
            pad=padding,
            pad_mode="constant",
            apply_log=False,
            gpu=False,
            ncore=resources.threads,
        )
        return np.ascontiguousarray(volume.transpose(1, 0, 2), np.float32)

    return compute
