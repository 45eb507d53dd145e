"""Options of the kernel `probes`."""

from typing import Annotated, Literal, get_args

import msgspec

from daasbench.authoring import MissingRequirement, Options

Numbers = Literal["triad", "read", "matmul_float32", "matmul_float64", "fft_float32"]
Storage = Literal["storage_write", "storage_read", "storage_read_cold"]
Copies = Literal["copy_to_device", "copy_from_device"]
Messages = Literal["mpi_latency", "mpi_bandwidth", "mpi_allreduce", "mpi_alltoall"]
StartStates = Literal[
    "start_process", "start_user_namespace", "start_bwrap", "start_podman", "start_python", "import_library"
]
Probe = Literal[Numbers, Storage, Copies, Messages, StartStates]


class ProbesOptions(Options, frozen=True, kw_only=True):
    """Options of the kernel `probes`.

    Attributes
    ----------
    probe
        What is measured: ``triad`` and ``read`` (memory), ``matmul_float32``, ``matmul_float64`` and
        ``fft_float32`` (arithmetic); ``storage_write``, ``storage_read`` (again, from the page cache) and
        ``storage_read_cold``; ``copy_to_device`` and ``copy_from_device`` (pinned host memory and a GPU's);
        ``mpi_latency``, ``mpi_bandwidth``, ``mpi_allreduce`` and ``mpi_alltoall`` (two ranks or more);
        ``start_process``, ``start_user_namespace``, ``start_bwrap``, ``start_podman``, ``start_python`` and
        ``import_library`` (seconds until a new process that does nothing else has ended).
    folder
        Folder in which the storage probes write; ``""``: the system's folder for temporary files ($TMPDIR). The
        files have no name, or lose it at once, so that no file remains.
    message_bytes
        Bytes of one message, a multiple of 8; None: 8 for ``mpi_latency``, otherwise the value of the size. For
        ``mpi_allreduce``: the vector of a rank; for ``mpi_alltoall``: the message from each rank to each.
    library
        The library that ``import_library`` imports.
    image
        The image that ``start_podman`` runs; ``""``: this system's own root under an overlay, without a download.
    """

    probe: Probe = "triad"
    folder: str = ""
    message_bytes: Annotated[int, msgspec.Meta(ge=8, multiple_of=8)] | None = None
    library: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")] = "numpy"
    image: str = ""


_IMPLEMENTATIONS: dict[object, tuple[str, ...]] = {
    Numbers: ("numpy", "numba", "cupy"),
    Storage: ("numpy", "system"),
    Copies: ("cupy",),
    Messages: ("mpi",),
    StartStates: ("system",),
}


def require_implementation(probe: str, implementation: str) -> None:
    """Raise MissingRequirement if `implementation` does not have the probe; the message names those that have it."""
    implementations = next(
        implementations for family, implementations in _IMPLEMENTATIONS.items() if probe in get_args(family)
    )
    implementations += ("mpi4py_bench",) if probe == "mpi_latency" else ()
    if implementation not in implementations:
        raise MissingRequirement(f"{implementation} has no probe {probe!r}", f"use {' or '.join(implementations)}")
