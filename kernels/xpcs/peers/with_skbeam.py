"""scikit-beam: `multi_tau_auto_corr`, frame by frame in one thread; its convention is that of the kernel."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import Resources

from ..definition import CHANNELS, F64

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of packages that it imports
    from skbeam.core.correlation import multi_tau_auto_corr

if TYPE_CHECKING:
    from ..problem import Problem


def prepare(problem: Problem, resources: Resources) -> Callable[[NDArray[np.uint16]], F64]:  # noqa: ARG001  (one thread)
    """Return the function that turns a block of frames into g2, f64[lags, q].

    It returns every lag of a level, also those without a pair. It stops at the lag at which a ring has had no photon;
    the following values of g2 are set to 0.
    """
    schedule = problem.schedule
    at = np.where(schedule.level > 0, schedule.level * CHANNELS // 2, 0) + schedule.channel

    def compute(frames: NDArray[np.uint16]) -> F64:
        found, _ = multi_tau_auto_corr(len(schedule.rows), CHANNELS, problem.labels, frames)
        g2 = np.zeros((schedule.lags.size, problem.rings))
        kept = at < len(found)
        g2[kept] = found[at[kept]]
        return g2

    return compute
