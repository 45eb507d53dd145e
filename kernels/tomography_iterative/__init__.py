"""Iterative tomography: slices from sinograms by SIRT, for too few angles for filtered back-projection.

Read `definition.py` first: it defines the projector and the iteration; `with_numpy.py` has their plain code. Then
read `problem.py` (the inputs), `oracle.py` (the verification) and `phantom.py` (an object known exactly). The other
``with_*.py`` compute the same numbers faster; `peers/` has the packages for comparison.
"""

from daasbench.authoring import Card, FolderKernel, Reference, along, implementation

from .options import IterativeOptions

kernel = FolderKernel(
    name="tomography_iterative",
    folder=__name__,
    card=Card(
        title="Iterative reconstruction (SIRT) of limited-angle tomograms",
        unit="slice·iteration",
        verb="computes",
        stands_for="ASTRA, TomoPy (SIRT by ASTRA), Tomviz, IMOD's SIRT, tomographic parts of Savu",
        community=(
            "laminography, in-situ and electron tomography, fluorescence tomography: few angles, a missing wedge, noise"
        ),
        method=(
            "x ← x + C Aᵀ R (y - A x) from 0, R and C the inverses of the sums of rows and columns of A; A is "
            "Joseph's projector: max(0, 1 - |t - k| / m) / m for pixel at detector position t = x cos θ + y sin θ + c "
            "and ray k, m = max(|cos θ|, |sin θ|); |y - A x| of each slice at each iteration. 2 N² Nθ updates of two "
            "FMA per slice and iteration"
        ),
        leaves_out=(
            "positivity and other constraints, ordered subsets, regularisation; cone beams; flats and darks. The "
            "memory, in addition to inputs and results, is that of sixteen slices: 64 (N² + N Nθ) bytes and 60 MB"
        ),
        tolerance=(
            "1e-4 rms of the reference in float64, of a random combination of all slices (SIRT is linear) and of the "
            "residuals of a randomly drawn slice; the error against the known object within 0.5 % of the reference's. "
            "Peers: 5e-3 rms, and the same 0.5 %"
        ),
        real_work="500 to 2000 slices of 1024 to 2048 pixels squared, 100 to 700 angles, 30 to 200 iterations each",
        literature=(
            Reference(text="Gilbert, J. Theor. Biol. 36, 105 (1972): SIRT", doi="10.1016/0022-5193(72)90180-4"),
            Reference(
                text="Gregor, Benson, IEEE Trans. Med. Imaging 27, 918 (2008): its convergence",
                doi="10.1109/TMI.2008.923696",
            ),
            Reference(
                text="Joseph, IEEE Trans. Med. Imaging 1, 192 (1982): the projector",
                doi="10.1109/TMI.1982.4307572",
            ),
            Reference(
                text="van Aarle et al., Opt. Express 24, 25129 (2016): the ASTRA toolbox",
                doi="10.1364/OE.24.025129",
            ),
        ),
    ),
    sizes={
        "tiny": {"slices": 5, "angles": 24, "detector": 32},
        "small": {"slices": 16, "angles": 60, "detector": 128},
        "medium": {"slices": 16, "angles": 180, "detector": 512},
        "large": {"slices": 32, "angles": 360, "detector": 1024},
    },
    options=IterativeOptions,
    grows=along("slices"),
    judgements={
        "no_residuals": "gives no residuals, and treats float32 and corners differently: 5e-3 of the reference",
    },
    implementations=[
        implementation("numpy", threads=False, memory_factor=8.0),
        implementation("numba", memory_factor=2.0),
        implementation("cupy", backend="cuda", memory_factor=2.0),
        implementation("mpi", backend="mpi", memory_factor=2.0),
        implementation("dask", backend="dask", memory_factor=2.0),
        implementation(
            "astra",
            judged_as="no_residuals",
            peer=True,
            threads=False,
            requires=("astra",),
            packages=("astra-toolbox",),
            extra="peers-gpl",
            memory_factor=2.0,
            adds="computes the sums of rows and columns again for every slice; gives no residuals; one thread",
        ),
    ],
)
