"""From words on the command line to a plan: which scenario is meant, and what the options change in it.

A path that is written on the command line is relative to where the command is given; a path in a file is
relative to that file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daasbench.errors import DaasbenchError, ScenarioError, UnknownName, UsageError, unknown_sentence

if TYPE_CHECKING:
    from daasbench.scenario.plan import Plan

KERNEL_REPEAT = {"processes": 3, "limit_s": 60.0, "interval": 0.05, "max_repeats": 200}

_KEY = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+|\[\d+\])*")
_DATA = "data:"


def results_folder(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:  # noqa: ARG001  (click's form)
    """Return the folder, or the folders, of ``--results``; refuse what cannot be meant."""
    for one in value if isinstance(value, tuple) else (value,):
        if not str(one).strip() or str(one).startswith("--"):
            raise UsageError(f"--results {str(one)!r}: is not a folder's name; write --results DIR")
    return tuple(map(Path, value)) if isinstance(value, tuple) else Path(value)


results_option: Callable[[Any], Any] = click.option(
    "--results",
    metavar="DIR",
    default="results",
    show_default=True,
    callback=results_folder,
    help="The results folder.",
)


class Asked:
    """A scenario as it was asked for: its tables after every change, and where it came from."""

    def __init__(self, word: str) -> None:
        self.raw, self.name, self.where, self.folder = _find(word)
        self._changes: list[str] = []

    def set_platforms(self, platforms: Sequence[str]) -> None:
        """Ask these platforms instead."""
        if platforms:
            self.raw["platforms"] = [_beside_command(one) if _is_path(one) else one for one in platforms]
            self._changes += [f"--platform {one}" for one in platforms]

    def set_input(self, path: str | None) -> None:
        """Measure this file in every case."""
        if path is None:
            return
        for block in self._blocks():
            block["input"] = _beside_command(path)
        self._changes.append(f"--input {path}")

    def set_values(self, settings: Sequence[str]) -> None:
        """Apply ``k=v``: dotted keys of the scenario, bare keys as options of the kernel."""
        for setting in settings:
            key, equals, text = setting.partition("=")
            key = key.strip()
            if not equals or not _KEY.fullmatch(key):
                message = "is not key=value; write an option of the kernel, or a dotted key: cases.threads=1"
                raise ScenarioError(f"--set {setting}: {message}")
            self._set(re.findall(r"[\w-]+", key), text.strip(), f"--set {setting}")
            self._changes.append(f"--set {setting}")

    def plan(self) -> Plan:
        """Return the plan: everything resolved and checked."""
        from daasbench.host import machine
        from daasbench.scenario.plan import load

        where = f"{self.where} with {' '.join(self._changes)}" if self._changes else self.where
        return load(self.raw, name=self.name, where=where, folder=self.folder, cores_here=machine.usable_cores())

    def text(self) -> str:
        """Return the scenario as TOML, with every change."""
        import tomli_w

        return tomli_w.dumps(self.raw)

    # --- inside

    def _blocks(self) -> list[dict[str, Any]]:
        blocks = self.raw.get("cases", [])
        return [one for one in blocks if isinstance(one, dict)] if isinstance(blocks, list) else []

    def _set(self, path: list[str], text: str, where: str) -> None:
        from daasbench.scenario.plan import Scenario

        if len(path) == 1:
            if path[0] in Scenario.__struct_fields__:
                self.raw[path[0]] = _value(text)
            else:
                self._set_option(path[0], text, where)
            return
        value = _anchored(path, _value(text))
        if path[0] == "cases" and not path[1].isdigit():
            for block in self._blocks():
                _put(block, path[1:], value, where)
        else:
            _put(self.raw, path, value, where)

    def _set_option(self, key: str, text: str, where: str) -> None:
        """Set an option of every kernel that has it."""
        from daasbench.model import parsing

        known: set[str] = set()
        taken = False
        for block in self._blocks():
            fields = self._options_of(block)
            if fields is None:
                return  # the scenario's own check says what is wrong with the kernel
            known |= set(fields)
            if key in fields:
                value = _value(text, as_text=parsing.only_text(fields[key]))
                if parsing.marked(fields[key], "file"):
                    value = _beside_command(str(value))
                _put(block, ["options", key], value, where)
                taken = True
        if not taken:
            raise ScenarioError(unknown_sentence("option", key, known, where) + _hint(key, text))

    def _options_of(self, block: dict[str, Any]) -> dict[str, Any] | None:
        """Return the types of the options of a block's kernel; None if there is no such kernel."""
        from daasbench import registry
        from daasbench.model import parsing

        name = str(block.get("kernel", ""))
        try:
            kernel = registry.kernel_from_file(self.folder / name) if registry.is_file(name) else registry.kernel(name)
        except DaasbenchError:
            return None
        return parsing.fields(kernel.options)


