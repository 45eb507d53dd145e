"""A question, and the cases and platforms that answer it: TOML to a Scenario, its cells and its jobs."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from daasbench import registry, toml
from daasbench.contracts import Implementation, Kernel, Options
from daasbench.errors import InputError, PluginError, ScenarioError, UnknownName, unknown_sentence
from daasbench.model import Case, Goal, Job, Planned, Platform, Repeat, Scalar, Written, digest

Axis = int | Literal["max"] | list[int | Literal["max"]]
AXES = ("implementations", "sizes", "seed", "nodes", "ranks", "threads", "gpus")
DATA = "data:"  # prefix of files that are looked for in the folder DAASBENCH_DATA


class CaseBlock(Written, frozen=True, kw_only=True):
    """One ``[[cases]]`` table: a grid of cases of one kernel."""

    kernel: str
    implementations: str | list[str] = "all"
    sizes: str | list[str] = "small"
    seed: int | list[int] = 0
    nodes: Axis = 1
    ranks: Axis = 1
    threads: Axis = "max"
    gpus: Axis = 1
    zip: list[list[str]] = []
    input: str | None = None
    cache: bool = False
    options: dict[str, Scalar] = {}


class Scenario(Written, frozen=True, kw_only=True):
    """What a person asks."""

    question: str
    platforms: list[str]
    cases: list[CaseBlock]
    goal: Goal | None = None
    repeat: Repeat = Repeat()


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A case on a platform, with what is needed to run it: the files and the user's source, if any."""

    case: Case
    platform: str
    paths: dict[str, str] = {}
    source: str | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded scenario: everything resolved, nothing run."""

    name: str
    scenario: Scenario
    platforms: dict[str, Platform]
    cells: list[Cell]
    notes: list[str] = []  # what a reader must know: a measured file that is absent here, say

    @property
    def identity(self) -> str:
        """Return the hash by which a later call finds this scenario's run; texts and stopping rules do not count."""
        return digest([self.name, [[c.case.id, c.platform] for c in self.cells], self.scenario.repeat.processes])


# --- load -----------------------------------------------------------------------------------------------------


def load(raw: Mapping[str, Any], *, name: str, where: str, folder: Path, cores_here: int, gpus_here: int = 0) -> Plan:
    """Return the plan of a scenario; everything wrong in it is refused here.

    Parameters
    ----------
    raw
        The tables of the TOML file, after ``--set`` and ``--input``.
    where
        How the file is named in messages.
    folder
        The folder that paths in the scenario are relative to.
    cores_here, gpus_here
        What this machine has, for platforms that do not declare it.

    Raises
    ------
    ScenarioError, UnknownName, PluginError, InputError
        Each names file, key, what is wrong, and what would be right.
    """
    scenario = toml.convert(dict(raw), Scenario, where)
    for key in ("platforms", "cases"):
        if not getattr(scenario, key):
            raise ScenarioError(f"{where}: {key}: is empty; a scenario needs at least one")
    if not scenario.question.strip():
        raise ScenarioError(f"{where}: question: is empty; say in a sentence what shall be answered")
    platforms = {}
    for index, named in enumerate(scenario.platforms):
        stem, platform = load_platform(named, folder, f"{where}: platforms[{index}]")
        platforms[stem] = platform
    cells: list[Cell] = []
    notes: list[str] = []
    for index, block in enumerate(scenario.cases):
        expander = _Expander(block, f"{where}: cases[{index}]", folder)
        notes += expander.notes
        for stem, platform in platforms.items():
            cores = platform.cores_per_node or cores_here
            gpus = gpus_here if platform.gpus_per_node is None else platform.gpus_per_node
            cells += expander.cells(stem, cores, gpus)
    unique = {(cell.case.id, cell.platform): cell for cell in cells}
    return Plan(name=name, scenario=scenario, platforms=platforms, cells=list(unique.values()), notes=notes)


def load_platform(named: str, folder: Path, where: str) -> tuple[str, Platform]:
    """Return stem and declaration of a platform: the name of a shipped file, or a path."""
    if "/" in named or named.endswith(".toml"):
        path = folder / named
        if not path.is_file():
            raise ScenarioError(f"{where}: no such file {str(path)!r}; name a shipped platform or a TOML file")
    else:
        shipped = shipped_files("platforms")
        if named not in shipped:
            raise ScenarioError(unknown_sentence("platform", named, shipped, where))
        path = shipped[named]
    platform = toml.convert(toml.read(path), Platform, str(path))
    if platform.runner not in registry.names("runners"):
        known = registry.names("runners")
        raise ScenarioError(unknown_sentence("runner", platform.runner, known, f"{path}: runner"))
    registry.runner(platform.runner).check(platform.options, f"{path}: options")
    return path.stem, platform


def shipped_files(folder: str = "") -> dict[str, Path]:
    """Return the TOML files that installed packages ship, by stem: scenarios, or those of a sub-folder."""
    return {path.stem: path for shelf in registry.shelves() for path in sorted((shelf / folder).glob("*.toml"))}


