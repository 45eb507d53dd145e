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
from daasbench.ladders import Intent, Rung, breach, planned_ladders
from daasbench.model import Beamline, Case, Goal, Job, Planned, Platform, Repeat, Written, digest

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
    intent: Annotated[
        Intent | None, msgspec.Meta(description='"strong" or "weak": what stays constant while cores are added')
    ] = None
    goal: Goal | None = None
    beamline: Beamline | None = None
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
    _check_beamline(scenario.beamline, grids, where)
    cells: dict[tuple[str, str], Cell] = {}
    for grid in grids:
        for stem, platform in _asked(grid, platforms, where).items():
            cores = platform.cores_per_node or cores_here
            gpus = gpus_here if platform.gpus_per_node is None else platform.gpus_per_node
            mine = {(cell.case.id, stem): cell for cell in grid.cells(stem, platform, cores, gpus)}
            if scenario.intent is not None:
                _check_intent(scenario.intent, grid, list(mine.values()), where)
            cells |= mine
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


def _check_intent(intent: Intent, grid: Grid, cells: Sequence[Cell], where: str) -> None:
    """Refuse a table whose work does not stay as its scenario says; note what there is only one rung of."""
    rungs = [Rung(case=cell.case, work=grid.work(cell.case), thing=cell) for cell in cells]
    climbing = planned_ladders(rungs, across_sizes=grid.across_sizes)
    for ladder in climbing:
        if told := breach(ladder, intent):
            first = ladder.first
            cure = (
                "leave per out, and sizes out of zip"
                if intent is Intent.STRONG
                else 'write per = "core", so that the problem grows with the cores'
                if grid.block.per is None and not grid.across_sizes
                else "choose a larger size: this one cannot grow so evenly"
            )
            raise ScenarioError(
                f'{where}: intent = "{intent}": {grid.at} breaks it: {first.kernel} / {first.implementation}, size'
                f" {first.size}: {told}; {cure}"
            )
    able = {cell.case.implementation for ladder in climbing for rung in ladder.rungs for cell in [rung.thing]}
    single = sorted({cell.case.implementation for cell in cells} - able)
    if single:
        platform = cells[0].platform
        told = f"{', '.join(single)} on one number of cores only on {platform}: its scaling is not seen there"
        grid.notes.append(f"{grid.kernel.name}: {told}")


def _check_beamline(beamline: Beamline | None, grids: Sequence[Grid], where: str) -> None:
    """Refuse a rate that a kernel's cannot be divided by."""
    for grid in grids:
        unit = grid.kernel.card.unit
        if beamline and beamline.unit != unit:
            told = f"{beamline.unit!r} is not what {grid.at} counts: {grid.kernel.name} computes so many of {unit!r}"
            cure = f"give the rate in that unit, or ask of {grid.kernel.name} in a scenario of its own"
            raise ScenarioError(f"{where}: beamline.unit: {told}; {cure}")


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


def _asked(grid: Grid, platforms: Mapping[str, Platform], where: str) -> Mapping[str, Platform]:
    """Return the platforms on which a table of cases is measured: all, or those that it names."""
    names = grid.block.platforms
    for name in names or ():
        if name not in platforms:
            told = unknown_sentence("platform of this scenario", name, platforms, f"{where}: {grid.at}.platforms")
            raise ScenarioError(told)
    return {name: platform for name, platform in platforms.items() if names is None or name in names}


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
    """Return one job a platform from what is to be done there, its order randomised; several where they take turns.

    The order of the sets (and, on the node, of the contenders' turns) follows from the run's name, which the
    job carries, so that it can be told afterwards.
    """
    jobs = []
    for number, (name, todo, beside) in enumerate(_visits(plan, planned, run), start=first):
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
                beside=beside,
            )
        )
    return jobs


Visit = tuple[str, Sequence[Planned], list[str]]  # a platform, what is measured there, who takes turns with it


def _visits(plan: Plan, planned: Mapping[str, Sequence[Planned]], run: str) -> list[Visit]:
    """Return who is visited when, and for what.

    Platforms whose jobs are run one after the other would each meet the machine in another state, and its drift
    would be taken for a difference: so each set of processes visits all of them, in an order of its own.
    """
    if len(planned) < 2:
        return [(name, todo, []) for name, todo in planned.items()]
    near = [name for name in sorted(planned) if not registry.runner(plan.platforms[name].runner).outlives]
    if len(near) < 2:
        return [(name, todo, []) for name, todo in sorted(planned.items())]
    visits: list[Visit] = [(name, planned[name], []) for name in sorted(planned) if name not in near]
    for process in sorted({one.process for name in near for one in planned[name]}):
        order = list(near)
        random.Random(digest([run, process])).shuffle(order)
        for name in order:
            todo = [one for one in planned[name] if one.process == process]
            if todo:
                visits.append((name, todo, [other for other in near if other != name]))
    return visits


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
