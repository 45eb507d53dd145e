"""Records of many files as columns: the fast way from lines to a table.

A million records are not kept as objects. Each line is decoded into a narrow row; what repeats (cases, work,
machines, endings) becomes a code into a list of distinct ones, and samples become their statistics, batch by
batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from daasbench import statistics
from daasbench.folders import JobFolder
from daasbench.lines import Parser, numbered_lines, torn_sentence
from daasbench.model import Case, Limits, Line, Machine, Record, Work
from daasbench.records import orphans

BATCH = 1024  # rows held as objects at once: some 3 MB, so that they stay in the processor's cache

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Thing = TypeVar("Thing")
Number = TypeVar("Number", np.float64, np.int64)


class _Phases(msgspec.Struct, frozen=True, gc=False):
    make: float | None = None
    put: float | None = None
    setup: float | None = None
    first_call: float | None = None


class _Samples(msgspec.Struct, gc=False):
    seconds: list[float] = []
    flags: list[int] = []
    foreign: list[float] = []
    get_s: list[float] = []


_NO_SAMPLES = _Samples()


class _Row(msgspec.Struct, tag="record", kw_only=True, gc=False):
    """The part of a :class:`~daasbench.model.Record` that the table shows, in the order of its lines."""

    key: str
    run: str
    job: str
    platform: str
    process: int
    attempt: int = 1
    case: msgspec.Raw
    outcome: Literal["ok", "wrong", "failed", "timeout", "skipped"]
    reason: str | None = None
    message: str = ""
    verified_by: str | None = None
    error: float | None = None
    tolerance: float | None = None
    samples: _Samples | None = None
    phases: _Phases = _Phases()
    stop_reason: str | None = None
    work: msgspec.Raw = msgspec.Raw(b"null")
    peak_memory_bytes: int | None = None
    energy_j: float | None = None
    energy_basis: str = "none"
    basis: str = "measured"
    started_at: str = ""
    machine: str | None = None
    limits: str | None = None
    commit: str = ""
    schema: int


class _Head(msgspec.Struct, tag="turn"):
    key: str
    attempt: int


class Scope(NamedTuple):
    """Where a record was made; `source` is the index of its file."""

    source: int
    run: str
    job: str
    platform: str
    machine: str | None
    limits: str | None
    commit: str


class Ending(NamedTuple):
    """How a record ended, in words."""

    outcome: str
    reason: str | None
    message: str
    verified_by: str | None
    stop_reason: str | None
    energy_basis: str
    basis: str


_PLACE = attrgetter(*Scope._fields[1:])
_ENDING = attrgetter(*Ending._fields)
_NUMBERS = ("process", "attempt", "error", "tolerance", "peak_memory_bytes", "energy_j")
_PHASES = _Phases.__struct_fields__


class _Distinct(dict[Thing, int], Generic[Thing]):
    """Codes of distinct things, in the order of their first sight."""

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


@dataclass(frozen=True, kw_only=True)
class Columns:
    """All attempts, column by column, in the order of the files.

    `case`, `scope`, `ending` and `work` are codes into the lists `cases`, `scopes`, `endings` and `works`;
    `numbers` are float64 with NaN for missing; `machines` and `limits` go by index of file and id; `records`
    is empty unless they were asked for.
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
    keys: set[str]
    warnings: list[str]


