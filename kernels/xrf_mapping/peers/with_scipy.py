"""scipy: `lstsq` of all spectra together, or `nnls` of one spectrum after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from daasbench.authoring import MissingRequirement, Resources

if TYPE_CHECKING:
    from ..problem import Problem

F32 = NDArray[np.float32]

_SPECTRA = 8192  # at a time, which bounds the memory

_lstsq: Any = linalg.lstsq  # untyped
_nnls: Any = optimize.nnls


def prepare(problem: Problem, resources: Resources) -> Callable[[Any], F32]:  # noqa: ARG001  (BLAS has its threads)
    """Return the function that turns spectra into areas.

    `nnls` needs one call per spectrum; its columns are scaled to length one, because it then converges best.
    """
    model = problem.model
    fitted = slice(model.first, model.last)
    unit = model.matrix / model.norms
    if problem.method == "snip":
        raise MissingRequirement("scipy has no SNIP", fix="use method linear or nnls, or the implementation pymca")

    def compute(spectra: Any) -> F32:
        areas = np.empty((len(spectra), len(model.names)), np.float32)
        if problem.method == "nnls":
            for place, spectrum in zip(areas, spectra, strict=True):
                place[:] = _nnls(unit, spectrum[fitted].astype(np.float64))[0] / model.norms
            return areas
        for start in range(0, len(spectra), _SPECTRA):
            chunk = slice(start, start + _SPECTRA)
            areas[chunk] = _lstsq(model.matrix, spectra[chunk, fitted].T.astype(np.float64))[0].T
        return areas

    return compute
