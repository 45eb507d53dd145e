"""Much evidence, read by several processes: files are cut into pieces, and what each process reads is joined."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

from daasbench.errors import DaasbenchError
from daasbench.evidence.columns import ByteRange, Columns, PartialColumns, Reader
from daasbench.records.job_folders import JobFolder

ALONE_UP_TO = 2**28  # bytes; below, another process is hardly sooner, for it has to start
MOST_PROCESSES = 8  # then the table that this one makes of it takes longer


def read_all(sources: Sequence[JobFolder], *, keep: bool = False) -> Columns:
    """Return the records of job folders as columns; by several processes where there is much to read.

    Parameters
    ----------
    keep
        Whether to keep the whole records too; this process then reads alone.

    Raises
    ------
    LedgerError
        If a file cannot be read, or a newer daasbench wrote it.
    """
    reader = Reader(keep=keep)
    whole = [ByteRange(index, source.records) for index, source in enumerate(sources) if source.records.exists()]
    sizes = [byte_range.path.stat().st_size for byte_range in whole]
    processes = 1 if keep or sum(sizes) <= ALONE_UP_TO else min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    shares = list(_shares(whole, sizes, processes)) if processes > 1 else []
    with ThreadPoolExecutor(max(len(shares), 1)) as waiting:
        parts = list(waiting.map(_in_a_process, shares))
    for share, part in zip(shares or [whole], parts or [None], strict=True):
        if isinstance(part, DaasbenchError):
            raise part
        if part is not None:
            reader.absorb(part)
        else:
            for byte_range in share:
                reader.read(byte_range)
    return reader.columns(sources)


def _shares(whole: Sequence[ByteRange], sizes: Sequence[int], processes: int) -> Iterator[list[ByteRange]]:
    """Yield the pieces of each process: equal numbers of bytes, in the order of the files."""
    ends = list(accumulate(sizes))
    for process in range(processes):
        low, high = (ends[-1] * edge // processes for edge in (process, process + 1))
        yield [
            byte_range._replace(start=max(low - (end - size), 0), end=min(high - (end - size), size))
            for byte_range, size, end in zip(whole, sizes, ends, strict=True)
            if low < end and high > end - size
        ]


def _in_a_process(byte_ranges: Sequence[ByteRange]) -> PartialColumns | DaasbenchError | None:
    """Return what a process of its own read, or its refusal; None if it could not be had.

    Not ``multiprocessing``: its children run the caller's script again, which a notebook's or a beamline's script
    is rarely written for.
    """
    command = [sys.executable, "-c", "from daasbench.evidence.parallel_read import child; child()"]
    try:
        done = subprocess.run(command, input=pickle.dumps(byte_ranges), stdout=subprocess.PIPE, check=True)
        answer = pickle.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, pickle.UnpicklingError, EOFError):
        return None
    return answer if isinstance(answer, (PartialColumns, DaasbenchError)) else None


def child() -> None:
    """Read the pieces that standard input names, and write the part to standard output."""
    gc.disable()  # what is decoded has no cycles, and looking for them takes a third of the time
    reader = Reader(tell_ended=True)
    answer: PartialColumns | DaasbenchError
    try:
        for byte_range in pickle.load(sys.stdin.buffer):
            reader.read(byte_range)
        answer = reader.part()
    except DaasbenchError as error:
        answer = error
    pickle.dump(answer, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
