"""Problems and files that the tests of fluorescence maps share."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from daasbench.kernels.xrf_mapping import kernel
from daasbench.kernels.xrf_mapping.problem import Problem


@pytest.fixture(scope="session")
def generated() -> Callable[..., Problem]:
    """Return a function that makes a generated problem."""

    def make(rows: int = 12, columns: int = 13, channels: int = 1024, blocks: int = 1, **options: Any) -> Problem:
        parameters = {"rows": rows, "columns": columns, "channels": channels}
        made: Problem = kernel.make(parameters, kernel.options(**options), 1, blocks)
        return made

    return make


@pytest.fixture(scope="session")
def problem_of() -> Callable[..., Problem]:
    """Return a function that makes the problem of a file."""

    def read(path: Path, blocks: int = 1, **options: Any) -> Problem:
        chosen = kernel.options(**options)
        made: Problem = kernel.read(path, kernel.survey(path, chosen), chosen, blocks)
        return made

    return read


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Return a MAPS override file for spectra of 1024 channels of 20 eV."""
    path = tmp_path / "maps_fit_parameters_override.txt"
    path.write_text(
        "VERSION: 5.0\nELEMENTS_TO_FIT: S, Ca, Fe, Cu, Pb_M, Unknownium\n"
        "CAL_OFFSET_[E_OFFSET]: -0.012\nCAL_SLOPE_[E_LINEAR]: 0.02\nCAL_QUAD_[E_QUADRATIC]: 0.0\n"
        "FWHM_OFFSET: 0.09\nFWHM_FANOPRIME: 0.00015\nCOHERENT_SCT_ENERGY: 17.0\nCOMPTON_ANGLE: 90.0\n"
        "MIN_ENERGY_TO_FIT: 1.5\nMAX_ENERGY_TO_FIT: 18.2\n"
    )
    return path


@pytest.fixture
def mda_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes counts[rows, columns, elements, channels] as saveData does."""

    def write(counts: Any, *, finished: int | None = None, rank: int = 3) -> Path:
        rows, columns, elements, channels = counts.shape

        def integers(*values: int) -> bytes:
            return struct.pack(f">{len(values)}i", *values)

        def text(word: str) -> bytes:
            raw = word.encode()
            return integers(len(raw), len(raw)) + raw + b"\0" * (-len(raw) % 4) if raw else integers(0)

        def scan(of_rank: int, points: int, done: int, offsets: list[int]) -> bytes:
            return integers(of_rank, points, done, *offsets) + text("scan") + text("") + integers(0, 0, 0)

        dimensions = (rows, columns, channels)[:rank]
        content = struct.pack(">f", 1.3) + integers(7, rank, *dimensions, 1, 0)
        if rank == 3:
            done = rows if finished is None else finished
            outer = len(scan(3, rows, done, [0] * rows))
            middle = len(scan(2, columns, columns, [0] * columns))
            head = integers(1, channels, channels) + text("spectrum") + text("now") + integers(1, elements, 1)
            head += integers(0) + b"".join(text(word) for word in ("p", "", "LINEAR", "mm", "r", "", "mm"))
            head += b"".join(integers(i) + text(f"mca{i}") + text("") + text("cts") for i in range(elements))
            head += integers(0) + text("trigger") + struct.pack(">f", 1.0) + b"\0" * (8 * channels)
            inner = len(head) + 4 * elements * channels
            row_size = middle + columns * inner
            start = len(content) + outer
            content += scan(3, rows, done, [start + r * row_size if r < done else 0 for r in range(rows)])
            for r in range(done):
                first = start + r * row_size + middle
                content += scan(2, columns, columns, [first + c * inner for c in range(columns)])
                content += b"".join(head + counts[r, c].astype(">f4").tobytes() for c in range(columns))
        path = tmp_path / "map.mda"
        path.write_bytes(content)
        return path

    return write
