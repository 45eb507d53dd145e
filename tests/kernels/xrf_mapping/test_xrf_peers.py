"""The production packages find the same areas if they compute the same fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from daasbench.kernels.xrf_mapping import kernel, oracle, with_numba, with_numpy

from daasbench.contracts import Resources
from daasbench.errors import MissingRequirement

MODULES = {"pymca": "PyMca5", "scipy": "scipy"}


@pytest.mark.parametrize(
    ("peer", "method"), [("pymca", "linear"), ("pymca", "snip"), ("scipy", "linear"), ("scipy", "nnls")]
)
def test_a_peer_is_right_by_the_same_oracle(
    needs: Any, generated: Any, compute: Any, verdict: Any, peer: str, method: str
) -> None:
    needs(MODULES[peer])
    problem = generated(20, 25, method=method)
    theirs, ours = compute(problem, peer), compute(problem, "numba")
    found = verdict(problem, theirs, peer)
    assert found.ok, found
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * theirs.max())


@pytest.mark.parametrize(("peer", "method"), [("pymca", "nnls"), ("scipy", "snip")])
def test_what_a_peer_cannot_compute_is_reported(needs: Any, generated: Any, peer: str, method: str) -> None:
    needs(MODULES[peer])
    with pytest.raises(MissingRequirement, match="method"):
        kernel.implementations[peer].load()(generated(method=method), Resources())


def test_snip_is_pymca_s(needs: Any, generated: Any) -> None:
    needs("PyMca5")
    from PyMca5.PyMcaMath.fitting import SpecfitFuns

    spectra = generated(3, 4, 2048).blocks[0]
    theirs = np.array([SpecfitFuns.snip1d(spectrum.astype(np.float64), 20, 0).ravel() for spectrum in spectra])
    for ours in (
        with_numba.background_of(spectra, 20),
        with_numpy.snip(spectra.astype(np.float64), 20),
        [oracle.snip_of(spectrum, 20) for spectrum in spectra],
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-6 * theirs.max())


def test_every_implementation_names_what_it_needs() -> None:
    for implementation in kernel.implementations.values():
        if implementation.peer or implementation.backend == "cuda":
            assert implementation.requires
    assert kernel.implementations["pymca"].fix == "pip install 'daasbench[peers]'"
