"""What can be chosen of the probes."""

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
    """What can be chosen of the probes.

    Attributes
    ----------
    probe
        What is measured: ``triad`` and ``read`` (memory), ``matmul_float32``, ``matmul_float64`` and
        ``fft_float32`` (arithmetic); ``storage_write``, ``storage_read`` (again, from the page cache) and
        ``storage_read_cold``; ``copy_to_device`` and ``copy_from_device`` (pinned host memory and a GPU's);
        ``mpi_latency``, ``mpi_bandwidth``, ``mpi_allreduce`` and ``mpi_alltoall`` (two ranks or more);
        ``start_process``, ``start_user_namespace``, ``start_bwrap``, ``start_podman``, ``start_python`` and
        ``import_library`` (seconds until a fresh process has done next to nothing and ended).
    folder
        Where the storage probes write; ``""``: the system's folder for temporary files ($TMPDIR). Files have no
        name there, or lose it at once: nothing stays behind.
    message_bytes
        Of one message, a multiple of 8; None: 8 for ``mpi_latency``, else that of the size. For
        ``mpi_allreduce`` the vector of a rank, for ``mpi_alltoall`` what each rank sends to each.
    library
        What ``import_library`` imports.
    image
        What ``start_podman`` runs; ``""``: this system's own root, under an overlay, so that none is downloaded.
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
    """Raise Lacking if `implementation` has no such probe, naming those that do."""
    implementations = next(
        implementations for family, implementations in _IMPLEMENTATIONS.items() if probe in get_args(family)
    )
    implementations += ("mpi4py_bench",) if probe == "mpi_latency" else ()
    if implementation not in implementations:
        raise MissingRequirement(
            f"{implementation} has no probe {probe!r}", f"it is measured by {' and '.join(implementations)}"
        )
