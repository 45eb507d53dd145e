"""Distributed Fourier transform: a field in slabs over ranks becomes its spectrum, in slabs along another axis.

Read `slabs.py` first: it describes how a field is divided, and what each rank computes alone. Then read `with_mpi.py`
(the exchange), `atoms.py` (fields whose spectrum is known exactly), `problem.py` and `oracle.py`. `peers/` holds
adapters for the packages that the kernel is compared with.
"""

from daasbench.authoring import Card, FolderKernel, Reference, edge, implementation

from .options import DistributedFftOptions

kernel = FolderKernel(
    name="distributed_fft",
    folder=__name__,
    card=Card(
        title="Three-dimensional Fourier transform of a field in slabs over ranks",
        unit="transform",
        verb="computes",
        stands_for="FFTW-MPI, heFFTe, P3DFFT, mpi4py-fft; the transforms of Bragg CDI, WOFRY, SRW and plane-wave codes",
        community=(
            "coherent three-dimensional imaging, wavefront propagation, electronic structure: fields that need "
            "the memory of several nodes and the full bandwidth of their network"
        ),
        method=(
            "F(k) = Σ_r f(r) exp(-2πi k·r / N): each rank transforms its planes along y and x, sends rows ky to the "
            "rank that owns them, and transforms lines along z. The spectrum remains transposed in memory, divided "
            "along ky. 5 N³ log2 N³ flop; each of P ranks sends 16 N³ / P (P - 1) / P bytes (c64: half). Work counts "
            "the messages of two ranks"
        ),
        leaves_out="pencils (of more ranks than planes, some are idle), real fields, the inverse, reading of files",
        tolerance=(
            "1e-12 rms of the known spectrum (c64: 2e-6): rounding grows as √log N and is about 2e-15 (2e-7); Parseval "
            "within the same. A wrong sign, order or plane gives an error of order 1"
        ),
        real_work=(
            "a Bragg CDI reconstruction is 1000 to 10 000 transforms of 256³ to 1024³; a plane-wave code's step "
            "transforms each of 100 to 10 000 bands"
        ),
        literature=(
            Reference(
                text="Frigo, Johnson, Proc. IEEE 93, 216 (2005): FFTW",
                doi="10.1109/JPROC.2004.840301",
            ),
            Reference(
                text="Dalcin, Mortensen, Keyes, J. Parallel Distrib. Comput. 128, 137 (2019): mpi4py-fft's method",
                doi="10.1016/j.jpdc.2019.02.006",
            ),
            Reference(
                text="Pekurovsky, SIAM J. Sci. Comput. 34, C192 (2012): P3DFFT",
                doi="10.1137/11082748X",
            ),
        ),
    ),
    sizes={
        "tiny": {"size": 18},
        "small": {"size": 128},
        "medium": {"size": 256},
        "large": {"size": 512},
    },
    options=DistributedFftOptions,
    reads_files=False,
    grows=edge("size", 3, smooth=True),
    repeat_tolerance=1e-5,
    implementations=[
        implementation("numpy", threads=False, memory_factor=2.0),
        implementation("scipy", memory_factor=2.0),
        implementation(
            "fftw",
            overwrites_result=True,
            requires=("pyfftw",),
            packages=("pyfftw",),
            extra="fftw",
        ),
        implementation("cupy", backend="cuda", memory_factor=2.0),
        implementation(
            "mpi",
            backend="mpi",
            requires=("mpi4py",),
        ),
        implementation(
            "mpi-fftw",
            ".with_mpi:prepare_fftw",
            backend="mpi",
            requires=("mpi4py", "pyfftw"),
            packages=("mpi4py", "pyfftw"),
            extra="mpi,fftw",
        ),
        implementation(
            "mpi4py-fft",
            backend="mpi",
            peer=True,
            requires=("mpi4py", "mpi4py_fft"),
            packages=("mpi4py-fft",),
            extra="peers-built",
            memory_factor=2.0,
            adds="nothing: also divides into slabs and plans by FFTW_MEASURE",
        ),
    ],
)
