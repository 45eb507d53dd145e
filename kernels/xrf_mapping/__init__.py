"""X-ray fluorescence maps: the counts of every element from the spectrum of every pixel.

Read `with_numpy.py` first: it has the three fits. Then read `model.py` (the model of a spectrum), `lines.py` (the
emission lines of elements), `sample.py` (a specimen known exactly), `problem.py` (the inputs), `oracle.py` (the
verification) and `readers.py` (real maps, with `configuration.py` and `mda.py`). The other ``with_*.py`` compute the
same numbers faster; `peers/` has the packages for comparison.
"""

from daasbench.authoring import Card, FolderKernel, Reference, implementation

from .options import XrfOptions

kernel = FolderKernel(
    name="xrf_mapping",
    folder=__name__,
    card=Card(
        title="Fit of X-ray fluorescence maps",
        unit="spectrum",
        verb="fits",
        units="spectra",
        stands_for="PyMca, XRF-Maps, MAPS, PyXRF, AXIL",
        community="micro- and nano-fluorescence: biology, environment, cultural heritage, batteries, semiconductors",
        method=(
            "y(c) ≈ Σ_k A(c, k) a_k with a column for each element's family of Gaussian lines, two scatter peaks and a "
            "polynomial continuum. linear: a = A⁺ y; snip: a = A⁺ (y - b), b(c) ← min(b(c), (b(c - p) + b(c + p)) / 2) "
            "for p = 20 ... 1; nnls: min |A a - y|² with a ≥ 0 by coordinate descent on AᵀA"
        ),
        leaves_out=(
            "Poisson weights, fits of energy, width and tails, escape and pile-up peaks, dead time, absorption and "
            "quantification (areas are counts)"
        ),
        tolerance=(
            "linear and snip: 1e-5 of the spectrum's largest area (float32 sums over 1600 channels); nnls: conditions "
            "of the optimum to 2e-5; pulls of the areas of a known specimen: mean 0 ± 0.05, deviation 1 ± 0.1 by "
            "Poisson's law; snip: summed areas of strong lines to 20 %, because it follows the lower edge of the noise"
        ),
        real_work="a fly-scan map is 10^4 to 10^6 spectra for each of 1 to 7 detector elements; a tomogram 10^7",
        literature=(
            Reference(
                text="Solé et al., Spectrochim. Acta B 62, 63 (2007): PyMca",
                doi="10.1016/j.sab.2006.12.002",
            ),
            Reference(
                text="Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988): SNIP",
                doi="10.1016/0168-583X(88)90063-8",
            ),
            Reference(
                text="Vogt, J. Phys. IV France 104, 635 (2003): MAPS",
                doi="10.1051/jp4:20030160",
            ),
            Reference(
                text="Franc, Hlavac, Navara, CAIP 2005: coordinate descent for NNLS",
                doi="10.1007/11556121_50",
            ),
        ),
    ),
    sizes={
        "tiny": {"rows": 20, "columns": 25, "channels": 1024},
        "small": {"rows": 64, "columns": 64, "channels": 2048},
        "medium": {"rows": 256, "columns": 256, "channels": 2048},
        "large": {"rows": 640, "columns": 640, "channels": 2048},
    },
    options=XrfOptions,
    implementations=[
        implementation("numpy"),
        implementation("numba"),
        implementation("cupy", backend="cuda"),
        implementation("mpi", backend="mpi"),
        implementation("dask", backend="dask"),
        implementation(
            "pymca",
            peer=True,
            requires=("PyMca5",),
            packages=("PyMca5",),
            extra="peers",
            adds="uncertainties; float64; only linear and snip; SNIP on one thread, after a filter of width 1",
        ),
        implementation(
            "scipy",
            peer=True,
            requires=("scipy",),
            packages=("scipy",),
            adds="nothing; only linear (lstsq) and nnls (one spectrum at a time, on one thread), in float64",
        ),
    ],
)
