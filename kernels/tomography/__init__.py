"""Tomography: slices of an object from the sinograms of a parallel beam, by filtered back-projection.

Read `with_numpy.py` first: it has the algorithm, and `definition.py` has its formula. Then read `problem.py` (the
inputs), `oracle.py` (the verification), `phantom.py` (an object known exactly) and `readers.py` (real scans). The
other ``with_*.py`` compute the same numbers faster; `peers/` has the packages for comparison.
"""

from daasbench.authoring import Card, FolderKernel, Reference, along, implementation

from .options import TomographyOptions

kernel = FolderKernel(
    name="tomography",
    folder=__name__,
    card=Card(
        title="Filtered back-projection of parallel-beam tomograms",
        unit="slice",
        verb="reconstructs",
        stands_for="nabu, TomoPy, ASTRA, algotom, TomocuPy, Savu",
        community="micro- and nano-tomography: materials, biology, palaeontology; the largest data of a synchrotron",
        method=(
            "f(x, y) = π/Nθ Σ_θ q_θ(x cos θ + y sin θ + c): q the projections filtered with the Ram-Lak ramp "
            "(1/4 at 0, -1/(πn)² at odd n), padded to a power of two of at least twice the detector; c the rotation "
            "centre; interpolated linearly (nufft: band-limited). N² Nθ updates per slice: GUPS = N² Nθ Nz / 10⁹ / s"
        ),
        leaves_out="ring and stripe removal, phase retrieval, the writing of slices; cone beams and laminography",
        tolerance=(
            "1e-4 rms of the definition in float64 at randomly drawn pixels (nufft: 1e-3 max(1, N/512)² of the "
            "band-limited definition); and 0.04 √(512/N) rms of a known object within 0.45 N, where edges finer than a "
            "pixel cause 0.017 √(512/N)"
        ),
        real_work="a scan is 500 to 2000 slices of 2048 pixels squared from 1500 to 6000 angles",
        literature=(
            Reference(
                text="Ramachandran, Lakshminarayanan, PNAS 68, 2236 (1971): the filter",
                doi="10.1073/pnas.68.9.2236",
            ),
            Reference(
                text="Kak, Slaney, Principles of Computerized Tomographic Imaging (2001)",
                doi="10.1137/1.9780898719277",
            ),
            Reference(
                text="van Aarle et al., Opt. Express 24, 25129 (2016): the ASTRA toolbox",
                doi="10.1364/OE.24.025129",
            ),
            Reference(
                text="Nikitin, J. Synchrotron Rad. 30, 179 (2023): TomocuPy, 212 GUPS with I/O on an A100",
                doi="10.1107/S1600577522010311",
            ),
        ),
    ),
    sizes={
        "tiny": {"slices": 3, "angles": 60, "detector": 48},
        "small": {"slices": 16, "angles": 180, "detector": 128},
        "medium": {"slices": 16, "angles": 720, "detector": 512},
        "large": {"slices": 16, "angles": 1500, "detector": 2048},
    },
    options=TomographyOptions,
    grows=along("slices"),
    judgements={
        "bandlimited": (
            "interpolates with the band-limited function through the samples: verified by the sum over frequencies "
            "instead of the linear definition"
        ),
        "own_filter": (
            "pads, filters or masks differently: verified by the known object; without a known object 0.05 of the "
            "definition in means of 5 x 5 pixels"
        ),
    },
    implementations=[
        implementation("numpy", threads=False, memory_factor=4.0),
        implementation("numba", memory_factor=2.0),
        implementation(
            "nufft",
            judged_as="bandlimited",
            requires=("finufft",),
            packages=("finufft",),
            memory_factor=8.0,
            adds="interpolates with the band-limited function through the samples instead of linearly",
        ),
        implementation("cupy", backend="cuda", memory_factor=4.0),
        implementation("mpi", backend="mpi", memory_factor=2.0),
        implementation("dask", backend="dask", memory_factor=2.0),
        implementation(
            "algotom",
            judged_as="own_filter",
            peer=True,
            requires=("algotom",),
            packages=("algotom",),
            extra="peers",
            memory_factor=8.0,
            adds=(
                "pads by 15 % with zeros, filters in complex128, weights by π / (Nθ - 1); its threads add to one image "
                "without a lock and lose some additions, so that results differ between repeats"
            ),
        ),
        implementation(
            "astra",
            judged_as="own_filter",
            peer=True,
            threads=False,
            requires=("astra",),
            packages=("astra-toolbox",),
            extra="peers-gpl",
            memory_factor=2.0,
            adds="back-projects by the transpose of its linear projector, on one thread",
        ),
        implementation(
            "skimage",
            judged_as="own_filter",
            peer=True,
            threads=False,
            requires=("skimage",),
            packages=("scikit-image",),
            extra="peers",
            memory_factor=2.0,
            adds="masks the corners; projections are first shifted to its pixel grid by a phase ramp; one thread",
        ),
    ],
)
