"""One ``[[cases]]`` table: its values are checked once, and then expanded to a grid of cases on each platform."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import msgspec

from daasbench import registry
from daasbench.authoring.growth import grown_parameters
from daasbench.contracts import Implementation, Kernel, Options, Parameters
from daasbench.errors import InputError, PluginError, ScenarioError, UnknownName, UsageError, unknown_sentence
from daasbench.model import Case, Platform, Scalar, Work, Written, parsing
from daasbench.scenario.cores import share_cores
from daasbench.scenario.implementations import Names, named_implementations
from daasbench.scenario.input_files import DATA, content_hash, find_file
from daasbench.scenario.scaling_series import counts_to

MOST_COUNT = 1_000_000  # nodes, ranks, threads or GPUs of a case
MOST_POINTS = 100_000  # of one table's grid
ONE_NODE = ("host", "cuda")  # backends that compute on one node only

_WORDS = 'a count of 1 or more, or "max"'
Counts = Annotated[int, msgspec.Meta(ge=1, le=MOST_COUNT)] | Literal["max"]
SIZE = "small"  # if a table names none
SERIES = "ladder"  # 1, 2, 4 ... and as many as there are
Axis = Annotated[
    Counts
    | Literal["ladder"]
    | Annotated[list[Annotated[Counts, msgspec.Meta(description=_WORDS)]], msgspec.Meta(min_length=1)],
    msgspec.Meta(description='a count of 1 or more, "max" or "ladder", or a list of them'),
]
Seed = Annotated[int, msgspec.Meta(ge=0)]
Seeds = Annotated[
    Seed | Annotated[list[Annotated[Seed, msgspec.Meta(description="0 or more")]], msgspec.Meta(min_length=1)],
    msgspec.Meta(description="a whole number of 0 or more, or a list of them"),
]
StartStates = Literal["any", "warm", "uncompiled", "cold", "first"]


class CaseBlock(Written, frozen=True, kw_only=True):
    """One ``[[cases]]`` table: a grid of cases of one kernel."""

    kernel: str
    implementations: Annotated[Names, msgspec.Meta(description='names of implementations, or "all", or "peers"')] = (
        "all"
    )
    sizes: Annotated[Names, msgspec.Meta(description="names of sizes")] = SIZE
    seed: Seeds = 0
    nodes: Axis = 1
    ranks: Axis = 1
    threads: Axis = "max"
    gpus: Axis = 1
    per: Annotated[
        Literal["rank", "core", "node"] | None,
        msgspec.Meta(description='"rank", "core" or "node": a size is then the size per rank, core or node'),
    ] = None
    zip: Annotated[
        list[Annotated[list[str], msgspec.Meta(min_length=2, description='two axes or more: ["ranks", "threads"]')]],
        msgspec.Meta(description='a list of lists of axes, such as [["ranks", "threads"]]'),
    ] = []
    input: str | None = None
    platforms: Annotated[
        list[str] | None,
        msgspec.Meta(description="a list of some of the scenario's platforms"),
    ] = None
    cache: bool = False
    start: Annotated[
        StartStates | Annotated[list[StartStates], msgspec.Meta(min_length=1)],
        msgspec.Meta(description='"any", "warm", "uncompiled", "cold" or "first", or a list of them'),
    ] = "any"
    quick: bool = False
    options: dict[str, Scalar] = {}


AXES = ("implementations", "sizes", "seed", "nodes", "ranks", "threads", "gpus", "start")


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A case on a platform, with the paths of its files and of the user's source, if any."""

    case: Case
    platform: str
    paths: dict[str, str] = {}
    source: str | None = None


