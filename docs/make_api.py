"""Write docs/reference/api.md: the public names of daasbench, by who needs them.

    python docs/make_api.py

A module's public names are its ``__all__``; where it has none, what it defines itself and what it imports under the
same name (``from x import name as name``), without what begins with an underscore. ``package.*`` is every module of a
package. What a name is, is said by the first line of its docstring. `page` returns the text without writing, so that a
test can tell whether the page is up to date. `AUDIENCES` is also what each plug-in room may import from the engine
(tests/test_house.py).
"""

from __future__ import annotations

import ast
import enum
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

FILE = Path(__file__).resolve().parent / "reference/api.md"


@dataclass(frozen=True, kw_only=True)
class Audience:
    """People who import from daasbench: what they need, the modules that are public to them, and how-to pages.

    `room` is the plug-in room that they write; the modules of an audience without a room are public to all.
    """

    title: str
    words: str
    modules: Sequence[str]
    how_to: Sequence[str] = ()
    room: str = ""


AUDIENCES = (
    Audience(
        title="Users in Python",
        words="What you import in a notebook or in your own file. `dir(daasbench)` lists these names.",
        modules=["daasbench"],
        how_to=["own-kernel"],
    ),
    Audience(
        title="Authors of kernels",
        words="The parts of a kernel in a folder. [Kernel definitions](kernel-definitions.md) says what the included"
        " kernels compute.",
        modules=[
            "daasbench.authoring",
            "daasbench.authoring.command_file",
            "daasbench.compute.*",
            "daasbench.formats.*",
            "daasbench.host.containers",
            "daasbench.host.installation",
            "daasbench.host.machine",
        ],
        how_to=["add-a-kernel", "own-kernel", "own-program"],
        room="kernels",
    ),
    Audience(
        title="Authors of reports",
        words="What a report gets, and what all reports share.",
        modules=[
            "daasbench.reports.blocks",
            "daasbench.evidence",
            "daasbench.evidence.entries",
            "daasbench.evidence.claims",
            "daasbench.evidence.phases",
            "daasbench.evidence.cores",
            "daasbench.evidence.digits",
            "daasbench.evidence.disturbance",
            "daasbench.evidence.tally",
            "daasbench.evidence.unit_size",
            "daasbench.statistics",
            "daasbench.scenario.beamline",
            "daasbench.scenario.goal",
            "daasbench.scenario.scaling_series",
            "daasbench.host.output_files",
        ],
        how_to=["add-a-report"],
        room="reports",
    ),
    Audience(
        title="Authors of runners",
        words="A runner imports everything from daasbench.runners. The other modules define these names.",
        modules=[
            "daasbench.runners",
            "daasbench.inspection.platform",
            "daasbench.inspection.node",
            "daasbench.host.containers",
            "daasbench.host.installation",
            "daasbench.host.launchers",
            "daasbench.jobs.time_limits",
            "daasbench.model.parsing",
            "daasbench.worker",
        ],
        how_to=["add-a-runner"],
        room="runners",
    ),
    Audience(
        title="The protocols",
        words="The members that a plug-in must have: kernels, runners, queues, reports.",
        modules=["daasbench.contracts"],
    ),
    Audience(
        title="The nouns",
        words="The models that plug-ins get and return. All are frozen.",
        modules=["daasbench.model"],
    ),
    Audience(
        title="The results folder",
        words="The names of its files, and functions that read and write records.",
        modules=["daasbench.records", "daasbench.records.layout"],
    ),
    Audience(
        title="Errors",
        words="The exceptions that a plug-in raises. Each has an [exit code](exit-codes.md).",
        modules=["daasbench.errors"],
    ),
    Audience(
        title="Tests of plug-ins",
        words="Contract tests, from which the tests of a plug-in inherit, and fakes.",
        modules=["daasbench.testing"],
    ),
)


def main() -> None:
    """Write the page."""
    FILE.write_text(page(), encoding="utf-8")
    print(FILE)


def page() -> str:
    """Return the text of the page."""
    lines = [
        "# Public names",
        "",
        "`docs/make_api.py` writes this page from the docstrings. All other names are private and may change in any"
        " release. Plug-ins are found by entry points of the groups `daasbench.kernels`, `daasbench.runners`,"
        " `daasbench.reports` and `daasbench.scenarios`. `make docs` renders each name with its signature and its"
        " docstring.",
        "",
    ]
    for audience in AUDIENCES:
        lines += [f"## {audience.title}", "", " ".join([audience.words, *how_to(audience)]), ""]
        for name in existing(audience):
            lines += [f"### `{name}`", "", "| Name | Kind | Meaning |", "|---|---|---|"]
            lines += [row(name, public) for public in public_names(name)] + [""]
    return "\n".join(lines).rstrip() + "\n"


