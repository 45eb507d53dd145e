"""Records of many files as columns, without keeping a million records as objects.

Each line is decoded into a narrow row (:mod:`daasbench.evidence.rows`). Values that repeat (cases, work, machines,
endings) become codes into lists of distinct values; samples are reduced to their statistics, batch by batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from daasbench.evidence.rows import Floats, Head, TableRow, arrays
from daasbench.model import Case, Limits, Line, Machine, Record, Work
from daasbench.records.interrupted import interrupted_attempts
from daasbench.records.job_folders import JobFolder
from daasbench.records.lines import Parser, lines_of, torn_sentence

BATCH = 512  # rows kept as objects at a time: some 1.5 MB, which fits into the cache of a core

Codes = NDArray[np.int32]
Thing = TypeVar("Thing")


class Scope(NamedTuple):
    """The origin of a record; `source` is the index of its file."""

    source: int
    run: str
    job: str
    platform: str
    machine: str | None
    limits: str | None
    commit: str


class Ending(NamedTuple):
    """How a record ended: the fields that are text."""

    outcome: str
    reason: str | None
    message: str
    verified_by: str | None
    stop_reason: str | None
    energy_basis: str
    basis: str


Origin = tuple[str, str, str, str | None, str | None, str]  # a Scope without its source
EndingTexts = tuple[str, str | None, str, str | None, str | None, str, str]  # an Ending
_ORIGIN: Callable[[TableRow], Origin] = attrgetter(*Scope._fields[1:])
_ENDING: Callable[[TableRow], EndingTexts] = attrgetter(*Ending._fields)


class _Distinct(dict[Thing, int], Generic[Thing]):
    """Codes of distinct things, in the order in which they first occur."""

    def __missing__(self, thing: Thing) -> int:
        code = self[thing] = len(self)
        return code


class _Decoded(_Distinct[bytes], Generic[Thing]):
    """Codes of distinct JSON texts, each decoded once."""

    def __init__(self, kind: object) -> None:
        self.things: list[Thing] = []
        self._decode: Callable[[bytes], Thing] = msgspec.json.Decoder(kind).decode

    def __missing__(self, text: bytes) -> int:
        self.things.append(self._decode(text))
        return super().__missing__(text)


class ByteRange(NamedTuple):
    """Some lines of a file: those that start from `start` to below `end` (None: to the end of the file)."""

    source: int
    path: Path
    start: int = 0
    end: int | None = None


class PartialColumns(NamedTuple):
    """The columns of some byte ranges: plain data, to be sent from process to process."""

    codes: NDArray[np.int32]
    numbers: dict[str, Floats]
    started_at: list[str]
    texts: tuple[list[bytes], list[tuple[int, Origin]], list[EndingTexts], list[bytes]]  # the values of the four codes
    machines: dict[tuple[int, str], Machine]
    limits: dict[tuple[int, str], Limits]
    rounds: dict[tuple[int, str, int], list[bytes]]
    ended: dict[int, str]
    torn: dict[int, list[int]]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """All attempts, column by column, in the order of the files.

    `case`, `scope`, `ending` and `work` are codes into the lists `cases`, `scopes`, `endings` and `works`;
    `numbers` are float64 with NaN for missing; the keys of `machines` and `limits` are index of file and id; `records`
    is empty unless whole records were asked for.
    """

    sources: list[JobFolder]
    case: Codes
    scope: Codes
    ending: Codes
    work: Codes
    cases: list[Case]
    scopes: list[Scope]
    endings: list[Ending]
    works: list[Work | None]
    numbers: dict[str, Floats]
    started_at: list[str]
    machines: dict[tuple[int, str], Machine]
    limits: dict[tuple[int, str], Limits]
    records: list[Record]
    warnings: list[str]


@dataclass
class Reader:
    """Read byte ranges of files into :class:`Columns`.

    Parameters
    ----------
    keep
        Whether to keep the whole records too, as reports need (some 5 kB per record).
    note_ended
        Whether to note which attempts ended in a :class:`PartialColumns`, for rounds that another process read.
    """

    keep: bool = False
    note_ended: bool = False
    machines: dict[tuple[int, str], Machine] = field(default_factory=dict)
    limits: dict[tuple[int, str], Limits] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cases: _Decoded[Case] = _Decoded(Case)
        self._works: _Decoded[Work | None] = _Decoded(Work | None)
        self._scopes: _Distinct[tuple[int, Origin]] = _Distinct()
        self._endings: _Distinct[EndingTexts] = _Distinct()
        self._batch: list[TableRow] = []
        self._codes: list[tuple[int, int, int, int]] = []
        self._started: list[str] = []
        self._done: list[tuple[NDArray[np.int32], dict[str, Floats]]] = []
        self._rounds: dict[tuple[int, str, int], list[bytes]] = {}  # rounds whose record was not read yet
        self._ended: dict[int, list[str]] = {}
        self._torn: dict[int, list[int]] = {}
        self._parser: Parser[TableRow | Head | Machine | Limits] = Parser(TableRow | Head | Machine | Limits)  # type: ignore[arg-type]  # a union
        self._whole: Parser[Line] = Parser(Line)  # type: ignore[arg-type]  # a union

    def read(self, byte_range: ByteRange) -> None:
        """Add the lines of a byte range."""
        index, path = byte_range.source, byte_range.path
        parse, rounds = self._parser.parse, self._rounds
        ended = self._ended.setdefault(index, []) if self.note_ended else None
        for offset, text in lines_of(path, byte_range.start, byte_range.end):
            line = parse(text, path)
            if type(line) is TableRow and self._add(line, text, byte_range):
                if rounds:
                    rounds.pop((index, line.key, line.attempt), None)
                if ended is not None:
                    ended.append(f"{line.key} {line.attempt}")
            elif isinstance(line, Head):
                rounds.setdefault((index, line.key, line.attempt), []).append(text)
            elif isinstance(line, Machine):
                self.machines[index, line.id] = line
            elif isinstance(line, Limits):
                self.limits[index, line.id] = line
            else:
                self._torn.setdefault(index, []).append(offset)

    def _add(self, row: TableRow, text: bytes, byte_range: ByteRange) -> bool:
        """Add a row to the batch and return True; return False, and add nothing, if it is not valid as a whole."""
        samples = row.samples
        if samples is not None and len(samples.seconds) != len(samples.flags):
            return False
        try:
            case, work = self._cases[bytes(row.case)], self._works[bytes(row.work)]
        except msgspec.MsgspecError:
            return False
        if self.keep:
            record = self._whole.parse(text, byte_range.path)
            if not isinstance(record, Record):
                return False
            self.records.append(record)
        self._codes.append((case, self._scopes[byte_range.source, _ORIGIN(row)], self._endings[_ENDING(row)], work))
        self._batch.append(row)
        if len(self._batch) == BATCH:
            self._flush()
        return True

    def _flush(self) -> None:
        """Convert the batch to arrays, its samples to statistics."""
        batch = self._batch
        if batch:
            self._done.append((np.array(self._codes, np.int32).T, arrays(batch)))
            self._started += [row.started_at for row in batch]
        self._batch, self._codes = [], []

    def part(self) -> PartialColumns:
        """Return what was read, to be absorbed by the reader of another process."""
        self._flush()
        names = self._done[0][1] if self._done else ()
        return PartialColumns(
            codes=np.concatenate([np.zeros((4, 0), np.int32), *(codes for codes, _ in self._done)], axis=1),
            numbers={name: np.concatenate([numbers[name] for _, numbers in self._done]) for name in names},
            started_at=self._started,
            texts=(list(self._cases), list(self._scopes), list(self._endings), list(self._works)),
            machines=self.machines,
            limits=self.limits,
            rounds=self._rounds,
            ended={index: "\n".join(keys) for index, keys in self._ended.items()},
            torn=self._torn,
        )

    def absorb(self, part: PartialColumns) -> None:
        """Add what another process read; parts come in the order of their byte ranges."""
        self._flush()
        for index in {index for index, _, _ in self._rounds} & part.ended.keys():
            ended = set(part.ended[index].split("\n"))
            for attempt in [key for key in self._rounds if key[0] == index and f"{key[1]} {key[2]}" in ended]:
                del self._rounds[attempt]
        for attempt, texts in part.rounds.items():
            self._rounds.setdefault(attempt, []).extend(texts)
        for index, offsets in part.torn.items():
            self._torn.setdefault(index, []).extend(offsets)
        self.machines |= part.machines
        self.limits |= part.limits
        if len(part.started_at):
            tables: list[tuple[dict[Any, int], list[Any]]] = [
                (self._cases, part.texts[0]),
                (self._scopes, part.texts[1]),
                (self._endings, part.texts[2]),
                (self._works, part.texts[3]),
            ]
            own = [np.array([table[text] for text in texts]) for table, texts in tables]
            codes = np.array([mine[codes] for mine, codes in zip(own, part.codes, strict=True)], np.int32)
            self._done.append((codes, part.numbers))
            self._started += part.started_at

    def _close_interrupted_attempts(self, sources: Sequence[JobFolder]) -> None:
        """Add a record for each interrupted attempt: rounds without a record."""
        for index in sorted({index for index, _, _ in self._rounds}):
            source = sources[index]
            texts = [text for attempt, rounds in self._rounds.items() if attempt[0] == index for text in rounds]
            lines: list[Line] = [machine for (file, _), machine in self.machines.items() if file == index]
            if source.job is None:
                lines += self._first_record(source.records)
            lines += [line for line in (self._whole.parse(text, source.records) for text in texts) if line]
            for record in interrupted_attempts(lines, source.job):
                text = msgspec.json.encode(record)
                row = self._parser.parse(text, source.records)
                if isinstance(row, TableRow):
                    self._add(row, text, ByteRange(index, source.records))
        self._rounds.clear()

    def _first_record(self, path: Path) -> list[Record]:
        """Return the first record of a file, which has the run, job and platform of all."""
        lines = (self._whole.parse(text, path) for _, text in lines_of(path))
        return list(islice((line for line in lines if isinstance(line, Record)), 1))

    def columns(self, sources: Sequence[JobFolder]) -> Columns:
        """Return everything that was read from `sources`; an interrupted attempt has a record of its own."""
        self._close_interrupted_attempts(sources)
        part = self.part()
        self._done.clear()
        case, scope, ending, work = part.codes
        return Columns(
            sources=list(sources),
            case=case,
            scope=scope,
            ending=ending,
            work=work,
            cases=self._cases.things,
            scopes=[Scope(index, *origin) for index, origin in self._scopes],
            endings=[Ending(*texts) for texts in self._endings],
            works=self._works.things,
            numbers=part.numbers,
            started_at=self._started,
            machines=self.machines,
            limits=self.limits,
            records=self.records,
            warnings=[torn_sentence(sources[index].records, offsets) for index, offsets in self._torn.items()],
        )
