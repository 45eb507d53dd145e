"""Azimuthal integration: frames of rings become profiles of intensity and its uncertainty.

Read `with_numpy.py` first: it is the algorithm. Then read `problem.py` (the inputs), `oracle.py` (how results are
judged), `pixels.py` (which pixel belongs to which bin) and `geometry.py` (the direction of each pixel). The other
``with_*.py`` compute the same numbers faster; `peers/` holds adapters for the packages that they are compared with.
"""

from daasbench.authoring import Card, FolderKernel, Reference, along, implementation

from .options import AzimuthalOptions

kernel = FolderKernel(
    name="azimuthal_integration",
    folder=__name__,
    card=Card(
        title="Azimuthal integration of powder diffraction and small-angle scattering frames",
        unit="frame",
        verb="integrates",
        stands_for="pyFAI, azint, MatFRAIA, DAWN",
        community="powder diffraction, total scattering, SAXS and WAXS; the first analysis at most beamlines",
        method=(
            "I_b = Σ_p c_pb n_p / Σ_p c_pb ω_p and σ_b = √(Σ_p c_pb² n_p) / Σ_p c_pb ω_p: n_p is the counts of pixel "
            "p, ω_p its relative solid angle, c_pb the share of its area in radial bin b (0 or 1 without splitting)"
        ),
        leaves_out="dark, flat field, polarization, parallax and absorption; detectors that are not flat grids",
        tolerance=(
            "1e-5 relative, with less weight in bins of fewer than ten pixels; this allows for single-precision shares "
            "and is a hundredth of the counting error of a bin of 10^6 photons; unsplit sums of integers and the total "
            "of the photons must be exact"
        ),
        real_work="an in-situ series is 10^3 to 10^6 frames; a diffraction tomogram 10^4 to 10^5",
        literature=(
            Reference(
                text="Ashiotis et al., J. Appl. Cryst. 48, 510 (2015): pyFAI",
                doi="10.1107/S1600576715004306",
            ),
            Reference(
                text="Jensen et al., J. Synchrotron Rad. 29, 1420 (2022): MatFRAIA",
                doi="10.1107/S1600577522008232",
            ),
        ),
    ),
    sizes={
        "tiny": {"frames": 3, "ny": 211, "nx": 197, "pixel_m": 7.5e-4, "ring_width": 0.08},
        "small": {"frames": 16, "ny": 2167, "nx": 2070, "pixel_m": 7.5e-5, "ring_width": 0.025},  # Eiger 4M
        "medium": {"frames": 64, "ny": 2167, "nx": 2070, "pixel_m": 7.5e-5, "ring_width": 0.025},
        "large": {"frames": 512, "ny": 2167, "nx": 2070, "pixel_m": 7.5e-5, "ring_width": 0.025},
    },
    options=AzimuthalOptions,
    grows=along("frames"),
    judgements={
        "reference": (
            "the reference itself: verified by the known profile or by pyFAI, because it always agrees with itself"
        ),
        "single_precision_corners": (
            "computes the corners of split pixels in single precision: verified within 2e-3 of the reference; the bins "
            "of the pixel in the beam are not compared"
        ),
    },
    implementations=[
        implementation("numpy", judged_as="reference", threads=False, memory_factor=2.0),
        implementation("numba"),
        implementation("cupy", backend="cuda"),
        implementation("mpi", backend="mpi"),
        implementation("dask", backend="dask"),
        implementation(
            "pyfai",
            judged_as="single_precision_corners",
            peer=True,
            requires=("pyFAI",),
            packages=("pyFAI",),
            memory_factor=3.0,
            extra="peers",
            adds="counts, Σω², standard deviation and error of the mean of each bin; checks its caches for every frame",
        ),
        implementation(
            "scipy",
            peer=True,
            threads=False,
            requires=("scipy",),
            packages=("scipy",),
            extra="peers",
            adds="nothing",
        ),
        implementation(
            "bincount",
            peer=True,
            threads=False,
            requires=("numpy",),
            packages=("numpy",),
            adds="nothing; this is what scientists write in a notebook",
        ),
    ],
)
