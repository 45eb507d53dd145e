"""Options of the stencil."""

from __future__ import annotations

from typing import Annotated

import msgspec

from daasbench.authoring import Options


class HaloStencilOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `halo_stencil`.

    Attributes
    ----------
    diffusion
        κ Δt / Δx², dimensionless: the share of a cell that flows to each of its six neighbours per step. Above
        1/6 the scheme is unstable.
    """

    diffusion: Annotated[float, msgspec.Meta(gt=0, le=1 / 6)] = 0.125
