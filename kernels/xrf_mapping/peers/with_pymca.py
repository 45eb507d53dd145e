"""PyMca: the fit step of its fast linear fit, with or without its SNIP, with the matrix of this kernel.

``FastXRFLinearFit.fitMultipleSpectra`` builds its own matrix from a configuration and then calls the two methods
used here (PyMca5 5.9). Here they get the matrix of this kernel, so that the same fit is computed and the set-up of
PyMca is not timed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PyMca5.PyMcaPhysics.xrf.FastXRFLinearFit import FastXRFLinearFit

from daasbench.authoring import MissingRequirement, Resources

if TYPE_CHECKING:
    from ..problem import Problem

F32 = NDArray[np.float32]


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], F32]:  # noqa: ARG001  (BLAS has its threads)
    """Return the function that turns spectra into areas."""
    if problem.method == "nnls":
        raise MissingRequirement(
            "PyMca's fast fit has no NNLS", fix="use method linear or snip, or the implementation scipy"
        )
    fit: Any = FastXRFLinearFit()
    model = problem.model
    components = len(model.names)
    configuration = {
        "fit": {
            "stripflag": int(problem.method == "snip"),
            "stripfilterwidth": 1,
            "snipwidth": problem.snip_width,
        }
    }

    def compute(spectra: Any) -> F32:
        areas = np.empty((components, len(spectra)), np.float32)
        fit._fitLstSqAll(
            data=spectra,
            sliceChan=slice(model.first, model.last),
            mcaIndex=-1,
            derivatives=model.matrix,
            results=areas,
            uncertainties=np.empty_like(areas),
            config=configuration,
            anchorslist=[],
            lstsq_kwargs={"svd": True, "sigma_b": None, "weight": 0},
        )
        return np.ascontiguousarray(areas.T)

    return compute
