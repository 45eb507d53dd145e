"""X-ray photon correlation spectroscopy: the correlation function g2 of a series of speckle frames.

Read `with_numpy.py` first: it has the algorithm, and `definition.py` has the lags and sums of multi-tau. Then read
`problem.py` (the inputs), `oracle.py` (the verification), `speckle.py` (a sample whose dynamics are known) and
`readers.py` (real series). The other ``with_*.py`` compute the same numbers faster; `peers/` has the packages for
comparison.
"""

from daasbench.authoring import Card, FolderKernel, Reference, implementation

from .options import XpcsOptions

kernel = FolderKernel(
    name="xpcs",
    folder=__name__,
    card=Card(
        title="Multi-tau correlation of speckle frames (XPCS)",
        unit="pixel·frame",
        verb="correlates",
        stands_for="scikit-beam, dynamix, boost-corr, XPCS-Eigen, pyXPCS",
        community="dynamics of soft matter, glasses, alloys and biological fluids at coherent beamlines",
        method=(
            "g2(q, k) = <I(p, t) I(p, t + k)> / (<I(p, t)> <I(p, t + k)>), averaged over the pixels p of a ring q and "
            "over all pairs of rows with this lag, normalised symmetrically; multi-tau: lags of 0 to 7 frames, then 4 "
            "to 7 rows of 2^l frames, each level averaging the pairs of the one before. 12 FMA per pixel and frame"
        ),
        leaves_out=(
            "flat field and dark, correction of the beam's intensity, two-time correlation, errors and fits; "
            "event lists of sparse frames, in which most pixels have no photon: this kernel reads every count"
        ),
        tolerance=(
            "1e-6 absolute of the definition in double precision, with which scikit-beam agrees to 1e-12; for "
            "generated speckles also 0.03 of known dynamics, or 6 standard deviations if pixels and pairs are too few "
            "for that"
        ),
        real_work="a series is 10^3 to 10^5 frames of 0.5 to 4 million pixels: 10^9 to 10^11",
        literature=(
            Reference(
                text="Lumma, Lurio, Mochrie, Sutton, Rev. Sci. Instrum. 71, 3274 (2000): area detectors, multi-tau",
                doi="10.1063/1.1287637",
            ),
            Reference(
                text="Schätzel, Drewel, Stimac, J. Mod. Opt. 35, 711 (1988): symmetric normalisation",
                doi="10.1080/09500348814550731",
            ),
        ),
    ),
    sizes={
        "tiny": {"frames": 300, "ny": 24, "nx": 40},
        "small": {"frames": 1000, "ny": 120, "nx": 200},
        "medium": {"frames": 4000, "ny": 257, "nx": 515},
        "large": {"frames": 10_000, "ny": 514, "nx": 1030},  # Eiger 500k
    },
    options=XpcsOptions,
    judgements={
        "reference": "the reference itself: verified by known dynamics or scikit-beam; it always agrees with itself",
        "frame_by_frame": (
            "normalises each pair of frames by the means of these two frames at every lag: 1e-4 of this definition"
        ),
    },
    implementations=[
        implementation("numpy", judged_as="reference", threads=False, memory_factor=2.0),
        implementation("numba"),
        implementation("cupy", backend="cuda", memory_factor=2.0),
        implementation("mpi", backend="mpi"),
        implementation("dask", backend="dask", memory_factor=2.0),
        implementation(
            "skbeam",
            peer=True,
            threads=False,
            requires=("skbeam",),
            packages=("scikit-beam",),
            extra="peers-built",
            adds="computes in double precision on one thread; normalises after every frame; checks for frames of NaN",
        ),
        implementation(
            "dynamix",
            judged_as="frame_by_frame",
            peer=True,
            requires=("dynamix", "pyopencl"),
            packages=("dynamix",),
            extra="peers",
            memory_factor=4.0,
            adds=(
                "computes every lag of the series by a matrix product of all frames of a ring, from which multi-tau is "
                "averaged; normalises each pair of frames by the means of these two frames"
            ),
        ),
    ],
)
