"""Options of a three-dimensional transform."""

from __future__ import annotations

from typing import Literal

from daasbench.authoring import Options


class DistributedFftOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `distributed_fft`.

    Attributes
    ----------
    dtype
        Type of the field and of its spectrum: ``c128``, or ``c64`` with half the memory and half the messages.
    exchange
        How ranks of the implementations ``mpi`` and ``mpi-fftw`` exchange their parts. ``messages``: by
        MPI_Ialltoallw, also between nodes. ``memory``: each rank writes to the memory of the other, which the ranks
        of one node share (MPI_Win_allocate_shared). ``auto``: memory if all ranks are on one node, else messages.
    """

    dtype: Literal["c128", "c64"] = "c128"
    exchange: Literal["auto", "messages", "memory"] = "auto"
