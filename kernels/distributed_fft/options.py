"""What a user may say of a three-dimensional transform."""

from __future__ import annotations

from typing import Literal

from daasbench.authoring import Options


class DistributedFftOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `distributed_fft`.

    Attributes
    ----------
    dtype
        Of the field and of its spectrum: ``c128``, or ``c64`` with half the memory and half the messages.
    exchange
        How ranks of the ways ``mpi`` and ``mpi-fftw`` hand each other their parts. ``messages``: by MPI_Ialltoallw,
        between nodes too. ``memory``: each writes where the other will read, in memory that the ranks of one node
        share (MPI_Win_allocate_shared). ``auto``: memory where all ranks are on one node.
    """

    dtype: Literal["c128", "c64"] = "c128"
    exchange: Literal["auto", "messages", "memory"] = "auto"