@dataclass
class Reader:
    """Read job folders into :class:`Columns`.

    Parameters
    ----------
    keep
        Whether to keep the whole records and their keys too, as reports need (some 5 kB each).
    """

    keep: bool = False
    sources: list[JobFolder] = field(default_factory=list)
    machines: dict[tuple[int, str], Machine] = field(default_factory=dict)
    limits: dict[tuple[int, str], Limits] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cases: _Decoded[Case] = _Decoded(Case)
        self._works: _Decoded[Work | None] = _Decoded(Work | None)
        self._scopes: _Distinct[tuple[int, tuple[object, ...]]] = _Distinct()
        self._endings: _Distinct[tuple[object, ...]] = _Distinct()
        self._batch: list[_Row] = []
        self._codes: list[tuple[int, int, int, int]] = []
        self._started: list[str] = []
        self._done: list[tuple[NDArray[np.int32], dict[str, Floats]]] = []
        self._parser: Parser[_Row | _Head | Machine | Limits] = Parser(_Row | _Head | Machine | Limits)  # type: ignore[arg-type]  # a union
        self._whole: Parser[Line] = Parser(Line)  # type: ignore[arg-type]  # a union

    def read(self, source: JobFolder) -> None:
        """Add the records of one job folder; a killed attempt becomes a record of its own."""
        index, path = len(self.sources), source.records
        self.sources.append(source)
        if not path.exists():
            return
        killed: dict[tuple[str, int], list[bytes]] = {}  # turns whose record has not come yet
        first: bytes | None = None
        torn: list[int] = []
        parse = self._parser.parse
        for number, text in numbered_lines(path):
            line = parse(text, path)
            kind = type(line)
            if kind is _Row and self._add(line, text, index):  # type: ignore[arg-type]  # is a _Row
                first = first or text
                if killed:
                    killed.pop((line.key, line.attempt), None)  # type: ignore[union-attr]  # is a _Row
            elif isinstance(line, _Head):
                killed.setdefault((line.key, line.attempt), []).append(text)
            elif isinstance(line, Machine):
                self.machines[index, line.id] = line
            elif isinstance(line, Limits):
                self.limits[index, line.id] = line
            else:
                torn.append(number)
        if killed:
            self._bury(chain([first] if first else [], *killed.values()), index, source)
        self.warnings += filter(None, [torn_sentence(path, torn)])

    def _bury(self, texts: Iterable[bytes], index: int, source: JobFolder) -> None:
        """Add a record for each killed attempt among the turns `texts`."""
        parsed = (self._whole.parse(text, source.records) for text in texts)
        lines: list[Line] = [line for line in parsed if line is not None]
        lines += [machine for (file, _), machine in self.machines.items() if file == index]
        for record in orphans(lines, source.job):
            text = msgspec.json.encode(record)
            row = self._parser.parse(text, source.records)
            if isinstance(row, _Row):
                self._add(row, text, index)

    def _add(self, row: _Row, text: bytes, index: int) -> bool:
        """Take a row into the batch; return False, and nothing taken, if it is not valid as a whole."""
        samples = row.samples
        if samples is not None and len(samples.seconds) != len(samples.flags):
            return False
        try:
            case, work = self._cases[bytes(row.case)], self._works[bytes(row.work)]
        except msgspec.MsgspecError:
            return False
        if self.keep:
            record = self._whole.parse(text, self.sources[index].records)
            if not isinstance(record, Record):
                return False
            self.records.append(record)
        self._codes.append((case, self._scopes[index, _PLACE(row)], self._endings[_ENDING(row)], work))
        self._batch.append(row)
        if len(self._batch) == BATCH:
            self._flush()
        return True

    def _flush(self) -> None:
        """Turn the batch into arrays, its samples into statistics."""
        batch = self._batch
        numbers = _floats(_NUMBERS, batch) | _floats(_PHASES, [row.phases for row in batch])
        numbers |= _sample_statistics([row.samples or _NO_SAMPLES for row in batch])
        self._done.append((np.array(self._codes, np.int32).T, numbers))
        self._started += [row.started_at for row in batch]
        self._batch, self._codes = [], []

    def columns(self) -> Columns:
        """Return everything that was read."""
        if self._batch:
            self._flush()
        codes = [np.concatenate(parts) for parts in zip(*(c for c, _ in self._done), strict=True)]
        case, scope, ending, work = codes or [np.zeros(0, np.int32)] * 4
        names = self._done[0][1] if self._done else ()
        return Columns(
            sources=self.sources,
            case=case,
            scope=scope,
            ending=ending,
            work=work,
            cases=self._cases.things,
            scopes=[Scope(index, *place) for index, place in self._scopes],  # type: ignore[arg-type]  # of _PLACE
            endings=[Ending(*words) for words in self._endings],  # type: ignore[arg-type]  # of _ENDING
            works=self._works.things,
            numbers={name: np.concatenate([numbers[name] for _, numbers in self._done]) for name in names},
            started_at=self._started,
            machines=self.machines,
            limits=self.limits,
            records=self.records,
            keys={record.key for record in self.records},
            warnings=self.warnings,
        )


def _floats(names: tuple[str, ...], things: Sequence[object]) -> dict[str, Floats]:
    """Return one attribute of all things a column; NaN for None."""
    columns = zip(*map(attrgetter(*names), things), strict=True)
    return {name: np.array(column, np.float64) for name, column in zip(names, columns, strict=True)}


def _sample_statistics(samples: list[_Samples]) -> dict[str, Floats]:
    """Return the statistics over the counted samples of each record."""
    flags, lengths = _flat([s.flags for s in samples], np.int64)
    counts = flags == 0
    row = np.repeat(np.arange(len(samples)), lengths)

    def counted(columns: list[list[float]]) -> tuple[Floats, NDArray[np.int64]]:
        """Return the counted values of a column; none of a record whose column is not whole."""
        values, found = _flat(columns, np.float64)
        whole = found == lengths
        present = whole[row]
        if not whole.all():
            values = values[np.repeat(whole, found)]
        return values[counts[present]], np.bincount(row[present & counts], minlength=len(samples))

    seconds, repeats = counted([s.seconds for s in samples])
    median, low, high = statistics.median_intervals(seconds, repeats)
    return {
        "repeats": repeats.astype(np.float64),
        "median_s": median,
        "low_s": low,
        "high_s": high,
        "get_s": statistics.medians(*counted([s.get_s for s in samples])),
        "foreign_cpu": statistics.medians(*counted([s.foreign for s in samples])),
    }


def _flat(columns: Sequence[Sequence[float]], dtype: type[Number]) -> tuple[NDArray[Number], NDArray[np.int64]]:
    """Return the values of all columns, one after the other, and how many each has."""
    lengths = np.fromiter(map(len, columns), np.int64, len(columns))
    return np.fromiter(chain.from_iterable(columns), dtype, int(lengths.sum())), lengths
