"""dynamix (ESRF): its dense correlator for processors, a matrix product of all frames of a ring with all.

Its other correlators are for OpenCL devices; but for one by FFTW, which plans for most of a minute before the size
`small` and then takes twice as long.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from ..definition import F64, level_averages

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pyopencl, where there is no OpenCL
    from dynamix.correlator.dense import MatMulCorrelator

if TYPE_CHECKING:
    from ..problem import Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[NDArray[np.uint16]], F64]:  # noqa: ARG001  (BLAS has them)
    """Return the function that turns a block of frames into g2, f64[lags, q].

    It knows g2 at every lag; what the levels of multi-tau see of it is averaged afterwards, which takes no time.
    """
    correlator = MatMulCorrelator(problem.labels.shape, problem.frames, qmask=problem.labels)
    correlator.bins = np.arange(1, problem.rings + 1)  # it leaves the lowest label out, also where that is not 0
    correlator.n_bins = problem.rings

    def compute(frames: NDArray[np.uint16]) -> F64:
        every_lag = correlator.correlate(frames).T.astype(np.float64)
        return level_averages(every_lag, problem.schedule)

    return compute
