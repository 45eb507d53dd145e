"""The integration pipeline: packed frames in HDF5 become profiles I(q) in HDF5, end to end.

Read `with_numpy.py` first: it is the pipeline in the simple steps of `definition.py`. Then read `problem.py` (the
inputs), `oracle.py` (how results are judged), `geometry.py` (which pixel belongs to which bin) and `profiles.py` (the
result and its file). The other ``with_*.py`` compute the same numbers faster; `peers/` holds adapters for the packages
that they are compared with.
"""

from daasbench.authoring import Card, FolderKernel, Reference, implementation

from .options import PipelineOptions

kernel = FolderKernel(
    name="integration_pipeline",
    folder=__name__,
    card=Card(
        title="From packed detector frames to I(q): read, unpack, integrate, write",
        unit="frame",
        verb="reads and integrates",
        stands_for="pyFAI's pipelines (ewoks, pyFAI-integrate, LImA plug-ins), azint, MatFRAIA, DAWN",
        community="powder diffraction, total scattering, SAXS and WAXS: live feedback, and reprocessing of archives",
        method=(
            "bitshuffle-LZ4 chunks of an HDF5 file are unpacked; I_b = Σ n_p / Σ ω_p over the pixels p of bin b of q, "
            "pixels are not split, and those without data are excluded from both sums; I, Σ n and q are written to "
            "HDF5. A frame of an Eiger 4M is 0.0179 GB unpacked"
        ),
        leaves_out=(
            "storage: both HDF5 files are in memory, as in a warm page cache (the kernel probes measures disks); "
            "pixel splitting and uncertainties (azimuthal_integration); polarization, flat and dark field; cupy "
            "unpacks on the device"
        ),
        tolerance=(
            "sums of counts are integers and exact, and so is their total; I within 1e-5 of pyFAI in bins of ten "
            "pixels or more: pyFAI has a single-precision look-up table"
        ),
        real_work="an in-situ series is 10³ to 10⁶ frames; a diffraction tomogram 10⁴ to 10⁵",
        literature=(
            Reference(text="Ashiotis et al., J. Appl. Cryst. 48, 510 (2015): pyFAI", doi="10.1107/S1600576715004306"),
            Reference(
                text="Masui et al., Astronomy and Computing 12, 181 (2015): bitshuffle",
                doi="10.1016/j.ascom.2015.07.002",
            ),
        ),
    ),
    sizes={
        "tiny": {"frames": 5, "ny": 211, "nx": 197, "pixel_m": 7.5e-4},
        "small": {"frames": 16, "ny": 2167, "nx": 2070, "pixel_m": 7.5e-5},  # Eiger 4M
        "medium": {"frames": 64, "ny": 2167, "nx": 2070, "pixel_m": 7.5e-5},
        "large": {"frames": 512, "ny": 2167, "nx": 2070, "pixel_m": 7.5e-5},
    },
    options=PipelineOptions,
    repeat_tolerance=None,
    judgements={
        "reference": "the reference itself: pyFAI verifies its intensities, because it always agrees with itself",
    },
    implementations=[
        implementation("numpy", judged_as="reference", threads=False, memory_factor=2.0),
        implementation("numba"),
        implementation("cupy", backend="cuda"),
        implementation("mpi", backend="mpi"),
        implementation("dask", backend="dask"),
        implementation(
            "pyfai",
            peer=True,
            requires=("pyFAI",),
            packages=("pyFAI",),
            memory_factor=3.0,
            extra="peers",
            adds="counts, Σω², standard deviation of each bin; checks its caches for every frame",
        ),
        implementation(
            "pyfai_threads",
            ".peers.with_pyfai:prepare_threads",
            peer=True,
            requires=("pyFAI",),
            packages=("pyFAI",),
            memory_factor=3.0,
            extra="peers",
            adds="as pyfai; one thread reads and unpacks while another integrates",
        ),
    ],
)
