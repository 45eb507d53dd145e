"""Motion correction: the frames of a cryo-EM movie are aligned and summed.

Read `with_numpy.py` first: it is the algorithm, and `definition.py` its formula. Then read `problem.py` (the inputs),
`specimen.py` (movies whose drift is known), `oracle.py` (how results are judged) and `readers.py` (measured movies).
The other ``with_*.py`` compute the same numbers faster; `peers/` holds adapters for the packages that they are compared
with.
"""

from daasbench.authoring import Card, FolderKernel, Reference, implementation

from .options import MotionOptions

kernel = FolderKernel(
    name="motion_correction",
    folder=__name__,
    card=Card(
        title="Alignment and summation of cryo-EM movies",
        unit="movie frame",
        verb="aligns",
        stands_for="RELION's own implementation, MotionCor2 and MotionCor3 (whole frames), cryoSPARC, Warp, unblur",
        community="single-particle cryo-electron microscopy; the first step for every data set, often live",
        method=(
            "d_f: position of the peak of IFT[exp(-2Bk²) conj(Σ_{g≠f} A_g) A_f], where A_f is the spectrum of frame f "
            "below 1/8 cycle per pixel, shifted back by d_f; at most 5 iterations; S = IFT[Σ_f exp(2πi k·d_f) X_f]. "
            "B = 150 pixel²; peak by parabolas; d_0 = 0"
        ),
        leaves_out=(
            "gain reference, defects and hot pixels; local motion in patches; dose weighting; binning; EER; "
            "writing of micrographs"
        ),
        tolerance=(
            "drift within 0.05 pixel rms (counting noise is 0.03 at 1.5 electrons per pixel and frame); correlation of "
            "the aligned sum with the specimen at least 0.9 below 1/8 cycle per pixel; 5e-4 pixel from the float64 "
            "reference; 1e-4 of the definition's sum at random frequencies"
        ),
        real_work="a night at the microscope is 3000 to 10000 movies of 24 to 60 frames, of 4k x 4k pixels each",
        literature=(
            Reference(
                text="Zivanov, Nakane, Scheres, IUCrJ 6, 5 (2019): motion correction in RELION",
                doi="10.1107/S205225251801463X",
            ),
            Reference(
                text="Zheng et al., Nat. Methods 14, 331 (2017): MotionCor2",
                doi="10.1038/nmeth.4193",
            ),
            Reference(
                text="Grant, Grigorieff, eLife 4, e06980 (2015): unblur",
                doi="10.7554/eLife.06980",
            ),
        ),
    ),
    sizes={
        "tiny": {"movies": 3, "frames": 6, "pixels": 256, "dose": 80.0},
        "small": {"movies": 2, "frames": 16, "pixels": 1024, "dose": 5.0},
        "medium": {"movies": 2, "frames": 24, "pixels": 2048, "dose": 1.5},
        "large": {"movies": 4, "frames": 40, "pixels": 4096, "dose": 1.0},
    },
    options=MotionOptions,
    judgements={
        "own_estimate": (
            "has its own weight, stopping rule or reference: verified by the known drift and specimen; without them "
            "within 0.25 pixel of the shifts of the reference"
        ),
    },
    implementations=[
        implementation("numpy", threads=False, memory_factor=2.0),
        implementation("numba"),
        implementation(
            "fftw",
            requires=("pyfftw",),
            packages=("pyfftw",),
            extra="fftw",
        ),
        implementation("cupy", backend="cuda"),
        implementation("mpi", backend="mpi"),
        implementation("dask", backend="dask"),
        implementation(
            "relion",
            judged_as="own_estimate",
            peer=True,
            programs=("relion_run_motioncorr",),
            fix="install RELION 3.1 or later, so that relion_run_motioncorr is on the PATH: apt install relion",
            adds=(
                "a separate program: starts, reads MRC movies and writes micrographs (all within the timed window), "
                "searches for hot pixels, draws plots, sums by inverse transforms of every frame"
            ),
        ),
        implementation(
            "skimage",
            judged_as="own_estimate",
            peer=True,
            threads=False,
            requires=("skimage",),
            packages=("scikit-image",),
            extra="peers",
            memory_factor=4.0,
            adds="phase correlation of every frame with the sum of the others, without a weight, to 1/20 pixel",
        ),
    ],
)
