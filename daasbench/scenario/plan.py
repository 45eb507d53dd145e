"""A scenario is a question, and the cases and platforms that answer it; here a TOML file becomes a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from daasbench import registry
from daasbench.errors import ScenarioError, unknown_sentence
from daasbench.model import Beamline, Goal, LimitsRule, Platform, Repeat, Written, digest, parsing
from daasbench.scenario.beamline import check_beamline
from daasbench.scenario.goal import goal_note
from daasbench.scenario.grid import CaseBlock, CaseGrid, Cell
from daasbench.scenario.platforms import is_this_machine, load_platform
from daasbench.scenario.scaling_series import CasePoint, Intent, breach, planned_series

MOST_MEASUREMENTS = 1_000_000  # cells x processes of a scenario
SOME = 97  # cores or GPUs of a node that is only thought of
LONGEST_LIMIT_S = 365 * 86400.0  # upper bound of repeat.limit_s


class Scenario(Written, frozen=True, kw_only=True):
    """A scenario file: the question, and what is measured to answer it."""

    question: Annotated[str, msgspec.Meta(pattern=r"\S", description="the question to answer, in a sentence")]
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
    limits: LimitsRule = LimitsRule()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded scenario: all its values are known, and nothing was run."""

    name: str
    scenario: Scenario
    platforms: dict[str, Platform]
    cells: list[Cell]
    notes: list[str] = []  # what a reader must know, such as a measured file that this machine does not have

    @property
    def identity(self) -> str:
        """Return the hash by which a later call finds this scenario's run; texts and repeat rules do not count."""
        cells = [[cell.case.id, cell.platform] for cell in self.cells]
        return digest([self.name, cells, self.scenario.repeat.processes])


def load(raw: Mapping[str, Any], *, name: str, where: str, folder: Path, cores_here: int, gpus_here: int = 0) -> Plan:
    """Return the plan of a scenario; raise an error if anything in the scenario is wrong.

    Parameters
    ----------
    raw
        The tables of the TOML file, after ``--set`` and ``--input``.
    where
        The name of the file in messages.
    folder
        The folder to which paths in the scenario are relative.
    cores_here, gpus_here
        The cores and GPUs of this machine; used for platforms that do not declare them.

    Raises
    ------
    ScenarioError, InputError
        The message names the file and the key, what is wrong, and what to write.
    """
    scenario = parsing.convert(dict(raw), Scenario, where)
    _check_repeat(scenario.repeat, where)
    platforms = _platforms(scenario.platforms, folder, where)
    grids = [CaseGrid(block, where, f"cases[{index}]", folder) for index, block in enumerate(scenario.cases)]
    _check_kernels(grids, where)
    check_beamline(scenario.beamline, grids, where)
    cells: dict[tuple[str, str], Cell] = {}
    for grid in grids:
        for stem, platform in _asked(grid, platforms, where).items():
            _check_node(grid, stem, platform, where, shipped=stem in scenario.platforms)
            cores = platform.cores_per_node or cores_here
            gpus = gpus_here if platform.gpus_per_node is None else platform.gpus_per_node
            mine = {(cell.case.id, stem): cell for cell in grid.cells(stem, platform, cores, gpus)}
            if scenario.intent is not None:
                _check_intent(scenario.intent, grid, list(mine.values()), where)
            cells |= mine
    asked = len(cells) * scenario.repeat.most_processes
    if asked > MOST_MEASUREMENTS:
        message = f"asks for {asked} measurements (cases x processes), more than {MOST_MEASUREMENTS}"
        raise ScenarioError(f"{where}: {message}; lower repeat.processes or shorten a list")
    goal = goal_note(scenario.goal) if scenario.goal else ""
    notes = dict.fromkeys([*registry.warnings(), goal, *(note for grid in grids for note in grid.notes)])
    kept = [note for note in notes if note]
    return Plan(name=name, scenario=scenario, platforms=platforms, cells=list(cells.values()), notes=kept)


def _check_repeat(repeat: Repeat, where: str) -> None:
    least, most = repeat.least_processes, repeat.most_processes
    if least > most:
        raise ScenarioError(
            f"{where}: repeat.processes: the range [{least}, {most}] is reversed; write [{most}, {least}]"
        )
    if repeat.max_repeats < repeat.min_repeats:
        message = (
            f"{repeat.max_repeats} is less than min_repeats = {repeat.min_repeats}; raise it, or lower min_repeats"
        )
        raise ScenarioError(f"{where}: repeat.max_repeats: {message}")
    if repeat.limit_s > LONGEST_LIMIT_S:
        raise ScenarioError(f"{where}: repeat.limit_s: {repeat.limit_s:g} s is more than a year; write less")


