"""A question, and the cases and platforms that answer it: TOML to a plan, and the plan's jobs."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from daasbench import registry, toml
from daasbench.errors import ScenarioError, unknown_sentence
from daasbench.expand import CaseBlock, Cell, Grid
from daasbench.model import Case, Goal, Job, Planned, Platform, Repeat, Written, digest

MOST_MEASUREMENTS = 1_000_000  # cells x processes of a scenario
LONGEST_S = 365 * 86400.0  # of repeat.limit_s


class Scenario(Written, frozen=True, kw_only=True):
    """What a person asks."""

    question: Annotated[str, msgspec.Meta(pattern=r"\S", description="a sentence that says what shall be answered")]
    platforms: Annotated[
        list[str],
        msgspec.Meta(min_length=1, description='a list of names or paths of platforms, such as ["here"]'),
    ]
    cases: Annotated[
        list[CaseBlock], msgspec.Meta(min_length=1, description="at least one table of cases, headed [[cases]]")
    ]
    goal: Goal | None = None
    repeat: Repeat = Repeat()


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
    ScenarioError, InputError
        Each names file, key, what is wrong, and what would be right.
    """
    scenario = toml.convert(dict(raw), Scenario, where)
    _check_repeat(scenario.repeat, where)
    platforms = _platforms(scenario.platforms, folder, where)
    grids = [Grid(block, where, f"cases[{index}]", folder) for index, block in enumerate(scenario.cases)]
    _check_kernels(grids, where)
    cells: dict[tuple[str, str], Cell] = {}
    for grid in grids:
        for stem, platform in platforms.items():
            cores = platform.cores_per_node or cores_here
            gpus = gpus_here if platform.gpus_per_node is None else platform.gpus_per_node
            cells |= {(cell.case.id, stem): cell for cell in grid.cells(stem, platform, cores, gpus)}
    asked = len(cells) * scenario.repeat.processes
    if asked > MOST_MEASUREMENTS:
        told = f"asks for {asked} measurements (cases x processes), more than {MOST_MEASUREMENTS}"
        raise ScenarioError(f"{where}: {told}; lower repeat.processes or shorten a list")
    notes = dict.fromkeys([*registry.warnings(), *(note for grid in grids for note in grid.notes)])
    return Plan(name=name, scenario=scenario, platforms=platforms, cells=list(cells.values()), notes=list(notes))


def _check_repeat(repeat: Repeat, where: str) -> None:
    if repeat.max_repeats < repeat.min_repeats:
        told = f"{repeat.max_repeats} is less than min_repeats = {repeat.min_repeats}; raise it, or lower the other"
        raise ScenarioError(f"{where}: repeat.max_repeats: {told}")
    if repeat.limit_s > LONGEST_S:
        raise ScenarioError(f"{where}: repeat.limit_s: {repeat.limit_s:g} s is more than a year; write less")


def _check_kernels(grids: Sequence[Grid], where: str) -> None:
    """Refuse two kernels of one name: records could not be told apart."""
    sources: dict[str, Path | None] = {}
    for grid in grids:
        name = grid.kernel.name
        if sources.setdefault(name, grid.source) != grid.source:
            one, other = (str(source) if source else "an installed one" for source in (sources[name], grid.source))
            told = f"two kernels are called {name!r}, {one} and {other}; give yours another: @kernel(name=...)"
            raise ScenarioError(f"{where}: {grid.at}.kernel: {told}")


# --- platforms ------------------------------------------------------------------------------------------------


def _platforms(names: Sequence[str], folder: Path, where: str) -> dict[str, Platform]:
    platforms: dict[str, Platform] = {}
    for index, named in enumerate(names):
        stem, platform = load_platform(named, folder, f"{where}: platforms[{index}]")
        if stem in platforms:
            told = f"a platform called {stem!r} is already named; name it once, or rename one of the files"
            raise ScenarioError(f"{where}: platforms[{index}]: {told}")
        platforms[stem] = platform
    return platforms


def load_platform(named: str, folder: Path, where: str) -> tuple[str, Platform]:
    """Return stem and declaration of a platform: the name of a shipped file, or a path."""
    if "/" in named or named.endswith(".toml"):
        path = folder / named
        if not path.is_file():
            kind = "is a folder" if path.is_dir() else "no such file"
            raise ScenarioError(f"{where}: {str(path)!r}: {kind}; name a shipped platform or a TOML file")
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
    """Return the TOML files that installed packages ship, by stem: scenarios, or those of a sub-folder.

    Where two packages ship the same name, that of the first shelf counts: ours before anyone's.
    """
    found: dict[str, Path] = {}
    for shelf in registry.shelves():
        for path in sorted((shelf / folder).glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


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


__all__ = [
    "CaseBlock",
    "Cell",
    "Plan",
    "Scenario",
    "group",
    "load",
    "load_platform",
    "resume_key",
    "shipped_files",
]
