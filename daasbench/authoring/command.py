r"""A kernel whose implementations are programs; the programs are measured as they are, without a change.

A short TOML file describes the kernel (:mod:`daasbench.authoring.command_file` reads it)::

    title = "Photons of a powder ring, in C"
    unit = "frame"
    units = "{frames}"
    build = ["cc", "-O3", "{folder}/rings.c", "-o", "{build}/rings"]

    [sizes.tiny]
    frames = 4
    [sizes.small]
    frames = 64

    [implementations.c]
    command = ["{build}/rings", "{frames}", "{threads}"]

    [[check]]
    name = "photons per frame"
    pattern = "photons = (\\S+)"
    expected = 1000.0
    tolerance = 0.5

The program is timed from its start to its end, in an empty working directory. After every repeat, its exit status and
the numbers that it wrote are checked; this is not timed.
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from daasbench.authoring.verdicts import worst_of
from daasbench.contracts import Card, Implementation, Options, Parameters, Resources
from daasbench.errors import DaasbenchError, InputError, MissingRequirement, PluginError
from daasbench.model import Scalar, Verdict, Work

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Files = Mapping[str, NDArray[np.uint8]]

LAST_WORDS = 300  # characters of a failed program's output that a message shows
STREAMS = ("stdout", "stderr")
PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Check(NamedTuple):
    """A number that a program writes: the place where it is found, and its expected value.

    If `expected` is None, the number that the first implementation wrote for the same inputs is expected. A difference
    of up to ``tolerance + relative x |expected|`` is allowed.
    """

    name: str
    file: str
    pattern: str
    expected: float | Mapping[str, float] | None
    tolerance: float
    relative: float

    def at(self, size: str | None) -> float | None:
        """Return the expected number for a size, or for a user's file (`size` None); None if it is not known."""
        return self.expected.get(size or "") if isinstance(self.expected, Mapping) else self.expected


class Program(NamedTuple):
    """One implementation: its command, its command for a user's file, and how to install the program."""

    command: Sequence[str]
    input_command: Sequence[str] = ()
    fix: str = ""

    def words(self, problem: CommandProblem) -> Sequence[str]:
        """Return the command for a problem with generated inputs, or with a user's file."""
        return (self.input_command or self.command) if "input" in problem.words else self.command


class ProgramResult(NamedTuple):
    """The result of a repeat: its working directory and its exit status."""

    folder: str
    status: int


@dataclass(frozen=True, kw_only=True)
class CommandProblem:
    """The files of each block, by their names, and the values of the placeholders in the commands."""

    blocks: Sequence[Files]
    words: Mapping[str, Scalar]
    work: Work
    size: str | None = None


class CommandOptions(Options, frozen=True, kw_only=True):
    """The options of a kernel of programs: none, because its sizes have its parameters."""