# --- expand ---------------------------------------------------------------------------------------------------


class _Expander:
    """One block of cases: checked once, expanded for each platform."""

    def __init__(self, block: CaseBlock, where: str, folder: Path) -> None:
        self.block, self.where, self.folder = block, where, folder
        self.notes: list[str] = []
        self.source: Path | None = None
        self.kernel = self._kernel()
        self.paths = self._resolve_files()
        self.options = self._options()
        self.implementations = self._implementations()
        self.sizes = self._sizes()
        self.input_hash = content_hash(self.paths.values()) if self.paths else None
        if "input" in self.paths:
            self.kernel.survey(Path(self.paths["input"]), self.options)
        for name in ("nodes", "ranks", "threads", "gpus"):
            self._check_counts(name)

    def _kernel(self) -> Kernel:
        name = self.block.kernel
        try:
            if registry.is_file(name):
                found = registry.kernel_from_file(self.folder / name)
                self.source = Path(str(self.folder / name).partition(".py")[0] + ".py").resolve()
                return found
            return registry.kernel(name)
        except (UnknownName, PluginError) as error:
            raise ScenarioError(f"{self.where}.kernel: {error}") from error

    def _resolve_files(self) -> dict[str, str]:
        """Return the paths of the input and of the options that name files; absent ``data:`` files are noted."""
        named = {key: str(self.block.options[key]) for key in self._file_options() if key in self.block.options}
        if self.block.input is not None:
            if not self.kernel.reads_files:
                raise ScenarioError(f"{self.where}.input: kernel {self.kernel.name} reads no files; remove the key")
            named["input"] = self.block.input
        found = {key: find_file(text, self.folder) for key, text in named.items()}
        absent = [named[key] for key, path in found.items() if path is None]
        for key, text in named.items():
            if found[key] is None and not text.startswith(DATA):
                place = f"{self.where}.{'' if key == 'input' else 'options.'}{key}"
                raise ScenarioError(f"{place}: no such file {text!r} (looked in {self.folder.resolve()})")
        if absent:
            self.notes.append(
                f"{self.kernel.name}: measured file {absent[0].removeprefix(DATA)} is not in DAASBENCH_DATA;"
                " generated data is used instead"
            )
            return {}
        return {key: str(path) for key, path in found.items() if path is not None}

    def _file_options(self) -> list[str]:
        import msgspec.inspect as inspect

        info = inspect.type_info(self.kernel.options)
        fields = info.fields if isinstance(info, inspect.StructType) else ()
        return [one.name for one in fields if _is_file(one.type)]

    def _options(self) -> Options:
        raw = dict(self.block.options)
        for key in self._file_options():
            raw.pop(key, None)
            if key in self.paths:
                raw[key] = self.paths[key]
        return toml.convert(raw, self.kernel.options, f"{self.where}.options")

    def _implementations(self) -> list[Implementation]:
        named, known = self.block.implementations, self.kernel.implementations
        if isinstance(named, str):
            if named == "all":
                return [one for one in known.values() if not one.peer]
            if named == "peers":
                from daasbench.backends import is_here

                return [one for one in known.values() if not one.peer or is_here(one)]
            named = [named]
        if not named:
            raise ScenarioError(f'{self.where}.implementations: is empty; name some, or write "all"')
        for one in named:
            if one not in known:
                words = [*known, "all", "peers"]
                raise ScenarioError(unknown_sentence("implementation", one, words, f"{self.where}.implementations"))
        return [known[one] for one in named]

    def _sizes(self) -> Sequence[str | None]:
        if "input" in self.paths:
            return [None]
        named = self.block.sizes if isinstance(self.block.sizes, list) else [self.block.sizes]
        if not named:
            raise ScenarioError(f"{self.where}.sizes: is empty; it has: {', '.join(self.kernel.sizes)}")
        for one in named:
            if one not in self.kernel.sizes:
                raise ScenarioError(unknown_sentence("size", one, self.kernel.sizes, f"{self.where}.sizes"))
        return named

    def _check_counts(self, name: str) -> None:
        least = 0 if name == "gpus" else 1
        values = getattr(self.block, name)
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, int) and value < least:
                raise ScenarioError(f'{self.where}.{name}: {value} is not possible; write {least} or more, or "max"')
        if values == []:
            raise ScenarioError(f'{self.where}.{name}: is empty; write a count, a list of counts, or "max"')

    def cells(self, platform: str, cores: int, gpus: int) -> Iterator[Cell]:
        """Yield every cell on a platform with `cores` and `gpus`; axes that an implementation lacks collapse."""
        seeds: Sequence[int | None] = _listed(self.block.seed) if self.sizes != [None] else [None]
        axes: dict[str, Sequence[Any]] = {
            "implementations": self.implementations,
            "sizes": self.sizes,
            "seed": seeds,
            "nodes": _counts(self.block.nodes, 1),
            "ranks": _counts(self.block.ranks, cores),
            "threads": _counts(self.block.threads, cores),
            "gpus": _counts(self.block.gpus, max(gpus, 1)),
        }
        for point in _grid(axes, self.block.zip, f"{self.where}.zip"):
            yield self._cell(platform, point)

    def _cell(self, platform: str, point: Mapping[str, Any]) -> Cell:
        way: Implementation = point["implementations"]
        kept = msgspec.to_builtins(self.options)
        case = Case(
            kernel=self.kernel.name,
            implementation=way.name,
            version=registry.version_of(way, self.source),
            size=point["sizes"],
            seed=point["seed"],
            input=self.block.input if "input" in self.paths else None,
            files={key: Path(path).name for key, path in self.paths.items() if key != "input"},
            input_hash=self.input_hash,
            options={key: value for key, value in kept.items() if key not in self._file_options()},
            cache=self.block.cache,
            nodes=point["nodes"],
            ranks=point["ranks"] if way.backend == "ranks" else 1,
            threads=point["threads"] if way.threads else 1,
            gpus=point["gpus"] if way.gpus else 0,
        )
        source = str(self.source) if self.source else None
        return Cell(case=case, platform=platform, paths=self.paths, source=source)


