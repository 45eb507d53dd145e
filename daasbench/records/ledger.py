"""The append-only ledger of a job: its writer.

A ``records.jsonl`` holds one JSON text per :data:`daasbench.model.Line` (docs/reference/records.md). One process writes
it, with one ``write`` per line. If the process is killed in the middle of a line, only that line is lost.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

import msgspec

from daasbench.errors import LedgerError
from daasbench.host.output_files import cause_of, fix_of
from daasbench.model import Line


class Ledger:
    """The writer of one ``records.jsonl``: each line is in the file when :meth:`append` returns.

    The file is opened by ``with`` or by the first line. It may end in the middle of a line, because its last writer was
    killed or the disk was full. Then this line is ended first, so that the next line is not joined to it.

    Parameters
    ----------
    path
        The file; its folder is created.
    fsync
        Whether each line must survive a power cut and not only a kill; this takes some milliseconds per line.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self.path = path
        self.fsync = fsync
        self._descriptor: int | None = None
        self._torn = False
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(Line)

    def __enter__(self) -> Ledger:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, line: Line) -> None:
        """Write one line.

        Raises
        ------
        LedgerError
            If the line cannot be written; the lines before it are safe, and the next call may succeed. Also if a
            sample of the line is not a number: JSON has no NaN, so the line could not be read back.
        """
        text = self._encoder.encode(line)
        if b"[null" in text or b",null" in text:  # in an array, or in a message
            self._check(text)
        descriptor = self._open()
        rest = memoryview(b"\n" + text + b"\n" if self._torn else text + b"\n")
        try:
            while rest:
                written = os.write(descriptor, rest)
                self._torn = True  # until all of it is written
                rest = rest[written:]
            if self.fsync:
                os.fsync(descriptor)
        except OSError as error:
            raise _failure(self.path, error) from error
        self._torn = False

    def close(self) -> None:
        """Close the file; a later :meth:`append` opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _check(self, text: bytes) -> None:
        try:
            self._decoder.decode(text)
        except msgspec.ValidationError as error:
            raise LedgerError(
                f"{self.path}: a line was not written because it could not be read back: {error} (probably one "
                f"of its samples is NaN or infinite); all lines before it are safe"
            ) from error

    def _open(self) -> int:
        if self._descriptor is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
                size = os.fstat(self._descriptor).st_size
                self._torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
            except OSError as error:
                self.close()
                raise _failure(self.path, error) from error
        return self._descriptor


def _failure(path: Path, error: OSError) -> LedgerError:
    safe = "every line that was written is safe; only the case in progress is measured again"
    fix = f"{fix_of(error, '--results')} and run the same command again"
    return LedgerError(f"{path}: cannot write records ({cause_of(error)}); {fix}: {safe}")
