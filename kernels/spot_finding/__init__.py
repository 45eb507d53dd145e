"""Spot finding: masks of strong pixels and lists of Bragg spots from the frames of a counting detector.

Read `definition.py` first: it defines strong pixels and spots. Then read `with_numpy.py`, which computes them as DIALS
does, `problem.py` (the inputs), `pattern.py` (frames whose spots are known), `oracle.py` (the verification) and
`readers.py` (real frames). The other ``with_*.py`` compute the same results faster; `peers/` has the packages for
comparison.
"""

from daasbench.authoring import Card, FolderKernel, Reference, implementation

from .options import SpotOptions

kernel = FolderKernel(
    name="spot_finding",
    folder=__name__,
    card=Card(
        title="Strong pixels and Bragg spots of single frames",
        unit="frame",
        verb="searches",
        stands_for="DIALS (dispersion), the hit finders of serial crystallography (peakfinder8), ImageD11, HEXRD",
        community="macromolecular and serial crystallography, three-dimensional X-ray diffraction",
        method=(
            "m counted pixels in the 7 x 7 window around a pixel of p counts, with sum x and sum of squares y: strong "
            "where m y - x² - x (m - 1) > nsig_b x √(2 (m - 1)) and m p - x > nsig_s √(m x), nsig_b = 6, "
            "nsig_s = 3; spots are 8-connected strong pixels of one frame, 3 to 1000 of them, with their "
            "centroid by counts. Method threshold: strong where p is above a number"
        ),
        leaves_out=(
            "spots that extend over several frames, gain maps, hot-pixel search, resolution and ice-ring filters, "
            "indexing; intensities have no background subtracted"
        ),
        tolerance=(
            "mask and spots identical to the definition in exact integers, which agrees with DIALS for "
            "double-precision frames (the components of DIALS are 4-connected, and are compared with such "
            "components); of the simulated spots above 200 counts 98 % are found, 99 % of the found spots were "
            "simulated, and the median error of the centroid is at most 0.15 pixel"
        ),
        real_work="a rotation scan is 1800 to 3600 frames, a serial experiment 10⁵ to 10⁶; an Eiger 4M runs at 550 Hz",
        literature=(
            Reference(
                text="Winter et al., Acta Cryst. D 74, 85 (2018): DIALS, spot finding in section 3.1",
                doi="10.1107/S2059798317017235",
            ),
            Reference(
                text="Barty et al., J. Appl. Cryst. 47, 1118 (2014): Cheetah and its peak finders",
                doi="10.1107/S1600576714007626",
            ),
            Reference(
                text="Wu, Otoo, Suzuki, Pattern Anal. Appl. 12, 117 (2009): connected components by union-find",
                doi="10.1007/s10044-008-0109-y",
            ),
        ),
    ),
    sizes={
        "tiny": {"frames": 4, "ny": 177, "nx": 150, "module_ny": 70, "module_nx": 150, "spots": 16},
        "small": {"frames": 8, "ny": 619, "nx": 487, "module_ny": 291, "module_nx": 487, "spots": 80},
        "medium": {"frames": 8, "ny": 2167, "nx": 2070, "module_ny": 514, "module_nx": 1030, "spots": 500},
        "large": {"frames": 8, "ny": 4371, "nx": 4150, "module_ny": 514, "module_nx": 1030, "spots": 1000},
    },
    options=SpotOptions,
    judgements={
        "four_connected": "its spots are 4-connected: verified against the definition's list of 4-connected spots",
    },
    implementations=[
        implementation("numpy", threads=False, memory_factor=4.0),
        implementation("numba", memory_factor=0.3),
        implementation("cupy", backend="cuda", memory_factor=0.3),
        implementation("mpi", backend="mpi", memory_factor=1.0),
        implementation("dask", backend="dask", memory_factor=1.0),
        implementation(
            "dials",
            judged_as="four_connected",
            peer=True,
            threads=False,
            programs=("dials.find_spots",),
            fix="apt install dials",
            memory_factor=4.0,
            adds=(
                "components are 4-connected; computes in double precision, converted beforehand, in a separate "
                "process with one thread; the copy of its mask to this process (some 2 % of the time) is part of the "
                "measured time"
            ),
        ),
        implementation(
            "scipy",
            peer=True,
            threads=False,
            requires=("scipy",),
            packages=("scipy",),
            memory_factor=8.0,
            adds="box means by ndimage.uniform_filter in double precision, components by ndimage.label; one thread",
        ),
    ],
)
