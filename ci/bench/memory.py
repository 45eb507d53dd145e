"""Measure the memory of each implementation; the target is 1.5 times its inputs and outputs, plus a constant.

    python ci/bench/memory.py [--kernels NAME ...] [--sizes small medium] [--write]

Each case runs in its own process with code that is already compiled. The process notes its resident memory when it has
its inputs. Then the peak memory of a first and of a second call is taken (``peak_memory_bytes`` of a record). The
difference is the memory of the implementation. At size ``tiny`` it is the constant: libraries, threads, tables of fixed
size. The rest grows with the problem. The factor is (inputs + growth) / (inputs + outputs); inputs and outputs are
those that `work` counts, shared ones included.

Some implementations compute a few slices or movies at a time, in memory that does not grow with their number. If a
kernel has a law of growth, ``4 x small`` is therefore compared with ``small``, which gives the factor of the growth
alone. ``--write`` writes the table to docs/benchmarks/memory.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from daasbench import registry
from daasbench.compute.backends import arrays_in
from daasbench.contracts import Implementation
from daasbench.host.machine import peak_memory_bytes, reset_peak_memory
from daasbench.measure.inputs import make_inputs
from daasbench.measure.messages import Spec
from daasbench.measure.session import Session
from daasbench.model import Case

PAGE = Path(__file__).resolve().parents[2] / "docs/benchmarks/memory.md"
MODES: dict[str, tuple[dict[str, str], ...]] = {
    "azimuthal_integration": ({"mode": "nosplit"}, {"mode": "split"}),
    "detector_io": ({"direction": "read"}, {"direction": "write"}),
    "nanostrain": ({"stage": "gridding"}, {"stage": "fits"}, {"stage": "all"}),
    "xrf_mapping": ({"method": "linear"}, {"method": "snip"}, {"method": "nnls"}),
}
NO_MODES: tuple[dict[str, str], ...] = ({},)
COMMANDS = ("dials_spots", "probes", "ring_sums")  # separate programs, and the kernel that measures the machine
MOST = 1.5
SLACK = 8e6  # bytes in addition to the constant: page tables, and buffers of a few frames that `tiny` does not need
TIMES = 4
MB = 1e6
NEEDED = {  # implementations that need a larger factor: the factor, and the reason
    ("distributed_fft", "fftw"): (
        2.05,
        "each thread makes its plan with a separate array, which it keeps until the first call",
    ),
    ("halo_stencil", "numba"): (
        2.3,
        "an array whose rows are not whole cache lines is copied to aligned rows: 203 cells in 4 x small; else 1.5",
    ),
    ("motion_correction", "fftw"): (1.7, "each thread has a frame, its spectrum and a spectrum of sums"),
    ("ptychography", "numba"): (
        4.5,
        "the difference map's state is one complex value per pixel, twice the size of float32 frames; the amplitudes "
        "are stored again in the order of the transform (computing them in each iteration would take a tenth to a "
        "fifth of it)",
    ),
    ("sparse_eigen", "numba"): (
        3.1,
        "the Lanczos recurrence needs two vectors besides the first, which is the input and must not be overwritten",
    ),
    ("tomography", "nufft"): (3.6, "complex spectra of sixteen slices, twice as long as the detector; FINUFFT's grid"),
    ("tomography_iterative", "numba"): (
        2.4,
        "image and residual of sixteen slices are stored separately from the result, for any number of slices",
    ),
}


class Row(NamedTuple):
    """The memory of an implementation at a size, in bytes."""

    kernel: str
    mode: str
    implementation: str
    size: str
    inputs: float
    outputs: float
    growth: float
    constant: float
    peak: float

    @property
    def factor(self) -> float:
        """Return the memory in units of the inputs and outputs."""
        return (self.inputs + self.growth) / (self.inputs + self.outputs)

    @property
    def within(self) -> bool:
        """Return whether the memory is within the target."""
        return self.excess(MOST) <= SLACK

    @property
    def needed(self) -> bool:
        """Return whether the memory is within the target, or within the known need of this implementation."""
        most, _ = NEEDED.get((self.kernel, self.implementation), (MOST, ""))
        return self.excess(most) <= SLACK

    def excess(self, factor: float) -> float:
        """Return the bytes above `factor` times the inputs and outputs."""
        return self.inputs + self.growth - factor * (self.inputs + self.outputs)


class Taken(NamedTuple):
    """The memory of one process, in bytes."""

    taken: int
    peak: int
    inputs: float
    outputs: float


class Watched(Session):
    """A session that notes the resident memory before the set-up of the implementation."""

    before = 0

    def _set_up(self, make: Callable[..., Any], host_blocks: list[Any]) -> None:
        before = resident()
        super()._set_up(make, host_blocks)
        self.before = before

    def taken(self) -> int:
        """Return the peak memory of two calls, without the harness's copy of the first result."""
        self.prepare()
        first = self.peak_bytes - self.before
        copies = sum(array.nbytes for one in self.verified.values() for array in arrays_in(one))
        self.peak_bytes = 0
        self._timed_with_peak(0)
        return max(first, self.peak_bytes - self.before - copies)


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    reset_peak_memory()
    return peak_memory_bytes()