def _check_node(grid: CaseGrid, name: str, platform: Platform, where: str, *, shipped: bool) -> None:
    """Refuse a table whose cases depend on what a node of another machine has and its platform does not declare.

    This machine's own numbers would be taken for those of the node, without a word.
    """
    if is_this_machine(platform):
        return
    for key, counts, axes in (
        ("cores_per_node", ((1, 1), (SOME, 1)), "threads or ranks"),
        ("gpus_per_node", ((1, 1), (1, SOME)), "gpus"),
    ):
        declared = getattr(platform, key) is not None
        few, many = ({cell.case.id for cell in grid.probed(name, platform, *count)} for count in counts)
        if not declared and few != many:
            what = f'{key} is missing; {grid.at} has {axes} = "max" or "ladder", which needs the number of a node'
            file = f"a copy of what daasbench show platform {name} prints" if shipped else "the platform's file"
            fix = f"write {key} = N into {file}; daasbench doctor --platform {name if shipped else 'FILE'} prints N"
            raise ScenarioError(f"{where}: platform {name}: {what}; {fix}")


def _check_kernels(grids: Sequence[CaseGrid], where: str) -> None:
    """Refuse two kernels of the same name: their records could not be distinguished."""
    sources: dict[str, Path | None] = {}
    for grid in grids:
        name = grid.kernel.name
        if sources.setdefault(name, grid.source) != grid.source:
            first, other = (str(source) if source else "an installed kernel" for source in (sources[name], grid.source))
            message = f"two kernels are called {name!r}, {first} and {other}; rename yours: @kernel(name=...)"
            raise ScenarioError(f"{where}: {grid.at}.kernel: {message}")


def _check_intent(intent: Intent, grid: CaseGrid, cells: Sequence[Cell], where: str) -> None:
    """Refuse a table whose work contradicts the intent of the scenario; note implementations with a single point."""
    points = [CasePoint(case=cell.case, work=grid.work(cell.case), thing=cell) for cell in cells]
    planned = planned_series(points, across_sizes=grid.across_sizes)
    for series in planned:
        if message := breach(series, intent):
            first = series.first
            fix = (
                "remove per, and sizes from zip"
                if intent is Intent.STRONG
                else 'write per = "core", so that the problem grows with the cores'
                if grid.block.per is None and not grid.across_sizes
                else "choose a larger size: this size cannot grow in such small steps"
            )
            raise ScenarioError(
                f'{where}: intent = "{intent}" does not hold for {grid.at}: {first.kernel} / {first.implementation},'
                f" size {first.size}: {message}; {fix}"
            )
    scaling = {point.case.implementation for series in planned for point in series.points}
    single = sorted({cell.case.implementation for cell in cells} - scaling)
    if single:
        platform = cells[0].platform
        runs = "runs" if len(single) == 1 else "run"
        message = f"{' and '.join(single)} {runs} with one core count only on {platform}, so no scaling is measured"
        grid.notes.append(f"{grid.kernel.name}: {message}")


def _platforms(names: Sequence[str], folder: Path, where: str) -> dict[str, Platform]:
    platforms: dict[str, Platform] = {}
    for index, name in enumerate(names):
        stem, platform = load_platform(name, folder, f"{where}: platforms[{index}]")
        if stem in platforms:
            message = f"the list has two platforms called {stem!r}; remove one of them, or rename one of the files"
            raise ScenarioError(f"{where}: platforms[{index}]: {message}")
        platforms[stem] = platform
    return platforms


def _asked(grid: CaseGrid, platforms: Mapping[str, Platform], where: str) -> Mapping[str, Platform]:
    """Return the platforms of a table of cases: those that the table names, or all."""
    names = grid.block.platforms
    for name in names or ():
        if name not in platforms:
            message = unknown_sentence("platform of this scenario", name, platforms, f"{where}: {grid.at}.platforms")
            raise ScenarioError(message)
    return {name: platform for name, platform in platforms.items() if names is None or name in names}
