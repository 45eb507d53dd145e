"""Ptychography: the object and the beam are reconstructed from overlapping diffraction patterns.

Read `definition.py` first: it has the formula and the algorithm for any array library; `with_numpy.py` uses it with
numpy. Then read `problem.py` (the inputs), `scene.py` (a beam and an object known exactly), `oracle.py` (the
verification), and `scans.py` and `readers.py` (real scans). `with_numba.py` is the fast implementation, with the
memory layout of `layout.py`; `peers/` has the packages for comparison.
"""

from daasbench.authoring import Card, FolderKernel, Reference, implementation

from .options import PtychographyOptions

kernel = FolderKernel(
    name="ptychography",
    folder=__name__,
    card=Card(
        title="Ptychographic phase retrieval by the difference map, object and probe",
        unit="frame·iteration",
        verb="computes",
        stands_for="PyNX, ptypy, tike, PtychoShelves",
        community="coherent X-ray imaging: nanoprobes, ptycho-tomography, wavefront characterisation",
        method=(
            "ψ ← ψ + Π_I(2 P O - ψ) - P O (difference map, β = 1), then ψ ← Π_I(P O) (alternating projections); Π_I "
            "replaces the modulus of the Fourier transform by √I; in each iteration O = Σ P*ψ / Σ |P|², |O| <= 1.5, "
            "then, from iteration 3, P = Σ O*ψ / Σ |O|². R = Σ | |F g| - √I | / Σ √I of the wave g to which Π_I is "
            "applied: for 2 P O - ψ it rises with noise, for P O it is the misfit of the result. Two transforms per "
            "frame and iteration"
        ),
        leaves_out=(
            "partial coherence (several modes), positions finer than a pixel and their refinement, near field and "
            "multiple slices; the exit waves are the state: memory is four times that of float32 frames (waves twice, "
            "amplitudes once more), and 70 MB"
        ),
        tolerance=(
            "R of iterations 1 to 3 within 1e-4 of the reference's; the final R of object and probe within 1.05 of "
            "that of the photon noise (a fit removes some of the noise: 0.95); the object within 5 % of the truth "
            "where the illumination is at least a fifth of its maximum, after removal of a constant and a linear "
            "phase, which no frame determines"
        ),
        real_work="a scan is 500 to 5000 frames of 128 to 512 pixels squared and 100 to 1000 iterations",
        literature=(
            Reference(
                text="Thibault et al., Ultramicroscopy 109, 338 (2009): the difference map with a probe retrieved",
                doi="10.1016/j.ultramic.2008.12.011",
            ),
            Reference(
                text="Thibault et al., Science 321, 379 (2008): scanning X-ray diffraction microscopy",
                doi="10.1126/science.1158573",
            ),
            Reference(
                text="Enders, Thibault, Proc. R. Soc. A 472, 20160640 (2016): ptypy",
                doi="10.1098/rspa.2016.0640",
            ),
            Reference(
                text="Favre-Nicolin et al., J. Appl. Cryst. 53, 1404 (2020): PyNX",
                doi="10.1107/S1600576720010985",
            ),
        ),
    ),
    sizes={
        "tiny": {"frames": 25, "pixels": 32, "iterations": 20, "finish": 20},
        "small": {"frames": 100, "pixels": 128, "iterations": 60, "finish": 40},
        "medium": {"frames": 400, "pixels": 256, "iterations": 60, "finish": 40},
        "large": {"frames": 1600, "pixels": 256, "iterations": 100, "finish": 100},
    },
    options=PtychographyOptions,
    implementations=[
        implementation("numpy", threads=False, memory_factor=4.0),
        implementation("numba", memory_factor=4.0),
        implementation("cupy", backend="cuda", memory_factor=4.0),
        implementation("mpi", backend="mpi", memory_factor=4.0),
        implementation(
            "scipy",
            peer=True,
            requires=("scipy",),
            packages=("scipy",),
            extra="peers",
            memory_factor=4.0,
            adds="nothing: the same algorithm with vectorised numpy and with scipy.fft on all threads",
        ),
    ],
)
