"""The machine itself: how fast it can read, stream, multiply and transform at most.

Read `problem.py` first: what each probe computes and how its result is judged. `with_numpy.py` is the plain
way, `with_numba.py` the fastest that we know, on loops of `with_llvm.py` and `transform.py`; `limits.py`
measures with the same loops what every other kernel's figure is divided by.
"""

from daasbench.authoring import FolderKernel, way
from daasbench.contracts import Card, Reference
from daasbench.model import Limit

from .options import ProbesOptions

_HERE = "daasbench.kernels.probes"


class ProbesKernel(FolderKernel):
    """The probes, which also measure a machine's limits."""

    def measure_limits(self, threads: int, *, seconds: float = 0.4) -> tuple[dict[str, Limit], dict[str, str]]:
        """See :func:`daasbench.kernels.probes.limits.measure_limits`."""
        from .limits import measure_limits

        return measure_limits(threads, seconds=seconds)


kernel = ProbesKernel(
    name="probes",
    card=Card(
        title="The machine itself: memory, matrix product, Fourier transform",
        unit="GB or Gflop",
        stands_for="STREAM; the limits that every kernel is divided by",
        community="whoever wants to know what a figure could have been on the same machine",
        method=(
            "triad: a = b + 3 c in float64, 24 bytes an element as STREAM counts, stores past the cache, so that "
            "nothing else moves; read: Σ b, 8 bytes an element; matmul: C = A B, 2 n³ flop; fft: complex float32 "
            "transforms of 1024 points, sixteen side by side, 5 n log₂ n flop each"
        ),
        leaves_out="latency, caches, storage, the network, and whatever a real program does in between",
        tolerance=(
            "none for triad, read and matrix products: the inputs are whole numbers, so that every order of "
            "summation gives the same; fft: 5 log₂ n rounding errors, in norm"
        ),
        real_work="a STREAM run reads and writes some 10 GB",
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
        "tiny": {"elements": 10_007, "side": 65, "groups": 3},
        "small": {"elements": 2**23, "side": 2048, "groups": 2**8},
        "medium": {"elements": 2**27, "side": 8192, "groups": 2**12},
    },
    options=ProbesOptions,
    problem=f"{_HERE}.problem",
    ways=[
        way("numpy", f"{_HERE}.with_numpy:prepare", threads=False, memory_factor=4.0),
        way(
            "numba",
            f"{_HERE}.with_numba:prepare",
            packages=("numba",),
            adds="matrix products are those of the BLAS that numpy links",
        ),
    ],
    reads_files=False,
    repeat_tolerance=None,  # the oracle looks at every repeat; results lie in memory that is used again
)
