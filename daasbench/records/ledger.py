"""The append-only ledger: JSON Lines, schema versions, and what a resume needs to know.

A ``records.jsonl`` holds one line for each :data:`daasbench.model.Line` (docs/reference/records.md). It is
written by one process, one ``write`` a line, and read tolerantly: a kill in the middle of a line costs that
line and nothing else. Tables are made of it in :mod:`daasbench.evidence.table`, evidence in
:mod:`daasbench.evidence.gather`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec

from daasbench.errors import LedgerError
from daasbench.host.output_files import cause_of, fix_of
from daasbench.model import SCHEMA, Job, Line, Machine, Outcome, Reason, Record, Round, Samples
from daasbench.records.lines import Parser, line_numbers, lines_of, torn_sentence


class Ledger:
    """The writer of one ``records.jsonl``: each line is in the file when :meth:`append` returns.

    The file is opened by ``with`` or by the first line. If it ends in the middle of a line, because its last
    writer was killed or the disk was full, that line is ended first, so that nothing is glued to it.

    Parameters
    ----------
    path
        The file; its folder is made.
    fsync
        Whether each line shall survive a power cut, not only a kill; some milliseconds a line.
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
            If it cannot be written; the lines before it are safe, and the next call may succeed. Also for a
            line with a sample that is not a number: JSON has no NaN, so nobody could read it back.
        """
        text = self._encoder.encode(line)
        if b"[null" in text or b",null" in text:  # in an array, or in somebody's message
            self._check(text)
        descriptor = self._open()
        rest = memoryview(b"\n" + text + b"\n" if self._torn else text + b"\n")
        try:
            while rest:
                written = os.write(descriptor, rest)
                self._torn = True  # until all of it is there
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
                f"{self.path}: a line was not written because it could not be read back: {error} (a NaN or an "
                f"infinity among its samples?); all lines before it are safe"
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
    safe = "every line that was written is safe, only the case in flight is measured again"
    fix = f"{fix_of(error, '--results')} and run the same command again"
    return LedgerError(f"{path}: cannot write records ({cause_of(error)}); {fix}: {safe}")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read of one file.

    `lines` are in order; `torn` are the numbers, from 1, of the lines that are torn or invalid, and `warning` is
    the sentence on them, empty if there are none.
    """

    lines: list[Line]
    torn: list[int]
    warning: str


def read_lines(path: Path) -> Reading:
    """Return the lines of one ``records.jsonl``; torn and invalid ones are counted and left out.

    Raises
    ------
    LedgerError
        If the file cannot be read, or a newer daasbench wrote it.
    """
    parser: Parser[Line] = Parser(Line)  # type: ignore[arg-type]  # a union is not a type to mypy
    lines: list[Line] = []
    torn: list[int] = []
    for offset, text in lines_of(path):
        line = parser.parse(text, path)
        if line is None:
            torn.append(offset)
        else:
            lines.append(line)
    return Reading(lines=lines, torn=line_numbers(path, torn), warning=torn_sentence(path, torn))


def was_interrupted(record: Record) -> bool:
    """Return whether the record is of an attempt that was killed: no end of its case."""
    return (record.outcome, record.reason) == (Outcome.FAILED, Reason.INTERRUPTED)


def orphans(lines: Iterable[Line], job: Job | None = None) -> list[Record]:
    """Return a record for each attempt that was killed: turns whose record never came.

    Its outcome is `failed`, its reason `interrupted`; the samples of its turns are kept, one turn after the
    other. `job` says which run, job and platform it was; without it another record of `lines` does.
    """
    rounds: dict[tuple[str, int], list[Round]] = {}
    ended: set[tuple[str, int]] = set()
    machines: list[Machine] = []
    run, name, platform, commit = (job.run, job.id, job.platform_name, job.commit) if job else ("",) * 4
    for line in lines:
        if isinstance(line, Round):
            rounds.setdefault((line.key, line.attempt), []).append(line)
        elif isinstance(line, Record):
            ended.add((line.key, line.attempt))
            if not run:
                run, name, platform, commit = line.run, line.job, line.platform, line.commit
        elif isinstance(line, Machine):
            machines.append(line)
    return [
        Record(
            key=key,
            run=run,
            job=name,
            platform=platform,
            process=killed[0].process,
            attempt=attempt,
            case=killed[0].case,
            outcome=Outcome.FAILED,
            reason=Reason.INTERRUPTED,
            message=f"its worker ended after {len(killed)} turn{'s' if len(killed) > 1 else ''}; run the same "
            f"command again to measure this set of processes",
            samples=Samples.concatenate(part.samples for part in killed),
            started_at=min(round_.started_at for round_ in killed),
            machine=machines[0].id if len(machines) == 1 else None,
            commit=commit,
            schema=SCHEMA,
        )
        for (key, attempt), killed in rounds.items()
        if (key, attempt) not in ended
    ]
