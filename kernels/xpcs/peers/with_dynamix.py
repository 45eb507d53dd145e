"""dynamix (ESRF): its dense correlator for CPUs, a matrix product of all frames of a ring.

Its other correlators are for OpenCL devices, except one with FFTW, which needs most of a minute for the plans of the
size `small` and then takes twice as long.
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
    warnings.simplefilter("ignore")  # of pyopencl, if there is no OpenCL
    from dynamix.correlator.dense import MatMulCorrelator

if TYPE_CHECKING:
    from ..problem import Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[NDArray[np.uint16]], F64]:  # noqa: ARG001  (BLAS has them)
    """Return the function that turns a block of frames into g2, f64[lags, q].

    It computes g2 at every lag; the averages of the multi-tau levels are computed afterwards in negligible time.
    """
    correlator = MatMulCorrelator(problem.labels.shape, problem.frames, qmask=problem.labels)
    correlator.bins = np.arange(1, problem.rings + 1)  # it ignores the lowest label, even if that is not 0
    correlator.n_bins = problem.rings

    def compute(frames: NDArray[np.uint16]) -> F64:
        every_lag = correlator.correlate(frames).T.astype(np.float64)
        return level_averages(every_lag, problem.schedule)

    return compute