def row(module: str, name: str) -> str:
    """Return the table row of one name."""
    return f"| `{name}` | {kind_of(value_of(module, name))} | {sentence_of(module, name)} |"


def how_to(audience: Audience) -> list[str]:
    """Return the sentence that links its how-to pages, as far as they are there; nothing if none is."""
    pages = [FILE.parent.parent / f"how-to/{name}.md" for name in audience.how_to]
    links = [f"[{title_of(page)}](../how-to/{page.name})" for page in pages if page.exists()]
    return [f"How: {', '.join(links)}."] if links else []


def title_of(page: Path) -> str:
    """Return the heading of a page, as it stands inside of a sentence."""
    heading = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    return heading[:1].lower() + heading[1:]


def existing(audience: Audience) -> list[str]:
    """Return the modules of an audience that exist; ``package.*`` gives the modules of a package."""
    modules: list[str] = []
    for name in audience.modules:
        package = importlib.util.find_spec(name.removesuffix(".*"))
        if package is None:
            continue
        folders = package.submodule_search_locations if name.endswith(".*") else None
        modules += modules_below(package.name, folders) if folders else [package.name]
    return modules


def modules_below(package: str, folders: Iterable[str]) -> list[str]:
    """Return the modules of a package, but for those that begin with an underscore."""
    found = sorted(module.name for module in pkgutil.iter_modules(folders))
    return [f"{package}.{name}" for name in found if not name.startswith("_")]


def value_of(module: str, name: str) -> Any:
    """Return what a public name stands for."""
    return getattr(importlib.import_module(module), name)


def public_names(name: str) -> list[str]:
    """Return the public names of a module, sorted without regard to case."""
    module = importlib.import_module(name)
    declared = getattr(module, "__all__", None)
    found = declared if declared is not None else [*reexported(module), *defined(module)]
    return sorted(set(found), key=lambda one: (one.lower(), one))


def reexported(module: ModuleType) -> list[str]:
    """Return the names that a module imports ``as`` themselves, which says that they are its own."""
    return [alias.name for _, alias in imports(module) if alias.name == alias.asname]


def imports(module: ModuleType) -> Iterator[tuple[str, ast.alias]]:
    """Yield every name that a module imports from a module of daasbench, with the name of that module."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom):
            source = importlib.util.resolve_name("." * node.level + (node.module or ""), module.__package__)
            if source.partition(".")[0] == "daasbench":
                yield from ((source, alias) for alias in node.names)


def defined(module: ModuleType) -> list[str]:
    """Return the names that a module defines itself."""
    return [name for name in definitions(module) if not name.startswith("_")]


def definitions(module: ModuleType) -> Mapping[str, str]:
    """Return every name that a module's top level defines, with its docstring.

    That of a constant is the string below it, or else the comment on its line.
    """
    found: dict[str, str] = {}
    body = tree_of(module).body
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = ast.get_docstring(node) or ""
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            found |= {name.id: text_of(after) or comment_of(module, node) for name in names}
    return found


def text_of(node: ast.stmt) -> str:
    """Return the text of a statement that is a string and nothing else; empty for any other."""
    value = node.value if isinstance(node, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def comment_of(module: ModuleType, node: ast.stmt) -> str:
    """Return the comment on the last line of a statement as a sentence; empty if there is none."""
    line = inspect.getsource(module).splitlines()[(node.end_lineno or 1) - 1]
    comment = line.rpartition("  # ")[2] if "  # " in line else ""
    return f"{comment[:1].upper()}{comment[1:].rstrip('.')}." if comment else ""


@functools.cache
def tree_of(module: ModuleType) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(inspect.getsource(module))


def kind_of(thing: Any) -> str:
    """Return what a name stands for, in a word or two."""
    if not isinstance(thing, type):
        return "function" if callable(thing) and hasattr(thing, "__code__") else "value"
    if getattr(thing, "_is_protocol", False):
        return "protocol"
    kinds: Mapping[type, str] = {BaseException: "error", enum.Enum: "words", msgspec.Struct: "noun"}
    return next((word for base, word in kinds.items() if issubclass(thing, base)), "class")


def sentence_of(module: str, name: str) -> str:
    """Return the first paragraph of what a name's docstring says, on one line, with references as code."""
    words = inspect.cleandoc(docstring(importlib.import_module(module), name))
    line = " ".join(words.partition("\n\n")[0].split())
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", line).replace("``", "`").replace("|", "\\|")


def docstring(module: ModuleType, name: str) -> str:
    """Return the docstring of a name: where it is defined, also if the module only imports it."""
    if name in (known := definitions(module)):
        return known[name]
    for source, alias in imports(module):
        if (alias.asname or alias.name) == name and importlib.util.find_spec(source):
            return docstring(importlib.import_module(source), alias.name)
    thing = getattr(module, name)
    return (getattr(thing, "__doc__", None) or "") if callable(thing) else ""


if __name__ == "__main__":
    main()