@dataclass(kw_only=True)
class CommandKernel:
    """A kernel whose implementations are programs; see the module's docstring."""

    name: str
    card: Card
    file: str  # for messages
    folder: Path
    sizes: Mapping[str, Parameters]
    programs: Mapping[str, Program]
    checks: Sequence[Check]
    units: str = "1"
    input_units: float = 1.0  # of a user's file
    exit_status: int = 0
    build: Sequence[str] = ()
    make_command: Sequence[str] = ()
    peers: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    reads_files: bool = False
    options: type[Options] = CommandOptions
    repeat_tolerance: float | None = None  # only the checks verify what a program wrote

    @property
    def implementations(self) -> Mapping[str, Implementation]:
        """Return one implementation per program, in the order of the file."""
        return {name: self._implementation(name, program) for name, program in self.programs.items()}

    def _implementation(self, name: str, program: Program) -> Implementation:
        return Implementation(
            name=name,
            load=lambda: lambda problem, resources: self._prepare(program, problem, resources),
            threads=any("{threads}" in word for word in program.command),
            peer=name in self.peers,
            version=self.versions.get(name, ""),
            programs=tuple(word for word in program.command[:1] if "{" not in word),
            fix=program.fix,
            memory_factor=0.0,
            judged_as="reference" if name == next(iter(self.programs)) else "",
        )

    @property
    def judgements(self) -> Mapping[str, str]:
        """Return the judgement of the first program, which is the reference for the others."""
        return {"reference": "the first program: a check without an expected number compares it only with itself"}

    # --- the problem

    def survey(self, path: Path, options: Options) -> Parameters:  # noqa: ARG002  (has none)
        """Return the placeholders for a user's file; raise InputError if no command reads a file."""
        if not self.reads_files:
            raise InputError(f"{path}: no command of {self.file} has the placeholder {{input}}; remove --input")
        return {"input": str(path)}

    def work(self, parameters: Parameters, options: Options) -> Work:  # noqa: ARG002  (has none)
        """Return the unit and the number of units; the bytes are known only when the inputs have been made."""
        return Work(unit=self.card.unit, units=self._units(parameters))

    def _units(self, words: Mapping[str, Scalar]) -> float:
        if "input" in words:
            return self.input_units
        text = self._filled([self.units], words)[0]
        try:
            units = float(text)
        except ValueError:
            units = math.nan
        if not 0 < units < math.inf:
            raise PluginError(f"{self.file}: units: {text!r} is not a number above 0")
        return units

    def make(self, parameters: Parameters, options: Options, seed: int, blocks: int) -> CommandProblem:  # noqa: ARG002
        """Return the files that the `make` command writes for each block; no files if there is no such command."""
        made = [self._made(parameters, 1000 * seed + block) for block in range(blocks)]
        return self._problem(made, {**parameters, "seed": 1000 * seed})

    def read(self, path: Path, parameters: Parameters, options: Options, blocks: int) -> CommandProblem:  # noqa: ARG002
        """Return the problem of a user's file; the file is not copied."""
        return self._problem([{}], {**parameters, "input": str(path)}, path.stat().st_size)

    def _problem(self, made: Sequence[Files], words: Mapping[str, Scalar], size_bytes: int = 0) -> CommandProblem:
        read = float(size_bytes + sum(array.nbytes for array in made[0].values()))
        size = next((name for name, size in self.sizes.items() if {**size, "seed": words.get("seed")} == words), None)
        work = Work(unit=self.card.unit, units=self._units(words), bytes=read, input_bytes=read)
        return CommandProblem(blocks=made, words=dict(words), work=work, size=size)

    def _made(self, parameters: Parameters, seed: int) -> Files:
        import numpy as np

        if not self.make_command:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            self._run_once(self.make_command, {**parameters, "seed": seed, "inputs": folder, "threads": 1}, folder)
            paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            return {str(path.relative_to(folder)): np.fromfile(path, np.uint8) for path in paths}

    # --- running

    def _prepare(
        self, program: Program, problem: CommandProblem, resources: Resources
    ) -> Callable[[Files], ProgramResult]:
        """Build the program and write the inputs; return the function that runs the program once."""
        place = Path(tempfile.mkdtemp(prefix="daasbench-"))
        words = {**problem.words, "build": str(place / "build"), "threads": resources.threads}
        (place / "build").mkdir()
        if self.build:
            self._run_once(self.build, words, str(place / "build"))
        command = program.words(problem)
        self._find(command, words, program.fix)
        commands: dict[tuple[str, ...], list[str]] = {}
        for number, files in enumerate(problem.blocks):
            inputs = place / f"inputs-{number}"
            for name, content in files.items():
                (inputs / name).parent.mkdir(parents=True, exist_ok=True)
                content.tofile(inputs / name)
            commands[_key(files)] = self._filled(command, {**words, "inputs": str(inputs), "work": "."})
        count = 0

        def compute(files: Files) -> ProgramResult:
            nonlocal count
            count += 1
            folder = place / f"work-{count}"
            folder.mkdir()
            return ProgramResult(str(folder), _run(commands[_key(files)], folder))

        weakref.finalize(compute, shutil.rmtree, place, ignore_errors=True)
        return compute

    def _run_once(self, command: Sequence[str], words: Mapping[str, Scalar], folder: str) -> None:
        """Run a command that is not measured.

        Raises
        ------
        MissingRequirement
            If its program is not installed.
        DaasbenchError
            If the command fails.
        """
        self._find(command, words, "")
        filled = self._filled(command, words)
        with tempfile.TemporaryDirectory() as said:
            status = _run(filled, Path(said), cwd=folder)
            if status:
                raise DaasbenchError(f"{self.file}: {filled[0]} {_ending(status)}{_last_words(Path(said))}")

    def _find(self, command: Sequence[str], words: Mapping[str, Scalar], fix: str) -> None:
        program = self._filled(command[:1], words)[0]
        if shutil.which(program) is None:
            raise MissingRequirement(
                f"the program {program} was not found", fix or f"install {program}, or add its folder to the PATH"
            )

    def _filled(self, command: Sequence[str], words: Mapping[str, Scalar]) -> list[str]:
        """Return a command with its placeholders filled in."""
        known = {"folder": str(self.folder), "python": sys.executable, **words}

        def fill(match: re.Match[str]) -> str:
            if match[1] not in known:
                raise PluginError(
                    f"{self.file}: {{{match[1]}}} is not a placeholder of this command; known: "
                    f"{', '.join(f'{{{word}}}' for word in sorted(known))}"
                )
            return str(known[match[1]])

        return [PLACEHOLDER.sub(fill, word) for word in command]

    # --- judging

    def expect(self, problem: Any, options: Options) -> dict[int, list[float]]:  # noqa: ARG002  (has none)
        """Return, by block, the numbers that the first implementation writes, if a check needs them."""
        if all(check.at(problem.size) is not None for check in self.checks):
            return {}
        compute = self._prepare(next(iter(self.programs.values())), problem, Resources())
        return {number: self._numbers(compute(files)) for number, files in enumerate(problem.blocks)}

    def _numbers(self, ended: ProgramResult) -> list[float]:
        """Return the numbers of all checks; remove the working directory of the repeat."""
        folder = Path(ended.folder)
        try:
            if ended.status != self.exit_status:
                expected = f", not {self.exit_status}" if self.exit_status else ""
                raise DaasbenchError(f"the program {_ending(ended.status)}{expected}{_last_words(folder)}")
            return [self._number(check, folder) for check in self.checks]
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _number(self, check: Check, folder: Path) -> float:
        """Return the last number that matches; NaN, which is never correct, if no number matches."""
        try:
            text = (folder / check.file).read_text(errors="replace")
        except OSError:
            return math.nan
        found = re.findall(check.pattern, text, re.MULTILINE)
        try:
            return float(found[-1]) if found else math.nan
        except ValueError:
            return math.nan

    def verify(self, problem: Any, expectation: Any, block: int, result: Any, judged_as: str) -> Verdict:
        """Return the verdict of the check with the largest error in units of its tolerance."""
        verdicts = []
        for index, (check, number) in enumerate(zip(self.checks, self._numbers(result), strict=True)):
            expected, by = check.at(problem.size), "oracle"
            if expected is None:
                expected = expectation[block][index] if block in expectation else math.nan
                by = "agreement" if judged_as == "reference" else "peer"
            allowed = check.tolerance + check.relative * abs(expected)
            message = f"{check.name} is {number:.9g}, expected {expected:.9g}"
            error = abs(number - expected)
            verdicts.append(Verdict(error=error, tolerance=allowed, verified_by=by, message=message))  # type: ignore[arg-type]  # one of its literals
        worst = worst_of(verdicts)
        return worst if not worst.ok else Verdict(
            error=worst.error, tolerance=worst.tolerance, verified_by=worst.verified_by
        )  # fmt: skip


def _key(files: Files) -> tuple[str, ...]:
    """Return the key of a block: the name and the address of its first array; empty if a block has no arrays."""
    return tuple(f"{name}:{array.ctypes.data}" for name, array in list(files.items())[:1])


def _run(command: Sequence[str], folder: Path, cwd: str | None = None) -> int:
    """Run a program with its output in `folder`; return its exit status."""
    with open(folder / "stdout", "wb") as out, open(folder / "stderr", "wb") as err:
        return subprocess.run(command, cwd=cwd or folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err).returncode


def _ending(status: int) -> str:
    return f"was terminated by signal {-status}" if status < 0 else f"ended with exit status {status}"


def _last_words(folder: Path) -> str:
    for stream in reversed(STREAMS):
        text = (folder / stream).read_text(errors="replace").strip()
        if text:
            return f": {' '.join(text[-LAST_WORDS:].split())}"
    return ""