def _is_file(kind: Any) -> bool:
    import msgspec.inspect as inspect

    if isinstance(kind, inspect.UnionType):
        return any(_is_file(one) for one in kind.types)
    return isinstance(kind, inspect.Metadata) and bool((kind.extra or {}).get("file"))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _counts(axis: Axis, most: int) -> list[int]:
    """Return the counts of an axis in order, ``"max"`` resolved, duplicates merged."""
    return list(dict.fromkeys(most if one == "max" else int(one) for one in _listed(axis)))


def _grid(axes: dict[str, Sequence[Any]], pairs: Sequence[Sequence[str]], where: str) -> Iterator[dict[str, Any]]:
    """Yield every point of the grid; the axes named together in `pairs` advance together."""
    groups: list[tuple[str, ...]] = []
    for pair in pairs:
        for name in pair:
            if name not in axes:
                raise ScenarioError(unknown_sentence("axis", name, AXES, where))
            if any(name in group for group in groups):
                raise ScenarioError(f"{where}: axis {name!r} is paired twice; name it once")
        lengths = {name: len(axes[name]) for name in pair}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} has {count}" for name, count in lengths.items())
            raise ScenarioError(f"{where}: paired axes must be equally long: {told}")
        groups.append(tuple(pair))
    paired = {name for group in groups for name in group}
    groups += [(name,) for name in axes if name not in paired]
    columns = [list(zip(*(axes[name] for name in group), strict=True)) for group in groups]
    for values in itertools.product(*columns):
        yield {n: v for group, point in zip(groups, values, strict=True) for n, v in zip(group, point, strict=True)}


# --- files ----------------------------------------------------------------------------------------------------


def find_file(text: str, folder: Path) -> Path | None:
    """Return the absolute path that `text` names, or None: relative to `folder`, or in DAASBENCH_DATA."""
    if text.startswith(DATA):
        path = Path(os.environ.get("DAASBENCH_DATA") or "../shared/data") / text.removeprefix(DATA)
    else:
        path = folder / Path(text).expanduser()
    return path.resolve() if path.is_file() else None


def content_hash(paths: Any, sample: int = 1 << 26) -> str:
    """Return a hash of the content of files; of files above 16 samples only size and 16 even samples count."""
    total = hashlib.sha256()
    for path in paths:
        try:
            size = Path(path).stat().st_size
            with open(path, "rb") as stream:
                if size <= 16 * sample:
                    total.update(hashlib.file_digest(stream, "sha256").digest())
                    continue
                total.update(str(size).encode())
                for step in range(16):
                    stream.seek(step * (size - sample) // 15)
                    total.update(stream.read(sample))
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return total.hexdigest()[:16]


# --- group ----------------------------------------------------------------------------------------------------


def resume_key(case: Case, platform: str, process: int, commit: str) -> str:
    """Return what identifies one cell of the ledger: case, platform, process index, suite commit."""
    return digest([case.id, platform, process, commit])


def group(plan: Plan, planned: Mapping[str, Sequence[Planned]], *, run: str, first: int, commit: str) -> list[Job]:
    """Return one job a platform from what is to be done there, its order randomised.

    The order of the sets (and, on the node, of the contenders' turns) follows from the run's name, which the
    job carries, so that it can be told afterwards.
    """
    jobs = []
    for number, (name, todo) in enumerate(sorted(planned.items()), start=first):
        seed = int(digest([run, number]), 16) % 2**32
        order = list(todo)
        random.Random(seed).shuffle(order)
        kernels = {cell.case.kernel: cell.source for cell in plan.cells if cell.source}
        jobs.append(
            Job(
                id=f"{number:03d}-{name}",
                run=run,
                platform_name=name,
                platform=plan.platforms[name],
                planned=order,
                repeat=plan.scenario.repeat,
                commit=commit,
                sources={kernel: source for kernel, source in kernels.items() if source},
                inputs={c.case.input_hash: c.paths for c in plan.cells if c.case.input_hash},
                order_seed=seed,
            )
        )
    return jobs