class CaseGrid:
    """One table of cases, of which everything is checked that does not depend on the platform.

    Parameters
    ----------
    where, at
        The name of the file in messages, and the key of the table in it: ``cases[0]``.
    folder
        The folder to which paths are relative.
    """

    def __init__(self, block: CaseBlock, where: str, at: str, folder: Path) -> None:
        self.block, self.where, self.at, self.folder = block, where, at, folder
        self.notes: list[str] = []
        self.source: Path | None = None
        self.kernel = self._kernel()
        self.marks = parsing.fields(self.kernel.options)
        self.paths = self._resolve_files()
        self.options = self._options()
        self.implementations = self._implementations()
        self._note_ranks()
        self.sizes = self._sizes()
        self.input_hash = content_hash(self.paths) if self.paths else None
        self._works: dict[tuple[str | None, int], Work] = {}
        self._check_problem()
        self._check_growth()
        _check_pairs(block.zip, f"{where}: {at}.zip")

    def cells(self, name: str, platform: Platform, cores: int, gpus: int) -> Iterator[Cell]:
        """Yield every cell on a platform with `cores` and `gpus` per node.

        If an implementation does not have an axis, there is only one cell for all values of this axis.
        """
        axes: dict[str, Sequence[Any]] = {
            "implementations": self.implementations,
            "sizes": self.sizes,
            "seed": [None] if self.sizes == [None] else _listed(self.block.seed),
            **self._resource_axes(platform.nodes, cores),
            "gpus": _counts(self.block.gpus, max(gpus, 1)),
            "start": [None if state == "any" else state for state in _listed(self.block.start)],
        }
        for point in _points(axes, self._pairs(), f"{self.where}: {self.at}"):
            cell = self._cell(name, point, cores)
            if cell is not None:
                yield cell

    def probed(self, name: str, platform: Platform, cores: int, gpus: int) -> list[Cell]:
        """Return the cells that a node with `cores` and `gpus` would have; no note is taken."""
        notes = list(self.notes)
        cells = list(self.cells(name, platform, cores, gpus))
        self.notes[:] = notes
        return cells

    @property
    def across_sizes(self) -> bool:
        """Return whether sizes are paired with resources, so that one series has several sizes."""
        return any("sizes" in pair and {"nodes", "ranks", "threads"} & {*pair} for pair in self.block.zip)

    def work(self, case: Case) -> Work:
        """Return the minimum work of a repeat of a case of this table."""
        key = case.size, case.grown
        if key not in self._works:
            self._works[key] = self.kernel.work(self._parameters(case.size, case.grown), self.options)
        return self._works[key]

    # --- what the block means

    def _parameters(self, size: str | None, grown: int) -> Parameters:
        if size is None:
            return self.kernel.survey(Path(self.paths["input"]), self.options)
        return grown_parameters(self.kernel, size, grown)

    def _resource_axes(self, nodes: int, cores: int) -> dict[str, Sequence[Any]]:
        """Return the axes of nodes, ranks and threads; each ``"ladder"`` becomes 1, 2, 4 ... and the largest count."""
        block = self.block
        doubling = {axis for axis in ("nodes", "ranks", "threads") if getattr(block, axis) == SERIES}
        threads = block.threads if isinstance(block.threads, int) else 1
        most = max(1, cores // threads)
        axes: dict[str, Sequence[Any]] = {
            "nodes": _counts(block.nodes, nodes),
            "ranks": _listed(block.ranks),
            "threads": _listed(block.threads),
        }
        if "threads" in doubling:
            ranks = block.ranks if isinstance(block.ranks, int) else 1
            axes["threads"] = counts_to(max(1, cores // ranks))
        if "ranks" in doubling:
            axes["ranks"] = counts_to(most)
            if block.threads == "max":
                axes["threads"] = [1]  # as if both were "max"
            if "nodes" in doubling:  # first counts within one node, then whole nodes: the two axes are paired
                whole = counts_to(nodes)[1:] if nodes > 1 else []
                axes["nodes"] = [1] * len(axes["ranks"]) + whole
                axes["ranks"] = [*axes["ranks"], *(most * count for count in whole)]
        return axes

    def _pairs(self) -> Sequence[Sequence[str]]:
        together = self.block.nodes == self.block.ranks == SERIES
        return [*self.block.zip, ["nodes", "ranks"]] if together else self.block.zip

    def _refuse(self, key: str, message: object, cause: Exception | None = None) -> NoReturn:
        raise ScenarioError(f"{self.where}: {self.at}{key}: {message}") from cause

    def _kernel(self) -> Kernel:
        name = self.block.kernel
        try:
            if registry.is_file(name):
                self.source = registry.source_of(self.folder / name)[0].resolve()
                return registry.kernel_from_file(self.folder / name)
            return registry.kernel(name)
        except (UnknownName, PluginError) as error:
            self._refuse(".kernel", error, error)

    def _resolve_files(self) -> dict[str, str]:
        """Return the paths of the input and of the options that name files; missing ``data:`` files are noted."""
        named: dict[str, tuple[str, str]] = {}
        if self.block.input is not None:
            if not self.kernel.reads_files:
                fix = f"; to read one, add a function with @{self.kernel.name}.reader" if self.source else ""
                self._refuse(".input", f"kernel {self.kernel.name} reads no files; remove input{fix}")
            named["input"] = (".input", self.block.input)
        for key in self._marked("file"):
            if key in self.block.options:
                value = self.block.options[key]
                if not isinstance(value, str):
                    self._refuse(f".options.{key}", f"expected the name of a file, got {value}")
                named[key] = (f".options.{key}", value)
        found: dict[str, str] = {}
        absent = []
        for key, (at, text) in named.items():
            try:
                path = find_file(text, self.folder)
            except InputError as error:
                self._refuse(at, error, error)
            if path is None:
                absent.append(text.removeprefix(DATA))
            else:
                found[key] = str(path)
        if absent:
            message = f"the measured file {absent[0]} is not in DAASBENCH_DATA; generated data are used instead"
            self.notes.append(f"{self.kernel.name}: {message}")
            return {}
        return found

    def _marked(self, mark: str) -> list[str]:
        return [key for key, info in self.marks.items() if parsing.marked(info, mark)]

    def _options(self) -> Options:
        raw: dict[str, Scalar] = dict(self.block.options)
        files = self._marked("file")
        of_input = [key for key in raw if key in self._marked("of_input")]
        if of_input and "input" not in self.paths:
            if self.block.input is None:
                self._refuse(
                    f".options.{of_input[0]}",
                    "describes a file, but no file is given; give it by input or --input FILE",
                )
            raw = {key: value for key, value in raw.items() if key not in of_input}
        raw = {key: value for key, value in raw.items() if key not in files} | {
            key: path for key, path in self.paths.items() if key in files
        }
        return parsing.convert(raw, self.kernel.options, self.where, f"{self.at}.options")

    def _implementations(self) -> list[Implementation]:
        try:
            return named_implementations(self.kernel, self.block.implementations)
        except UnknownName as error:
            self._refuse(".implementations", error, error)

    def _note_ranks(self) -> None:
        """Add a note if implementations use one rank with all threads: a user may expect one rank per core."""
        names = [one.name for one in self.implementations if one.backend not in ONE_NODE]
        if names and self.block.ranks == 1 and self.block.implementations in ("all", "peers"):
            message = f"the implementations {' and '.join(names)} use 1 rank with all threads"
            if len(names) == 1:
                message = f"the implementation {names[0]} uses 1 rank with all threads"
            fix = "to use one rank per core: --set cases.ranks=max"
            self.notes.append(f"{self.kernel.name}: {message}; {fix}")

    def _sizes(self) -> Sequence[str | None]:
        written = self.block.sizes != SIZE or "input" not in self.paths
        for size in _listed(self.block.sizes) if written else ():
            if size not in self.kernel.sizes:
                self._refuse(".sizes", unknown_sentence("size", size, self.kernel.sizes))
        if "input" in self.paths:
            return [None]
        return list(dict.fromkeys(_listed(self.block.sizes)))

    def _check_problem(self) -> None:
        """Ask the kernel whether it can make a problem with these options, or from this file."""
        try:
            if "input" in self.paths:
                parameters = [self.kernel.survey(Path(self.paths["input"]), self.options)]
            else:
                parameters = [self.kernel.sizes[size] for size in self.sizes if size is not None]
            for problem in parameters:
                self.kernel.work(problem, self.options)
        except InputError:
            raise  # names its file
        except UsageError as error:
            self._refuse(".options", error, error)
        except Exception as error:  # a plug-in is foreign code
            cause = f"{type(error).__name__}: {error}"
            if "input" in self.paths:
                message = f"kernel {self.kernel.name} cannot read it; the file may be damaged: {cause}"
                raise InputError(f"{self.paths['input']}: {message}") from error
            self._refuse("", f"kernel {self.kernel.name} cannot describe its problem: {cause}", error)

    def _check_growth(self) -> None:
        """Refuse ``per`` if the problem cannot grow, and a ``"ladder"`` among axes that are paired in zip."""
        block = self.block
        if block.per and "input" in self.paths:
            self._refuse(".per", "a measured file cannot grow; remove per")
        if block.per and getattr(self.kernel, "grows", None) is None:
            able = 'give the kernel a law of growth: grows=along("frames")'
            self._refuse(".per", f"kernel {self.kernel.name} does not say how its problem grows; remove per, or {able}")
        for pair in block.zip:
            for axis in pair:
                if getattr(block, axis, None) == SERIES:
                    message = (
                        f'{axis} is "ladder", and its length depends on the machine; write a list, such as [1, 2, 4]'
                    )
                    self._refuse(".zip", message)

    def _grown(self, nodes: int, ranks: int, threads: int) -> int:
        return {None: 1, "node": nodes, "rank": ranks, "core": ranks * threads}[self.block.per]

    def _cell(self, platform: str, point: Mapping[str, Any], cores: int) -> Cell | None:
        implementation: Implementation = point["implementations"]
        nodes = 1 if implementation.backend in ONE_NODE else point["nodes"]
        ranks = 1 if implementation.backend in ONE_NODE else point["ranks"]
        ranks, threads = share_cores(cores, nodes, ranks, point["threads"] if implementation.threads else 1)
        grown = self._grown(nodes, ranks, threads)
        try:
            self._parameters(point["sizes"], grown)
        except UsageError as error:
            if SERIES not in (self.block.nodes, self.block.ranks, self.block.threads):
                self._refuse(".per", error, error)
            message = f"{self.kernel.name}: {ranks * threads} cores on {platform} are excluded: the problem {error}"
            self.notes.append(message)
            return None
        kept = msgspec.to_builtins(self.options)
        case = Case(
            kernel=self.kernel.name,
            implementation=implementation.name,
            version=registry.version_of(implementation, self.source),
            size=point["sizes"],
            seed=point["seed"],
            input=self.block.input if "input" in self.paths else None,
            files={key: Path(path).name for key, path in self.paths.items() if key != "input"},
            input_hash=self.input_hash,
            options={key: value for key, value in kept.items() if key not in self.paths},
            cache=self.block.cache,
            nodes=nodes,
            ranks=ranks,
            threads=threads,
            gpus=point["gpus"] if implementation.gpus else 0,
            start=point["start"],
            grown=grown,
            quick=self.block.quick,
        )
        return Cell(case=case, platform=platform, paths=self.paths, source=str(self.source) if self.source else None)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _counts(axis: Axis, most: int) -> list[int]:
    """Return the counts of an axis in order, with a number for ``"max"``; duplicates are removed with the cells."""
    return counts_to(most) if axis == SERIES else [most if count == "max" else int(count) for count in _listed(axis)]


def _check_pairs(pairs: Sequence[Sequence[str]], place: str) -> None:
    seen: set[str] = set()
    for name in itertools.chain(*pairs):
        if name not in AXES:
            raise ScenarioError(f"{place}: {unknown_sentence('axis', name, AXES)}")
        if name in seen:
            raise ScenarioError(f"{place}: axis {name!r} is named twice; name it once")
        seen.add(name)


def _points(axes: dict[str, Sequence[Any]], pairs: Sequence[Sequence[str]], place: str) -> Iterator[dict[str, Any]]:
    """Yield every point of the grid; paired axes advance together."""
    for pair in pairs:
        if len({len(axes[name]) for name in pair}) > 1:
            message = ", ".join(f"{name} has {len(axes[name])}" for name in pair)
            raise ScenarioError(f"{place}.zip: paired axes must have the same number of values: {message}")
    paired = {name for pair in pairs for name in pair}
    groups = [*map(tuple, pairs), *((name,) for name in axes if name not in paired)]
    total = math.prod(len(axes[group[0]]) for group in groups)
    if total > MOST_POINTS:
        raise ScenarioError(
            f"{place}: asks for {total} cases, more than {MOST_POINTS}; shorten a list, or pair axes with zip"
        )
    columns = [list(zip(*(axes[name] for name in group), strict=True)) for group in groups]
    for values in itertools.product(*columns):
        yield {n: v for group, point in zip(groups, values, strict=True) for n, v in zip(group, point, strict=True)}
