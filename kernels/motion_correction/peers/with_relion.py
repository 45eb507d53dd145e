"""RELION's own motion correction: a program that reads movies from files and writes micrographs.

Movies are written beforehand, as MRC files. The time is that of the whole program, which starts, reads (from the page
cache), searches for hot pixels, aligns, sums, and writes, and of reading its sums and shifts. RELION is licensed
under the GPL: it is run as a program, never linked.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daasbench.authoring import DaasbenchError, MissingRequirement, Resources

from ..definition import Aligned
from ..mrc import open_mrc, write_mrc
from ..star import table_in, write_table

if TYPE_CHECKING:
    from ..problem import Frames, Problem

F64 = NDArray[np.float64]

PROGRAM, FIX = "relion_run_motioncorr", "apt install relion"
_OPTICS = {  # the program requires these values, and uses none of them without dose weighting
    "OpticsGroup": ["1"],
    "OpticsGroupName": ["opticsGroup1"],
    "MicrographOriginalPixelSize": ["1.0"],
    "Voltage": ["300"],
    "SphericalAberration": ["2.7"],
    "AmplitudeContrast": ["0.1"],
}


def prepare(problem: Problem, resources: Resources) -> Callable[[Frames], Aligned]:
    """Return the function that aligns a block of movies; raise MissingRequirement where RELION is not installed."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise MissingRequirement(f"RELION is not installed (no {PROGRAM} is on the PATH)", FIX)
    odd = [size for size in problem.grid.frame if size % 2]
    if odd:
        raise MissingRequirement(
            f"RELION cannot align frames with an odd number of pixels ({odd[0]})",
            "remove relion from the implementations",
        )
    return _Relion(program, problem, resources.threads).compute


class _Relion:
    """A folder with the movies of every block; it is written when the object is made, and deleted with it."""

    def __init__(self, program: str, problem: Problem, threads: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="relion-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        grid = problem.grid
        self._command = [program, "--use_own", "--j", str(threads), "--bfactor", f"{grid.bfactor:g}"]
        self._command += ["--max_iter", str(grid.iterations)]
        self._blocks = list(problem.blocks)
        for index, movies in enumerate(self._blocks):
            self._write(index, movies)

    def compute(self, movies: Frames) -> Aligned:
        """Return the result of RELION for a block."""
        index = next((at for at, block in enumerate(self._blocks) if block is movies), None)
        if index is None:  # not a block of the problem: it is written within the timed window
            index = len(self._blocks)
            self._write(index, movies)
        done = subprocess.run(
            [*self._command, "--i", f"{index}.star", "--o", f"out{index}/"],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise DaasbenchError(f"{PROGRAM} ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}")
        out = self._folder / f"out{index}"
        names = [f"{index}_{movie}" for movie in range(len(movies))]
        return Aligned(
            shifts=np.stack([_shifts((out / f"{name}.star").read_text()) for name in names]),
            sums=np.stack([open_mrc(out / f"{name}.mrc")[0] for name in names]).astype(np.float32),
        )

    def _write(self, index: int, movies: Frames) -> None:
        names = [f"{index}_{movie}.mrcs" for movie in range(len(movies))]
        for name, movie in zip(names, movies, strict=True):
            signed = movie.dtype == np.uint8 and movie.max() > np.iinfo(np.int8).max  # RELION reads mode 0 as signed
            write_mrc(self._folder / name, movie.astype(np.uint16) if signed else movie)
        listed = {"MicrographMovieName": names, "OpticsGroup": ["1"] * len(names)}
        (self._folder / f"{index}.star").write_text(write_table("optics", _OPTICS) + write_table("movies", listed))


def _shifts(text: str) -> F64:
    """Return f64[frames, 2] from RELION's file for a movie: the shift of each frame, with the sign reversed."""
    found = table_in(text, "global_shift")
    return -np.array([found["MicrographShiftY"], found["MicrographShiftX"]], np.float64).T
