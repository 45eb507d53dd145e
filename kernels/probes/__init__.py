"""The machine itself: how fast it can compute, store, copy, send messages and start programs at most.

Read `problem.py` first: what each probe computes, and `oracle.py` how its result is judged; for storage, messages and
starts that is in `storage.py`, `messages.py` and `starts.py`. `with_numpy.py` is the plain implementation,
`with_numba.py` the fastest that we know for numbers, on loops of `with_llvm.py` and ``daasbench.compute``;
`with_system.py` has files and processes, `with_mpi.py` messages, `with_cupy.py` the GPU. `limits.py` measures with the
loops of numbers what every other kernel's figure is divided by, in every job; `rank_limits.py` the same of messages,
on request.
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
        title="The machine itself: memory, arithmetic, storage, messages, copies to a GPU, starts",
        unit="GB, Gflop, message, operation or start",
        units="GB, Gflop, messages, operations or starts",
        stands_for="STREAM, OSU micro-benchmarks, fio; the limits that every kernel is divided by",
        community="whoever wants to know what a figure could have been on the same machine",
        method=(
            "triad: a = b + 3 c in float64, 24 bytes an element as STREAM counts, stores past the cache, so that "
            "nothing else moves; read: Σ b, 8 bytes an element; matmul: C = A B, 2 n³ flop; fft: complex float32 "
            "transforms of 1024 points, sixteen side by side, 5 n log₂ n flop each. storage: random bytes to a new "
            "file until fsync returns, and back, from the page cache or (cold) past it. copy: pinned host memory to "
            "a GPU's, or back. mpi_latency: half of a round trip between the first rank and the last; mpi_bandwidth: "
            "sixteen messages at once from one to the other; mpi_allreduce: a sum over all ranks; mpi_alltoall: a "
            "message from each rank to each. start: fork, exec, an answer of one line, exit; alone, in a user "
            "namespace, in a bubblewrap sandbox, in a podman container, of Python, of Python with a library"
        ),
        leaves_out=(
            "caches, metadata and small files, file servers under load; caches of a disk, a hypervisor or a file "
            "server, which a cold read may still find warm; the pulling of images; and whatever a real program does "
            "in between"
        ),
        tolerance=(
            "none for triad, read and matrix products: the inputs are whole numbers, so that every order of "
            "summation gives the same; fft: 5 log₂ n rounding errors, in norm. None for bytes that were stored or "
            "copied, for messages (weighted sums of whole numbers, on every rank that receives), for the answers of "
            "started processes (the name of their namespace, of the library)"
        ),
        real_work=(
            "a STREAM run reads and writes some 10 GB; a tomogram is 10 to 100 GB of files; a workflow of 1000 "
            "frames with a process each has 1000 starts"
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
            adds="matrix products are those of the BLAS that numpy links",
        ),
        implementation(
            "system", overwrites_result=True, adds="files past the page cache, a stream a thread; processes"
        ),
        implementation("cupy", overwrites_result=True, backend="cuda"),
        implementation("mpi", backend="mpi", requires=("mpi4py",)),
        implementation(
            "mpi4py_bench",
            backend="mpi",
            peer=True,
            requires=("mpi4py",),
            adds="between ranks 0 and 1; reads its options and two clocks a message; what it sends is not looked at",
        ),
    ],
    reads_files=False,
    repeat_tolerance=None,  # the oracle looks at every repeat; results lie in memory that is used again
)
