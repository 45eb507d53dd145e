"""Direct use of the operating system: files past the page cache with one stream per thread; processes.

A file is cut into pieces of whole pages, one per thread, and passes through page-aligned buffers, as the device
requires. The last page is filled up and truncated afterwards.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import numpy as np

from daasbench.authoring import Resources, share

from .files import PAGE, Stored, new_file, past_the_cache, read_all, storage_folder, stored, write_all
from .options import require_implementation
from .problem import ProbesProblem
from .starts import require_start, run, start_of

_BUFFER = 2**23


def prepare(problem: ProbesProblem, resources: Resources) -> Callable[[Any], Any]:
    """Return the probe's computation."""
    require_implementation(problem.probe, "system")
    if problem.probe == "storage_write":
        return _prepare_write(problem, resources.threads)
    if problem.probe in ("storage_read", "storage_read_cold"):
        return _prepare_read(problem, resources.threads)
    return _prepare_starts(problem)


def _prepare_starts(problem: ProbesProblem) -> Callable[[Any], Any]:
    start = start_of(problem.options)
    require_start(start, problem.options)

    def compute(block: Any) -> Any:
        answers = [run(start.command) for _ in range(block["starts"])]
        return {"right": np.array([code == 0 and start.is_right(answer) for code, answer, _ in answers], np.float64)}

    return compute


def _prepare_write(problem: ProbesProblem, threads: int) -> Callable[[Any], Any]:
    size = problem.blocks[0]["bytes"].size
    folder = storage_folder(problem.options.folder, size)
    pieces = _pieces(size, threads)
    buffers = [mmap.mmap(-1, _BUFFER) for _ in pieces]
    pool = ThreadPoolExecutor(threads)
    with new_file(folder) as trial:
        past_the_cache(trial, True, folder)

    def compute(block: Any) -> Stored:
        made = Stored(new_file(folder), size)
        file = made.file
        past_the_cache(file, True, folder)
        list(pool.map(lambda piece, buffer: _write_piece(file, block["bytes"], piece, buffer), pieces, buffers))
        os.ftruncate(file.fileno(), size)
        os.fsync(file.fileno())
        past_the_cache(file, False, folder)
        return made

    return compute


def _prepare_read(problem: ProbesProblem, threads: int) -> Callable[[Any], Any]:
    size = problem.blocks[0]["bytes"].size
    folder = storage_folder(problem.options.folder, size * len(problem.blocks))
    pieces, pool = _pieces(size, threads), ThreadPoolExecutor(threads)
    files = [stored(folder, block["bytes"]) for block in problem.blocks]
    buffer = mmap.mmap(-1, _whole_pages(size))
    memory = np.frombuffer(buffer, np.uint8)
    if problem.probe == "storage_read_cold":
        for one in files:
            past_the_cache(one.file, True, folder)

    def compute(block: Any) -> Any:
        file = files[block["index"]].file
        list(pool.map(lambda piece: read_all(file, memory[piece], piece.start), pieces))
        return memory[:size]

    return compute


def _whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _pieces(size: int, count: int) -> list[slice]:
    """Return non-empty pieces of whole pages of a file, one per thread."""
    pages = -(-size // PAGE)
    cuts = [share(pages, count, part) for part in range(min(count, pages))]
    return [slice(cut.start * PAGE, cut.stop * PAGE) for cut in cuts]


def _write_piece(file: IO[bytes], data: Any, piece: slice, buffer: mmap.mmap) -> None:
    memory = np.frombuffer(buffer, np.uint8)
    for start in range(piece.start, piece.stop, _BUFFER):
        end = min(start + _BUFFER, piece.stop, data.size)
        memory[: end - start] = data[start:end]
        write_all(file, memory[: _whole_pages(end - start)], start)
