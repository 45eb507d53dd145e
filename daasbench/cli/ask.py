"""From words on the command line to a plan: which scenario is meant, and what ``--set`` changes in it."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from daasbench import machine, registry, toml
from daasbench.errors import ScenarioError, UnknownName, unknown_sentence
from daasbench.scenario import CaseBlock, Plan, Scenario, load, shipped_files

KERNEL_REPEAT = {"processes": 3, "limit_s": 60.0, "interval": 0.05, "max_repeats": 200}

results_option = click.option(
    "--results",
    "results",
    type=click.Path(file_okay=True, path_type=Path),
    default=Path("results"),
    show_default=True,
    help="The results folder.",
)


class Asked:
    """A scenario as it was asked for: its tables after every change, and where it came from."""

    def __init__(self, word: str) -> None:
        self.raw, self.name, self.where, self.folder = _find(word)
        self.raw = copy.deepcopy(self.raw)

    def set_platforms(self, platforms: Sequence[str]) -> None:
        """Ask these platforms instead; paths are relative to where the command was given."""
        if platforms:
            self.raw["platforms"] = [
                str(Path(one).resolve()) if "/" in one or one.endswith(".toml") else one for one in platforms
            ]

    def set_input(self, path: str | None) -> None:
        """Measure this file in every case."""
        if path is None:
            return
        for block in self._blocks():
            block["input"] = str(Path(path).resolve()) if not path.startswith("data:") else path

    def set_values(self, settings: Sequence[str]) -> None:
        """Apply ``k=v``: dotted keys of the scenario, bare keys as options of the kernel."""
        for setting in settings:
            key, equals, text = setting.partition("=")
            if not equals or not key:
                raise ScenarioError(f"--set {setting}: is not of the form key=value")
            self._set(key.strip(), text.strip(), f"--set {setting}")

    def plan(self) -> Plan:
        """Return the plan: everything resolved and checked."""
        return load(
            self.raw,
            name=self.name,
            where=self.where,
            folder=self.folder,
            cores_here=machine.usable_cores(),
            gpus_here=0,
        )

    def text(self) -> str:
        """Return the scenario as TOML, with every change."""
        import tomli_w

        return tomli_w.dumps(self.raw)

    def _blocks(self) -> list[dict[str, Any]]:
        blocks = self.raw.get("cases", [])
        return [one for one in blocks if isinstance(one, dict)] if isinstance(blocks, list) else []

    def _set(self, key: str, text: str, where: str) -> None:
        path = [step for step in re.split(r"[.\[\]]", key) if step]
        if len(path) == 1:
            self._set_option(path[0], text, where)
            return
        if path[0] == "cases" and not path[1].isdigit():
            for block in self._blocks():
                _put(block, path[1:], _value(text), where)
            return
        _put(self.raw, path, _value(text), where)

    def _set_option(self, key: str, text: str, where: str) -> None:
        known: set[str] = set()
        taken = False
        for block in self._blocks():
            fields = _options_of(str(block.get("kernel", "")), self.folder)
            known |= set(fields)
            if key in fields:
                value: Any = str(_beside_command(text)) if fields[key] else _value(text, as_text=fields[key] is None)
                block.setdefault("options", {})[key] = value
                taken = True
        if not taken:
            hint = ""
            if key in CaseBlock.__struct_fields__:
                hint = f"; {key} is a key of cases: --set cases.{key}=..."
            elif key in Scenario.__struct_fields__:
                hint = f"; {key} is a table or text of the scenario: use dotted keys"
            raise ScenarioError(unknown_sentence("option", key, known, where) + hint)


def _find(word: str) -> tuple[dict[str, Any], str, str, Path]:
    """Return tables, name, how messages name it, and the folder that its paths are relative to."""
    if registry.is_file(word):
        path = Path(word)
        kernel = registry.kernel_from_file(path)
        size = "small" if "small" in kernel.sizes else next(iter(kernel.sizes), "small")
        return (
            _of_kernel(str(path.resolve()) if ":" not in word else word, kernel.name, size, kernel.card.title),
            (kernel.name),
            str(path),
            Path.cwd(),
        )
    if "/" in word or word.endswith(".toml"):
        path = Path(word)
        return toml.read(path), path.stem, str(path), path.parent
    scenarios = shipped_files()
    if word in scenarios:
        return toml.read(scenarios[word]), word, f"{word}.toml", scenarios[word].parent
    if word in registry.kernels():
        title = registry.kernel(word).card.title
        return _of_kernel(word, word, "small", title), word, f"kernel {word}", Path.cwd()
    raise UnknownName(unknown_sentence("scenario or kernel", word, [*scenarios, *registry.kernels()]))


def _of_kernel(kernel: str, name: str, size: str, title: str) -> dict[str, Any]:
    return {
        "question": f"Which implementation of {name} is the fastest here? ({title})",
        "platforms": ["here"],
        "cases": [{"kernel": kernel, "implementations": "all", "sizes": [size]}],
        "repeat": dict(KERNEL_REPEAT),
    }


def _options_of(name: str, folder: Path) -> dict[str, bool | None]:
    """Return the options of a kernel by name: True if it names a file, None if it is text, else False."""
    import msgspec.inspect as inspect

    from daasbench.scenario import _is_file

    try:
        kernel = registry.kernel_from_file(folder / name) if registry.is_file(name) else registry.kernel(name)
    except Exception:  # the scenario's own check says what is wrong with the kernel
        return {}
    info = inspect.type_info(kernel.options)
    fields = info.fields if isinstance(info, inspect.StructType) else ()
    return {one.name: True if _is_file(one.type) else None if _is_text(one.type) else False for one in fields}


def _is_text(kind: Any) -> bool:
    import msgspec.inspect as inspect

    if isinstance(kind, inspect.UnionType):
        return all(_is_text(one) or isinstance(one, inspect.NoneType) for one in kind.types)
    if isinstance(kind, inspect.Metadata):
        return _is_text(kind.type)
    return isinstance(kind, inspect.StrType | inspect.LiteralType)


def _beside_command(text: str) -> Path | str:
    return text if text.startswith("data:") else Path(text.strip('"')).resolve()


def _value(text: str, *, as_text: bool = False) -> Any:
    """Return the TOML value that `text` is, or the text itself."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if not as_text or isinstance(value, str) else text


def _put(table: Any, path: Sequence[str], value: Any, where: str) -> None:
    *way, last = path
    for step in way:
        if isinstance(table, list):
            if not step.isdigit() or int(step) >= len(table):
                raise ScenarioError(f"{where}: there is no entry {step}; there are {len(table)}, counted from 0")
            table = table[int(step)]
        elif isinstance(table, dict):
            table = table.setdefault(step, {})
        else:
            raise ScenarioError(f"{where}: {step} is not a table")
    if not isinstance(table, dict):
        raise ScenarioError(f"{where}: {'.'.join(way)} is not a table")
    table[last] = value
