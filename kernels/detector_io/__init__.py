"""Detector files: bitshuffle-LZ4 chunks of HDF5 become frames, or frames become chunks.

Read `with_numpy.py` first: it shows the format step by step. Then read `problem.py` (the inputs), `oracle.py` (how
results are judged) and `frames.py` (frames as a detector counts them). The other ``with_*.py`` compute the same bytes
faster; `peers/` holds adapters for the packages that they are compared with. The code that this kernel shares with
`integration_pipeline` is in the engine: ``daasbench/formats/bitshuffle.py``, ``chunks.py``, ``lz4.py``.
"""

from daasbench.authoring import Card, FolderKernel, Reference, implementation

from .options import DetectorOptions

kernel = FolderKernel(
    name="detector_io",
    folder=__name__,
    card=Card(
        title="Unpacking and packing detector frames in HDF5 (bitshuffle and LZ4)",
        unit="GB",
        verb="packs and unpacks",
        units="GB",
        stands_for="h5py with hdf5plugin, bitshuffle, blosc2; the first stage of DIALS, CrystFEL, pyFAI, nabu",
        community="everyone who reads or writes frames of an Eiger, Jungfrau, Lambda or Pilatus 4",
        method=(
            "a chunk is one frame: blocks of 8192 bytes, each the LZ4 compression of its bit planes (bit k of all "
            "elements before bit k + 1); a GB is 10⁹ bytes of unpacked frames"
        ),
        leaves_out=(
            "storage: the HDF5 file is an image in memory, as in a warm page cache (the kernel probes measures disks); "
            "compressions other than bitshuffle-LZ4; chunks that are parts of frames. LZ4 has no checksum: no reader "
            "detects a changed literal byte, all other damage is an error"
        ),
        tolerance="none: every bit must be right; a packed file is at most 1.1 times as large as that of hdf5plugin",
        real_work="an Eiger 4M at 500 frames/s makes 9 GB/s unpacked; a night of crystallography is 10⁴ to 10⁵ GB",
        literature=(
            Reference(
                text="Masui et al., Astronomy and Computing 12, 181 (2015): bitshuffle",
                doi="10.1016/j.ascom.2015.07.002",
            ),
        ),
    ),
    sizes={
        "tiny": {"frames": 5, "ny": 61, "nx": 67},
        "small": {"frames": 8, "ny": 2167, "nx": 2070},  # Eiger 4M
        "medium": {"frames": 32, "ny": 2167, "nx": 2070},
        "large": {"frames": 128, "ny": 2167, "nx": 2070},
    },
    options=DetectorOptions,
    repeat_tolerance=None,  # the oracle checks every bit; threads may order a file differently (blosc2 does)
    judgements={
        "any_size": "writes the simplest packing that the format allows: every bit is checked, the size is not",
        "blosc2_array": "writes a Blosc2 array: read back by Blosc2, every bit is checked, the size is not",
    },
    implementations=[
        implementation("numpy", judged_as="any_size", threads=False),
        implementation("numba"),
        implementation("mpi", backend="mpi"),
        implementation("dask", backend="dask"),
        implementation(
            "h5py",
            peer=True,
            threads=False,
            requires=("h5py", "hdf5plugin"),
            packages=("hdf5plugin", "h5py"),
            adds="nothing; the HDF5 library runs one thread at a time",
        ),
        implementation(
            "bitshuffle",
            peer=True,
            requires=("bitshuffle",),
            packages=("bitshuffle",),
            extra="peers",
            adds="takes chunks from the file as they are, and unpacks or packs them with its own OpenMP threads",
        ),
        implementation(
            "blosc2",
            judged_as="blosc2_array",
            peer=True,
            requires=("blosc2",),
            packages=("blosc2",),
            extra="peers",
            memory_factor=1.5,
            adds="its own format, also bitshuffle and LZ4, in memory and without HDF5: the gain of a change of format",
        ),
    ],
)
