"""The TOML file of a kernel whose implementations are programs (docs/how-to/own-program.md)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec

from daasbench.authoring.command import PLACEHOLDER, STREAMS, Check, CommandKernel, Program
from daasbench.contracts import Card, Reference
from daasbench.errors import PluginError, ScenarioError, unknown_sentence
from daasbench.host import toml_file
from daasbench.model import Scalar, Written, parsing

Words = Annotated[
    list[str], msgspec.Meta(min_length=1, description='a list of arguments such as ["program", "{input}", "{threads}"]')
]
Named = Annotated[str, msgspec.Meta(pattern=r"\S", description="words")]
Size = Annotated[float, msgspec.Meta(ge=0)]

_NAME = re.compile(r"[A-Za-z]\w*(?:[.-]\w+)*", re.ASCII)


class ImplementationTable(Written, frozen=True, kw_only=True):
    """One implementation: a program and how it is started."""

    command: Words
    input_command: list[str] = []  # the command for a user's file, if it differs
    fix: str = ""  # the command that installs it
    version: str = ""
    peer: bool = False


class CheckTable(Written, frozen=True, kw_only=True):
    """A number that the program writes."""

    pattern: str
    name: str = ""
    file: str = "stdout"
    expected: float | dict[str, float] | None = None
    tolerance: Size = 0.0
    relative: Size = 0.0


class KernelTable(Written, frozen=True, kw_only=True):
    """The whole file."""

    title: Named
    unit: Named
    implementations: Annotated[
        dict[str, ImplementationTable],
        msgspec.Meta(min_length=1, description="at least one table [implementations.NAME]"),
    ]
    check: Annotated[list[CheckTable], msgspec.Meta(min_length=1, description="at least one table headed [[check]]")]
    units: float | str = 1.0
    input_units: Annotated[float, msgspec.Meta(gt=0)] = 1.0  # the number of units in a user's file
    name: str = ""
    sizes: dict[str, dict[str, Scalar]] = {}
    build: list[str] = []
    make: list[str] = []
    exit_status: int = 0
    stands_for: str = ""
    community: str = ""
    method: str = ""
    leaves_out: str = ""
    real_work: str = ""
    literature: list[str] = []


def is_kernel_table(raw: dict[str, Any]) -> bool:
    """Return whether the tables of a TOML file describe a kernel and not a scenario."""
    return "implementations" in raw and "cases" not in raw


def load(path: Path) -> CommandKernel:
    """Return the kernel that a TOML file describes.

    Raises
    ------
    ScenarioError, PluginError
        If the file is not valid; the message names the file and the key.
    """
    table = parsing.convert(toml_file.read(path), KernelTable, str(path))
    name = table.name or path.stem
    for called, at in (
        (name, "name"),
        *((implementation, f"implementations.{implementation}") for implementation in table.implementations),
    ):
        if not _NAME.fullmatch(called):
            raise PluginError(
                f"{path}: {at}: {called!r} is not a valid name; write letters, digits, '_' and '-', a letter first"
            )
    reads_files = any(
        "{input}" in word
        for implementation in table.implementations.values()
        for word in (*implementation.command, *implementation.input_command)
    )
    if not table.sizes and not reads_files:
        raise PluginError(f"{path}: there are no sizes and no command with {{input}}; add a table [sizes.small]")
    _check_words(table, str(path))
    checks = [_check(check, f"{path}: check[{index}]", table) for index, check in enumerate(table.check)]
    return CommandKernel(
        name=name,
        card=_card(table, checks),
        file=str(path),
        folder=path.resolve().parent,
        sizes=table.sizes,
        programs={
            name: Program(implementation.command, implementation.input_command, implementation.fix)
            for name, implementation in table.implementations.items()
        },
        checks=checks,
        units=str(table.units),
        input_units=table.input_units,
        exit_status=table.exit_status,
        build=table.build,
        make_command=table.make,
        peers=[name for name, implementation in table.implementations.items() if implementation.peer],
        versions={
            name: implementation.version
            for name, implementation in table.implementations.items()
            if implementation.version
        },
        reads_files=reads_files,
    )


def _check_words(table: KernelTable, where: str) -> None:
    """Raise ScenarioError if a command has an unknown placeholder."""
    sized = set.intersection(*map(set, table.sizes.values())) if table.sizes else set()
    once = sized | {"folder", "python", "seed", "threads"}
    run = once | {"build", "inputs", "work"}
    commands = [("units", [str(table.units)], sized), ("build", table.build, once | {"build"})]
    commands += [("make", table.make, once | {"inputs"})]
    for name, implementation in table.implementations.items():
        commands.append((f"implementations.{name}.command", implementation.command, run | {"input"}))
        commands.append(
            (f"implementations.{name}.input_command", implementation.input_command, (run - sized) | {"input"})
        )
    for key, words, known in commands:
        for word in PLACEHOLDER.findall(" ".join(words)):
            if word not in known:
                raise ScenarioError(unknown_sentence("placeholder", word, sorted(known), f"{where}: {key}"))


def _check(table: CheckTable, at: str, kernel: KernelTable) -> Check:
    try:
        groups = re.compile(table.pattern).groups
    except re.error as error:
        raise ScenarioError(f"{at}.pattern: is not a regular expression: {error}") from error
    if groups != 1:
        message = f"has {groups} groups; put the number, and nothing else, in parentheses"
        raise ScenarioError(f"{at}.pattern: {message}: 'energy = (\\S+)'")
    if isinstance(table.expected, dict):
        for size in kernel.sizes:
            if size not in table.expected:
                raise ScenarioError(f"{at}.expected: has no value for size {size!r}; add {size} = NUMBER")
    if table.file not in STREAMS and (Path(table.file).is_absolute() or ".." in Path(table.file).parts):
        raise ScenarioError(f"{at}.file: {table.file!r} is outside of the working directory; name a file inside it")
    return Check(
        name=table.name or table.pattern,
        file=table.file,
        pattern=table.pattern,
        expected=table.expected,
        tolerance=table.tolerance,
        relative=table.relative,
    )


def _card(table: KernelTable, checks: list[Check]) -> Card:
    allowed = "; ".join(
        " + ".join(
            [f"{check.name} within {check.tolerance:g}", *([f"{check.relative:g} of it"] if check.relative else [])]
        )
        for check in checks
    )
    return Card(
        title=table.title,
        unit=table.unit,
        stands_for=table.stands_for,
        community=table.community,
        method=table.method,
        leaves_out=table.leaves_out,
        tolerance=allowed,
        real_work=table.real_work,
        literature=tuple(Reference(text=text) for text in table.literature),
    )
