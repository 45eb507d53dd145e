"""Probes measure the limits of a machine: how fast it can compute, store, copy, send messages and start programs.

Read `problem.py` first: it says what each probe computes; `oracle.py` says how its result is verified. For storage,
messages and starts, both are in `storage.py`, `messages.py` and `starts.py`. `with_numpy.py` is the plain
implementation. `with_numba.py` is the fastest implementation of the arithmetic and memory probes, with loops of
`with_llvm.py` and ``daasbench.compute``. `with_system.py` has files and processes, `with_mpi.py` has messages, and
`with_cupy.py` has the GPU. With these loops `limits.py` measures, in every job, the machine's limits, by which the
throughput of every other kernel is divided. `rank_limits.py` measures the limits of messages on request.
"""

from typing import Any

from daasbench.authoring import Card, FolderKernel, Limit, Reference, implementation

from .options import ProbesOptions


class ProbesKernel(FolderKernel):
    """The probes, which also measure a machine's limits."""

    def measure_limits(self, threads: int, *, seconds: float = 0.4) -> tuple[dict[str, Limit], dict[str, str]]:
        """See :func:`daasbench.kernels.probes.limits.measure_limits`."""
        from .limits import measure_limits

        return measure_limits(threads, seconds=seconds)

    def measure_rank_limits(self, comm: Any, *, seconds: float = 0.2) -> tuple[dict[str, Limit], dict[str, str]]:
        """See :func:`daasbench.kernels.probes.rank_limits.measure_rank_limits`; every rank calls it."""
        from .rank_limits import measure_rank_limits

        return measure_rank_limits(comm, seconds=seconds)


kernel = ProbesKernel(
    name="probes",
    folder=__name__,
    card=Card(
        title="Limits of the machine: memory, arithmetic, storage, messages, copies to a GPU, process starts",
        unit="GB, Gflop, message, operation or start",
        units="GB, Gflop, messages, operations or starts",
        stands_for="STREAM, OSU micro-benchmarks, fio; the limits with which every kernel is compared",
        community="users who compare a measured throughput with the limit of the same machine",
        method=(
            "triad: a = b + 3 c in float64, 24 bytes per element as STREAM counts, with non-temporal stores, so that "
            "no other data are moved; read: Σ b, 8 bytes per element; matmul: C = A B, 2 n³ flop; fft: complex "
            "float32 transforms of 1024 points, sixteen side by side, 5 n log₂ n flop each. storage: random bytes "
            "are written to a new file until fsync returns, and read back from the page cache or, cold, past it. copy: "
            "pinned host memory to GPU memory, or back. mpi_latency: half of a round trip between the first rank and "
            "the last; mpi_bandwidth: sixteen simultaneous messages from the first rank to the last; mpi_allreduce: a "
            "sum over all ranks; mpi_alltoall: a message from each rank to each. start: fork, exec, an answer of one "
            "line and exit, for a plain process, in a user namespace, in a bubblewrap sandbox, in a podman container, "
            "for Python, and for Python that imports a library"
        ),
        leaves_out=(
            "caches, metadata and small files, file servers under load; caches of a disk, a hypervisor or a file "
            "server, from which a cold read may still be served; the download of container images; everything that a "
            "real program does between these operations"
        ),
        tolerance=(
            "none for triad, read and matrix products: the inputs are whole numbers, so that every order of "
            "summation gives the same result; fft: 5 log₂ n rounding errors, in norm. None for bytes that were stored "
            "or copied, for messages (weighted sums of whole numbers, on every rank that receives), for the answers of "
            "started processes (the name of their namespace, of the library)"
        ),
        real_work=(
            "a STREAM run reads and writes some 10 GB; a tomogram is 10 to 100 GB of files; a workflow of 1000 "
            "frames with one process per frame has 1000 starts"
        ),
        literature=(
            Reference(text="McCalpin, IEEE TCCA Newsletter, 19 (1995): STREAM"),
            Reference(text="Williams et al., Commun. ACM 52, 65 (2009): Roofline", doi="10.1145/1498765.1498785"),
            Reference(
                text="Freivalds, LNCS 74, 57 (1979): fast probabilistic algorithms", doi="10.1007/3-540-09526-8_5"
            ),
        ),
    ),
    # the repeats rotate over as many blocks as exceed the last-level cache, however large it is
    sizes={
        "tiny": {
            **{"elements": 10_007, "side": 65, "groups": 3},
            **{"storage_bytes": 2**20 + 4099, "message": 1000, "exchanges": 20, "starts": 2},
        },
        "small": {
            **{"elements": 2**23, "side": 2048, "groups": 2**8},
            **{"storage_bytes": 2**28, "message": 2**17, "exchanges": 10_000, "starts": 5},
        },
        "medium": {
            **{"elements": 2**27, "side": 8192, "groups": 2**12},
            **{"storage_bytes": 2**32, "message": 2**20, "exchanges": 100_000, "starts": 20},
        },
    },
    options=ProbesOptions,
    implementations=[
        implementation("numpy", threads=False, memory_factor=4.0),
        implementation(
            "numba",
            overwrites_result=True,
            packages=("numba",),
            adds="matrix products by the BLAS library of numpy",
        ),
        implementation(
            "system", overwrites_result=True, adds="files past the page cache, one stream per thread; processes"
        ),
        implementation("cupy", overwrites_result=True, backend="cuda"),
        implementation("mpi", backend="mpi", requires=("mpi4py",)),
        implementation(
            "mpi4py_bench",
            backend="mpi",
            peer=True,
            requires=("mpi4py",),
            adds="between ranks 0 and 1; reads its options and two clocks per message; does not check the messages",
        ),
    ],
    reads_files=False,
    repeat_tolerance=None,  # the oracle verifies every repeat; results are in memory that is used again
)
