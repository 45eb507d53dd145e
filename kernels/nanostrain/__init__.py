"""Scanning X-ray diffraction microscopy: rocking scans of every position of a map become strain and tilt.

Read `with_numpy.py` first: it is the algorithm; `definition.py` has its steps, `gaussian.py` its fit, `grid.py` and
`geometry.py` its voxels. Then read `problem.py` (the inputs), `crystal.py` (a layer whose strain is known),
`oracle.py` (how results are judged) and `readers.py` (measured maps). The other ``with_*.py`` compute the same numbers
faster; `peers/` holds adapters for the packages that they are compared with.
"""

from daasbench.authoring import Card, FolderKernel, Reference, implementation

from .options import NanostrainOptions

kernel = FolderKernel(
    name="nanostrain",
    folder=__name__,
    card=Card(
        title="Strain and tilt maps from scanning diffraction (5-D k-maps)",
        unit="position",
        verb="evaluates",
        stands_for="XSOCS, xrayutilities, sxdm, the gridding of silx",
        community="nano-diffraction (ID01, 26-ID, NanoMAX): semiconductors, ferroelectrics, battery materials",
        method=(
            "each pixel of each angle adds its counts to the voxel that contains its q = R⁻¹(k_f - k_i); the intensity "
            "of a voxel is photons / pixels; projections on qx, qy, qz are photons / pixels of the planes; a Gaussian "
            "(area, centre, sigma) is fitted to each by Levenberg-Marquardt from the starting values of xsocs. "
            "Stages: gridding (frames to volumes), fits (projections to Gaussians), all"
        ),
        leaves_out="median filter, shift of positions between angles, background of the projections, files of volumes",
        tolerance=(
            "photons exactly; volumes and projections within 3e-7 of numpy in float64 (two roundings of float32); fits "
            "within 1e-6 sigma of scipy; centres within 0.02 sigma rms of the known strain"
        ),
        real_work="a map is 2 500 to 100 000 positions of 30 to 100 angles; frames of 516² pixels, or windows of 128²",
        literature=(
            Reference(
                text="Chahine et al., J. Appl. Cryst. 47, 762 (2014): strain by scanning diffraction, XSOCS",
                doi="10.1107/S1600576714004506",
            ),
            Reference(
                text="Kriegner, Wintersberger, Stangl, J. Appl. Cryst. 46, 1162 (2013): xrayutilities",
                doi="10.1107/S0021889813017214",
            ),
            Reference(
                text="Marquardt, J. Soc. Ind. Appl. Math. 11, 431 (1963): the fit",
                doi="10.1137/0111030",
            ),
        ),
    ),
    sizes={
        "tiny": {"positions": 5, "angles": 31, "rows": 48, "columns": 48, "grid": [16, 20, 20]},
        "small": {"positions": 32, "angles": 31, "rows": 96, "columns": 96, "grid": [32, 40, 40]},
        "medium": {"positions": 64, "angles": 61, "rows": 128, "columns": 128, "grid": [40, 64, 56]},
        "large": {"positions": 128, "angles": 101, "rows": 256, "columns": 256, "grid": [64, 96, 96]},
    },
    options=NanostrainOptions,
    judgements={
        "fit_1e-5": "stops its fit earlier: verified within 1e-5 sigma of the reference and of scipy",
        "fit_1e-3": "stops its fit much earlier: verified within 1e-3 sigma of the reference and of scipy",
        "own_voxels": (
            "has another rule for the edges of voxels and fits a background: up to 5e-3 of the photons in other "
            "voxels, 0.15 sigma"
        ),
    },
    implementations=[
        implementation("numpy", threads=False, memory_factor=2.0),
        implementation("numba"),
        implementation("cupy", backend="cuda", memory_factor=1.5),
        implementation("mpi", backend="mpi", memory_factor=2.0),
        implementation("dask", backend="dask", memory_factor=2.0),
        implementation(
            "xsocs",
            overwrites_result=True,
            judged_as="fit_1e-5",
            peer=True,
            requires=("xsocs", "silx"),
            packages=("xsocs", "silx"),
            extra="peers",
            memory_factor=3.0,
            adds="grids frame by frame with tables of silx, in float64; its fit estimates a covariance; uses processes",
        ),
        implementation(
            "silx",
            overwrites_result=True,
            judged_as="fit_1e-3",
            peer=True,
            requires=("silx",),
            packages=("silx",),
            extra="peers",
            memory_factor=3.0,
            adds="grids a scan in one call; its fit, in Python, estimates uncertainties; uses processes",
        ),
        implementation(
            "xrayutilities",
            overwrites_result=True,
            judged_as="own_voxels",
            peer=True,
            requires=("xrayutilities",),
            packages=("xrayutilities",),
            extra="peers-gpl",
            memory_factor=6.0,
            adds=(
                "finds the voxel of each pixel anew from q in float64, counts hits; its fit has a background and is by "
                "orthogonal distance; has another rounding rule for pixels at the edges of voxels"
            ),
        ),
    ],
)
