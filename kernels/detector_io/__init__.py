"""Detector files: bitshuffle-LZ4 chunks of HDF5 become frames, or frames become chunks.

Read `with_numpy.py` first: it is the format, step by step. Then `problem.py` (what is computed on), `oracle.py`
(what is right) and `frames.py` (frames as a detector counts them). The other ``with_*.py`` are faster ways to the
same bytes; `peers/` are the packages that they are compared with. What both directions share with the pipeline
that integrates what it unpacks stands in the engine: ``daasbench/formats/bitshuffle.py``, ``chunks.py``, ``lz4.py``.
"""

from daasbench.authoring.folder import FolderKernel, way
from daasbench.contracts import Card, Reference

from .options import DetectorOptions

_HERE = "daasbench.kernels.detector_io"

kernel = FolderKernel(
    name="detector_io",
    card=Card(
        title="Unpacking and packing detector frames in HDF5 (bitshuffle and LZ4)",
        unit="GB",
        stands_for="h5py with hdf5plugin, bitshuffle, blosc2; the first stage of DIALS, CrystFEL, pyFAI, nabu",
        community="everybody who reads or writes what an Eiger, Jungfrau, Lambda or Pilatus 4 has counted",
        method=(
            "a chunk of one frame: blocks of 8192 bytes, each LZ4 of its bit planes (bit k of all elements before "
            "bit k + 1); a GB is 10⁹ bytes of unpacked frames"
        ),
        leaves_out=(
            "storage: the HDF5 file is an image in memory, as a warm page cache has it (the kernel probes measures "
            "disks); compressions other than bitshuffle-LZ4; chunks that are parts of frames. LZ4 has no checksum: a "
            "changed literal byte is not seen by any reader, all else that is damaged is an error"
        ),
        tolerance="none: every bit is right, and a packed file is at most 1.1 times that of hdf5plugin",
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
    problem=f"{_HERE}.problem",
    repeat_tolerance=None,  # the oracle sees every bit; threads may order a file differently (blosc2 does)
    ways=[
        way("numpy", f"{_HERE}.with_numpy:prepare", threads=False),
        way("numba", f"{_HERE}.with_numba:prepare"),
        way("mpi", f"{_HERE}.with_mpi:prepare", backend="mpi"),
        way("dask", f"{_HERE}.with_dask:prepare", backend="dask"),
        way(
            "h5py",
            f"{_HERE}.peers.with_h5py:prepare",
            peer=True,
            threads=False,
            requires=("h5py", "hdf5plugin"),
            packages=("hdf5plugin", "h5py"),
            adds="nothing; the HDF5 library lets one thread at a time in",
        ),
        way(
            "bitshuffle",
            f"{_HERE}.peers.with_bitshuffle:prepare",
            peer=True,
            requires=("bitshuffle",),
            packages=("bitshuffle",),
            extra="peers",
            adds="chunks are taken from the file as they are, and unpacked or packed with its OpenMP threads",
        ),
        way(
            "blosc2",
            f"{_HERE}.peers.with_blosc2:prepare",
            peer=True,
            requires=("blosc2",),
            packages=("blosc2",),
            extra="peers",
            memory_factor=1.5,
            adds="a format of its own, bitshuffled LZ4 too, in memory and without HDF5: what changing it would bring",
        ),
    ],
)
