"""Lowest energy of a Heisenberg ring by the Lanczos method, without storing its matrix.

Read `with_numpy.py` first: it has the algorithm. Then read `definition.py` (the exact energy for the verification),
`problem.py` (the inputs) and `oracle.py` (the verification). `with_numba.py`, `with_mpi.py` and `with_cupy.py`
compute the same numbers faster: `layout.py` has the division of the vector into rows and their partition over ranks,
`recurrence.py` the steps that they share. `peers/` has SciPy.
"""

from daasbench.authoring import Card, FolderKernel, Reference, doubling, implementation

from .options import SparseEigenOptions

kernel = FolderKernel(
    name="sparse_eigen",
    folder=__name__,
    card=Card(
        title="Lanczos iterations on a quantum spin ring, matrix-free",
        unit="matrix-vector product",
        verb="computes",
        stands_for="Quanty, EDRIXS, FDMNES and XTLS multiplets; exact diagonalisation (HΦ, QuSpin, SPINPACK)",
        community="X-ray absorption and RIXS spectroscopy, magnetism: sparse matrices that are too large to store",
        method=(
            "H = Σ S_i·S_{i+1} over L sites in a ring (spin 1/2, J = 1), that is L/4 + ½ Σ (P_{i,i+1} - 1) with P "
            "the exchange of two spins. Lanczos: β_j v_{j+1} = (H - α_j) v_j - β_{j-1} v_{j-1}, α_j = v_j·H v_j; the "
            "lowest eigenvalue of the tridiagonal matrix (α, β) is the energy. Vectors f64[2^L]; over ranks, rows "
            "of the vector are exchanged where a bond crosses"
        ),
        leaves_out=(
            "symmetries (all 2^L states are kept), eigenvectors, spectra; orbitals, whose many-body matrices have "
            "more and less regular elements per row. Memory is two vectors in addition to the first, which is not "
            "changed, and 50 MB"
        ),
        tolerance=(
            "1e-10 of each α and β against the reference (one hundred thousand rounding errors): the steps end before "
            "a converged eigenvalue amplifies rounding errors; 1e-6 of the energy against the exact energy of the "
            "Bethe ansatz, and never below it (peers without coefficients are verified by the energy alone)"
        ),
        real_work=(
            "a spectrum of a multiplet takes 100 to 500 products; a map of resonant scattering has 100 to 1000 spectra"
        ),
        literature=(
            Reference(text="Lanczos, J. Res. Natl. Bur. Stand. 45, 255 (1950): the method", doi="10.6028/jres.045.026"),
            Reference(text="Bethe, Z. Phys. 71, 205 (1931): the exact energy", doi="10.1007/BF01341708"),
            Reference(
                text="Karbach, Hu, Müller, Comput. Phys. 12, 565 (1998): Introduction to the Bethe ansatz II",
                doi="10.1063/1.168740",
            ),
            Reference(
                text="Haverkort, Zwierzycki, Andersen, Phys. Rev. B 85, 165113 (2012): Quanty",
                doi="10.1103/PhysRevB.85.165113",
            ),
        ),
    ),
    # steps: enough for the energy (1e-9 and better), few enough that rounding errors have not grown
    sizes={
        "tiny": {"length": 10, "steps": 24},
        "small": {"length": 16, "steps": 40},
        "medium": {"length": 20, "steps": 48},
        "large": {"length": 26, "steps": 64},
    },
    options=SparseEigenOptions,
    judgements={
        "energy_only": "gives the energy but no coefficients: verified by the exact energy alone",
    },
    implementations=[
        implementation("numpy", threads=False, memory_factor=5.0),
        implementation("numba", memory_factor=2.1),
        implementation("cupy", backend="cuda", memory_factor=2.1),
        implementation("mpi", backend="mpi", memory_factor=3.0),
        implementation(
            "scipy",
            ".peers.with_scipy:prepare_eigsh",
            judged_as="energy_only",
            peer=True,
            threads=False,
            requires=("scipy",),
            packages=("scipy",),
            memory_factor=100.0,
            adds=(
                "ARPACK without a restart: the same products; keeps all Lanczos vectors and orthogonalises each new "
                "vector against them; stores the matrix; one thread except for its dense algebra"
            ),
        ),
        implementation(
            "scipy_csr",
            ".peers.with_scipy:prepare_csr",
            peer=True,
            threads=False,
            requires=("scipy",),
            packages=("scipy",),
            memory_factor=25.0,
            adds="the plain recurrence with a stored matrix in compressed rows; one thread",
        ),
    ],
    reads_files=False,
    grows=doubling("length"),
    repeat_tolerance=1e-8,
)
