"""The scenario that the command line asks for, with the changes of ``--platform``, ``--input`` and ``--set``.

A path on the command line is relative to the current folder; a path in a file is relative to that file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daasbench.errors import DaasbenchError, ScenarioError, UnknownName, unknown_sentence

if TYPE_CHECKING:
    from daasbench.contracts import Kernel
    from daasbench.scenario.plan import Plan

KERNEL_REPEAT = {"processes": 5, "limit_s": 60.0, "interval": 0.05, "measure_s": 2.0}

FASTEST_HERE = "the fastest on this machine? ("  # of the question about a kernel; --platform changes the place
_KEY = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+|\[\d+\])*")
_DATA = "data:"
_LISTS = ("implementations", "sizes", "seed", "nodes", "ranks", "threads", "gpus", "start", "platforms")


class ScenarioRequest:
    """A scenario as the command line asks for it: its tables after every change, and its origin.

    Parameters
    ----------
    what
        A path of a scenario or of a user's kernel, the name of a scenario, or the name of a kernel.
    """

    def __init__(self, what: str) -> None:
        self.raw, self.name, self.where, self.folder = _find(what)
        self._changes: list[str] = []

    def set_platforms(self, platforms: Sequence[str]) -> None:
        """Replace the platforms of the scenario."""
        if platforms:
            self.raw["platforms"] = [_absolute(name) if _is_path(name) else name for name in platforms]
            self._changes += [f"--platform {name}" for name in platforms]
            self._ask_about(platforms)

    def _ask_about(self, platforms: Sequence[str]) -> None:
        """Name the platforms in the question about a kernel; the question of a scenario belongs to its author."""
        question, stems = self.raw.get("question"), [Path(name).stem for name in platforms]
        if isinstance(question, str) and stems != ["here"]:
            self.raw["question"] = question.replace(FASTEST_HERE, f"the fastest on {' and on '.join(stems)}? (")

    def set_input(self, path: str | None) -> None:
        """Measure this file in every case."""
        if path is None:
            return
        for block in self._blocks():
            block["input"] = _absolute(path)
        self._changes.append(f"--input {path}")

    def set_values(self, settings: Sequence[str]) -> None:
        """Apply ``k=v``: dotted keys of the scenario, bare keys as options of the kernel; each key once."""
        first: dict[tuple[str, ...], str] = {}
        for setting in settings:
            key, equals, text = setting.partition("=")
            key, text = key.strip(), text.strip()
            if not equals or not _KEY.fullmatch(key):
                message = "is not key=value; write an option of the kernel, or a dotted key: cases.threads=1"
                raise ScenarioError(f"--set {setting}: {message}")
            path = re.findall(r"[\w-]+", key)
            if problem := _list_problem(key, path, text, first.get(tuple(path))):
                raise ScenarioError(f"--set {setting}: {problem}")
            first[tuple(path)] = text
            self._set(path, text, f"--set {setting}")
            self._changes.append(f"--set {setting}")

    def set_only(self, patterns: Sequence[str]) -> None:
        """Keep the kernels, and the implementations of all kernels, whose names match any of the patterns.

        Raises
        ------
        UnknownName
            If a pattern matches nothing of the scenario.
        """
        if not patterns:
            return
        from daasbench.scenario.implementations import named_implementations

        unused, known, kept = set(patterns), dict[str, None](), []
        for block in self._blocks():
            kernel = self._kernel_of(block)
            if kernel is None:
                return  # the check of the scenario reports what is wrong with the kernel
            try:
                names = [one.name for one in named_implementations(kernel, block.get("implementations", "all"))]
            except (UnknownName, TypeError):
                return  # as above
            known |= dict.fromkeys([kernel.name, *names])
            whole = {pattern for pattern in patterns if fnmatchcase(kernel.name, pattern)}
            chosen = {name: {one for one in patterns if fnmatchcase(name, one)} for name in names}
            unused -= whole.union(*chosen.values())
            wanted = names if whole else [name for name in names if chosen[name]]
            if wanted:
                kept.append(block if whole else {**block, "implementations": wanted})
        for pattern in patterns:
            if pattern in unused:
                raise UnknownName(unknown_sentence("kernel or implementation", pattern, known, f"--only {pattern}"))
        self.raw["cases"] = kept
        self._changes += [f"--only {pattern}" for pattern in patterns]

    def set_quick(self) -> None:
        """Take a quick look: one process, a second per case, and no measurement of the machine's limits."""
        for block in self._blocks():
            block["quick"] = True
        for table, key, value in (("repeat", "processes", 1), ("limits", "measure", False)):
            keys = self.raw.setdefault(table, {})
            if isinstance(keys, dict):  # else the check of the scenario refuses it
                keys[key] = value
        self._changes.append("--quick")

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

    # --- changes of the tables

    def _blocks(self) -> list[dict[str, Any]]:
        blocks = self.raw.get("cases", [])
        return [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []

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
                return  # the check of the scenario reports what is wrong with the kernel
            known |= set(fields)
            if key in fields:
                value = _value(text, as_text=parsing.only_text(fields[key]))
                if parsing.marked(fields[key], "file"):
                    value = _absolute(str(value))
                _put(block, ["options", key], value, where)
                taken = True
        if not taken and not known and not _hint(key, text):
            message = "the kernel has no options; a key of the scenario has a dot, such as repeat.processes"
            raise ScenarioError(f"{where}: no option {key!r}: {message}")
        if not taken:
            raise ScenarioError(unknown_sentence("option", key, known, where) + _hint(key, text))

    def _options_of(self, block: dict[str, Any]) -> dict[str, Any] | None:
        """Return the types of the options of the kernel of a block; None if there is no such kernel."""
        from daasbench.model import parsing

        kernel = self._kernel_of(block)
        return None if kernel is None else parsing.fields(kernel.options)

    def _kernel_of(self, block: dict[str, Any]) -> Kernel | None:
        from daasbench import registry

        name = str(block.get("kernel", ""))
        try:
            return registry.kernel_from_file(self.folder / name) if registry.is_file(name) else registry.kernel(name)
        except DaasbenchError:
            return None


def _find(what: str) -> tuple[dict[str, Any], str, str, Path]:
    """Return the tables of a scenario, its name, its name in messages, and the folder of its relative paths."""
    from daasbench import registry
    from daasbench.host import toml_file
    from daasbench.scenario.platforms import shipped_files

    if registry.is_file(what) and not _is_scenario(what):
        kernel = registry.kernel_from_file(Path(what))
        size = "small" if "small" in kernel.sizes else next(iter(kernel.sizes), "small")
        file, chosen = registry.source_of(Path(what))
        target = f"{file.resolve()}:{chosen}" if chosen else str(file.resolve())
        return _of_kernel(target, kernel.name, size, kernel.card.title), kernel.name, str(file), Path.cwd()
    if "/" in what or what.endswith(".toml"):
        path = Path(what)
        return toml_file.read(path), path.stem, str(path), path.parent
    scenarios = shipped_files()
    if what in scenarios:
        return toml_file.read(scenarios[what]), what, f"{what}.toml", scenarios[what].parent
    if what in registry.kernels():
        title = registry.kernel(what).card.title
        return _of_kernel(what, what, "small", title), what, f"kernel {what}", Path.cwd()
    files = [name for name in (what, f"{what}.toml", f"{what}.py") if what and Path(name).is_file()]
    hint = f"; to run the file of this folder: ./{files[0]}" if files else ""
    raise UnknownName(unknown_sentence("scenario or kernel", what, [*scenarios, *registry.kernels()]) + hint)


def _is_scenario(path: str) -> bool:
    """Return whether a path is a TOML file that does not define a kernel."""
    from daasbench import registry
    from daasbench.authoring import command_file
    from daasbench.host import toml_file

    file, _ = registry.source_of(Path(path))
    return file.suffix == ".toml" and not command_file.is_kernel_table(toml_file.read(file))


def _of_kernel(kernel: str, name: str, size: str, title: str) -> dict[str, Any]:
    return {
        "question": f"Which implementation of {name} is {FASTEST_HERE}{title})",
        "platforms": ["here"],
        "cases": [{"kernel": kernel, "implementations": "all", "sizes": [size]}],
        "repeat": dict(KERNEL_REPEAT),
    }


def _list_problem(key: str, path: Sequence[str], text: str, before: str | None) -> str:
    """Return what is wrong with a setting that is meant as a list, or was given `before`; empty if nothing is."""
    takes_list = path[-1] in _LISTS and (path[0] == "cases" or len(path) == 1)
    if before is not None:
        return f"{key} is set twice; {_as_list(key, [before, text]) if takes_list else 'set each key once'}"
    bare = "," in text and text[:1] not in "'\"" and isinstance(_value(text), str)  # tiny,small is no TOML value
    takes_range = list(path) == ["repeat", "processes"]
    return f"this is one text; {_as_list(key, text.split(','))}" if bare and (takes_list or takes_range) else ""


def _as_list(key: str, texts: Sequence[str]) -> str:
    """Return how to set a key to a list of these texts."""
    words = [text.strip().strip("'\"") for text in texts]
    parts = ",".join(word if word.isdigit() else f'"{word}"' for word in words)
    return f"write a list: --set '{key}=[{parts}]'"


# --- values ---------------------------------------------------------------------------------------------------


def _value(text: str, *, as_text: bool = False) -> Any:
    """Return the TOML value of `text`, or the text itself; `as_text`: a number is taken as text."""
    try:
        tables = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    value = tables["value"]
    return text if len(tables) > 1 or (as_text and not isinstance(value, str)) else value


def _anchored(path: Sequence[str], value: Any) -> Any:
    """Return the value of a dotted key; a path in it is made absolute, from the current folder."""
    if isinstance(value, list):
        return [_anchored([*path, str(index)], entry) for index, entry in enumerate(value)]
    if not isinstance(value, str):
        return value
    if path[0] == "platforms" or path[-1] == "kernel":
        return _absolute(value) if _is_path(value) else value
    if path[-1] == "input" or (path[-2] == "options" and Path(value).is_file()):
        return _absolute(value)
    return value


def _is_path(text: str) -> bool:
    return "/" in text or text.endswith((".toml", ".py"))


def _absolute(text: str) -> str:
    return text if text.startswith(_DATA) or not text else str(Path(text).expanduser().resolve())


def _put(table: Any, path: Sequence[str], value: Any, where: str) -> None:
    """Set the value at `path` in nested tables and lists; a missing table is created."""
    *outer, last = path
    for index, step in enumerate(outer):
        inside = ".".join(outer[: index + 1])
        table = table[_entry(table, step, where)] if isinstance(table, list) else table.setdefault(step, {})
        if not isinstance(table, dict | list):
            raise ScenarioError(f"{where}: {inside} is not a table; remove the keys after it")
    if isinstance(table, list):
        table[_entry(table, last, where)] = value
    else:
        table[last] = value


def _entry(entries: list[Any], step: str, where: str) -> int:
    if not step.isdigit() or int(step) >= len(entries):
        raise ScenarioError(f"{where}: there is no entry {step}; there are {len(entries)}, counted from 0")
    return int(step)


def _hint(key: str, text: str) -> str:
    """Return how to write the key if it belongs to a table of the scenario."""
    from daasbench.model import Goal, Repeat
    from daasbench.scenario.grid import CaseBlock

    for table, kind in (("cases", CaseBlock), ("repeat", Repeat), ("goal", Goal)):
        if key in kind.__struct_fields__:
            return f"; {key} is a key of {table}: --set {table}.{key}={text}"
    return ""
