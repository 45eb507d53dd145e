"""Reading by several processes: files are divided into byte ranges, and the columns of each process are joined."""

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

ALONE_UP_TO = 2**28  # bytes; below, other processes save no time, because they have to start
MOST_PROCESSES = 8  # with more, making the table in this process takes longer than reading


def read_all(sources: Sequence[JobFolder], *, keep: bool = False) -> Columns:
    """Return the records of job folders as columns; large files are read by several processes.

    Parameters
    ----------
    keep
        Whether to keep the whole records too; then this process reads alone.

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
        parts = list(waiting.map(_read_in_process, shares))
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
    """Yield the byte ranges of each process: equally many bytes, in the order of the files."""
    ends = list(accumulate(sizes))
    for process in range(processes):
        low, high = (ends[-1] * edge // processes for edge in (process, process + 1))
        yield [
            byte_range._replace(start=max(low - (end - size), 0), end=min(high - (end - size), size))
            for byte_range, size, end in zip(whole, sizes, ends, strict=True)
            if low < end and high > end - size
        ]


def _read_in_process(byte_ranges: Sequence[ByteRange]) -> PartialColumns | DaasbenchError | None:
    """Return the columns that a new process read, or its error; None if the process failed.

    Not ``multiprocessing``: its children run the script of the caller again, and scripts of notebooks or beamlines
    are rarely written for that.
    """
    command = [sys.executable, "-c", "from daasbench.evidence.parallel_read import child; child()"]
    try:
        done = subprocess.run(command, input=pickle.dumps(byte_ranges), stdout=subprocess.PIPE, check=True)
        answer = pickle.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, pickle.UnpicklingError, EOFError):
        return None
    return answer if isinstance(answer, (PartialColumns, DaasbenchError)) else None


def child() -> None:
    """Read the byte ranges from standard input, and write their columns to standard output."""
    gc.disable()  # decoded objects have no cycles, and looking for cycles takes a third of the time
    reader = Reader(note_ended=True)
    answer: PartialColumns | DaasbenchError
    try:
        for byte_range in pickle.load(sys.stdin.buffer):
            reader.read(byte_range)
        answer = reader.part()
    except DaasbenchError as error:
        answer = error
    pickle.dump(answer, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