def _find(word: str) -> tuple[dict[str, Any], str, str, Path]:
    """Return tables, name, how messages name it, and the folder that its paths are relative to."""
    from daasbench import registry
    from daasbench.host import toml_file
    from daasbench.scenario.platforms import shipped_files

    if registry.is_file(word) and not _is_scenario(word):
        kernel = registry.kernel_from_file(Path(word))
        size = "small" if "small" in kernel.sizes else next(iter(kernel.sizes), "small")
        file, chosen = registry.source_of(Path(word))
        target = f"{file.resolve()}:{chosen}" if chosen else str(file.resolve())
        return _of_kernel(target, kernel.name, size, kernel.card.title), kernel.name, str(file), Path.cwd()
    if "/" in word or word.endswith(".toml"):
        path = Path(word)
        return toml_file.read(path), path.stem, str(path), path.parent
    scenarios = shipped_files()
    if word in scenarios:
        return toml_file.read(scenarios[word]), word, f"{word}.toml", scenarios[word].parent
    if word in registry.kernels():
        title = registry.kernel(word).card.title
        return _of_kernel(word, word, "small", title), word, f"kernel {word}", Path.cwd()
    beside = [one for one in (word, f"{word}.toml", f"{word}.py") if word and Path(one).is_file()]
    hint = f"; to run the file beside you write ./{beside[0]}" if beside else ""
    raise UnknownName(unknown_sentence("scenario or kernel", word, [*scenarios, *registry.kernels()]) + hint)


def _is_scenario(word: str) -> bool:
    """Return whether a path is that of a TOML file, and not of one that defines a kernel."""
    from daasbench import registry
    from daasbench.authoring import command_file
    from daasbench.host import toml_file

    file, _ = registry.source_of(Path(word))
    return file.suffix == ".toml" and not command_file.is_kernel_table(toml_file.read(file))


def _of_kernel(kernel: str, name: str, size: str, title: str) -> dict[str, Any]:
    return {
        "question": f"Which implementation of {name} is the fastest here? ({title})",
        "platforms": ["here"],
        "cases": [{"kernel": kernel, "implementations": "all", "sizes": [size]}],
        "repeat": dict(KERNEL_REPEAT),
    }


# --- values ---------------------------------------------------------------------------------------------------


def _value(text: str, *, as_text: bool = False) -> Any:
    """Return the TOML value that `text` is, or the text itself; `as_text`: a number is meant as text."""
    try:
        tables = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    value = tables["value"]
    return text if len(tables) > 1 or (as_text and not isinstance(value, str)) else value


def _anchored(path: Sequence[str], value: Any) -> Any:
    """Return the value of a dotted key; a path among them is made absolute, from where the command is given."""
    if isinstance(value, list):
        return [_anchored([*path, str(index)], one) for index, one in enumerate(value)]
    if not isinstance(value, str):
        return value
    if path[0] == "platforms" or path[-1] == "kernel":
        return _beside_command(value) if _is_path(value) else value
    if path[-1] == "input" or (path[-2] == "options" and Path(value).is_file()):
        return _beside_command(value)
    return value


def _is_path(word: str) -> bool:
    return "/" in word or word.endswith((".toml", ".py"))


def _beside_command(text: str) -> str:
    return text if text.startswith(_DATA) or not text else str(Path(text).expanduser().resolve())


def _put(table: Any, path: Sequence[str], value: Any, where: str) -> None:
    """Set the value at `path` in nested tables and lists; a table that is not there is made."""
    *implementation, last = path
    for index, step in enumerate(implementation):
        inside = ".".join(implementation[: index + 1])
        table = table[_entry(table, step, where)] if isinstance(table, list) else table.setdefault(step, {})
        if not isinstance(table, dict | list):
            raise ScenarioError(f"{where}: {inside} is not a table; leave out what follows it")
    if isinstance(table, list):
        table[_entry(table, last, where)] = value
    else:
        table[last] = value


def _entry(entries: list[Any], step: str, where: str) -> int:
    if not step.isdigit() or int(step) >= len(entries):
        raise ScenarioError(f"{where}: there is no entry {step}; there are {len(entries)}, counted from 0")
    return int(step)


def _hint(key: str, text: str) -> str:
    """Return how the key is written, if it is one of a table."""
    from daasbench.model import Goal, Repeat
    from daasbench.scenario.grid import CaseBlock

    for table, kind in (("cases", CaseBlock), ("repeat", Repeat), ("goal", Goal)):
        if key in kind.__struct_fields__:
            return f"; {key} is a key of {table}: --set {table}.{key}={text}"
    return ""