def main() -> int:
    """Measure and print; return 0 if every implementation is within the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", nargs="+", default=sorted(set(registry.kernels()) - set(COMMANDS)))
    parser.add_argument("--sizes", nargs="+", default=["small", "medium"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        step(asked.step[0], msgspec.json.decode(asked.step[1], type=Spec))
        return 0
    rows = []
    for name in asked.kernels:
        for found in measured(name, asked.sizes, asked.threads):
            rows.append(found)
            print(line(found), flush=True)
    if asked.write:
        PAGE.write_text(page(rows, asked.threads))
    above = [" ".join(filter(None, row[:4])) for row in rows if not row.needed]
    if above:
        print(f"above {MOST} and above the known need: {', '.join(above)}")
    return 1 if above else 0


def measured(name: str, sizes: list[str], threads: int) -> Iterator[Row]:
    """Yield a row for each mode, implementation and size of a kernel."""
    kernel = registry.kernel(name)
    grows = getattr(kernel, "grows", None) is not None
    for options in MODES.get(name, NO_MODES):
        mode = ", ".join(options.values())
        for key in (key for key, implementation in kernel.implementations.items() if is_ours(implementation)):
            with tempfile.TemporaryDirectory() as folder:
                about = name, key, options, threads, folder
                constant = taken(*about, "tiny")
                for size in sizes:
                    yield row(name, mode, key, size, taken(*about, size), constant)
                if grows:
                    more = taken(*about, "small", TIMES)
                    yield row(name, mode, key, f"{TIMES} x small", more, taken(*about, "small"))


def row(name: str, mode: str, implementation: str, size: str, found: Taken, before: Taken) -> Row:
    """Return the row of a measurement, with the memory that is added to that of a smaller problem."""
    known = found.inputs, found.outputs
    if size.startswith(f"{TIMES} x"):
        known = found.inputs - before.inputs, found.outputs - before.outputs
    growth = float(max(0, found.taken - before.taken))
    return Row(name, mode, implementation, size, *known, growth, before.taken, found.peak)


def is_ours(implementation: Implementation) -> bool:
    """Return whether an implementation is ours, computes in one process on the processor, and is not the reference."""
    return implementation.backend == "host" and not implementation.peer and implementation.name != "numpy"


def taken(  # noqa: PLR0913  (what a case is made of)
    kernel: str, implementation: str, options: dict[str, str], threads: int, folder: str, size: str, times: int = 1
) -> Taken:
    """Return the memory of an implementation whose code is already compiled."""
    case = Case(
        kernel=kernel,
        implementation=implementation,
        version="",
        size=size,
        seed=0,
        options={**options},
        cache=True,
        threads=threads,
        grown=times,
    )
    what = Spec(case=case, scratch=str(Path(folder) / f"{size}{times}"))
    known = Path(folder) / f"{size}{times}.json"
    if not known.exists():
        known.write_text(json.dumps(run("make", what)))
    found = [run("take", what) for _ in range(2)][-1]
    return Taken(**found, **json.loads(known.read_text()))


def run(name: str, what: Spec) -> dict[str, Any]:
    """Return what a step prints in a separate process."""
    command = [sys.executable, __file__, "--step", name, msgspec.json.encode(what).decode()]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def step(name: str, what: Spec) -> None:
    """Make the inputs of a case, or compute it; print the memory."""
    if name == "make":
        work = make_inputs(what).work
        message: dict[str, Any] = {"inputs": work.input_bytes + work.shared_bytes, "outputs": work.output_bytes}
    else:
        session = Watched(what)
        taken = session.taken()
        message = {"taken": taken, "peak": session.before + taken}
    print(json.dumps(message))


def line(row: Row) -> str:
    """Return a row of the table."""
    cells = [row.kernel, row.mode, row.implementation, row.size]
    cells += [f"{value / MB:.1f}" for value in (row.inputs, row.outputs, row.growth)]
    cells += [f"{row.factor:.2f}" if row.within else f"**{row.factor:.2f}**"]
    cells += [f"{value / MB:.0f}" for value in (row.constant, row.peak)]
    return "| " + " | ".join(cells) + " |"


def page(rows: list[Row], threads: int) -> str:
    """Return the page."""
    head = ["kernel", "mode", "implementation", "size", "inputs MB", "outputs MB", "growth MB", "factor"]
    head += ["constant MB", "peak of the process MB"]
    within = sum(row.within for row in rows)
    lines = [
        "# Memory of each implementation",
        "",
        "This page gives the memory that each implementation needs. `python ci/bench/memory.py --write` wrote it, with",
        f"{threads} threads, one block of inputs, and code that was compiled before.",
        "",
        "- *Inputs* and *outputs* are those that `work` counts; shared ones (maps, angles) are inputs.",
        "- The *constant* is the memory that is used at size `tiny`: libraries, threads, tables of fixed size.",
        "- The *growth* is the memory that is used in addition to the inputs and the constant; it includes the result.",
        "- The *factor* is (inputs + growth) / (inputs + outputs). The aim is at most",
        f"  {MOST} and {SLACK / MB:.0f} MB: {within} of {len(rows)} rows reach it; the others are bold.",
        f"- Rows `{TIMES} x small` give what {TIMES} times as many frames or slices add to `small`, and so exclude",
        "  what does not grow with their number; there the constant is the memory that is used at size `small`.",
        "- The *peak* is that of a record of one block: interpreter, libraries, inputs, what the oracle expects.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *map(line, rows),
        "",
        "Why some implementations need more:",
        "",
        *(
            f"- {kernel}, {implementation} (up to {most:g}): {why}."
            for (kernel, implementation), (most, why) in NEEDED.items()
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
