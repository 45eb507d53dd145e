"""Write docs/images/architecture.svg and the lists of docs/explanation/architecture.md from the import contracts.

    python docs/make_architecture.py

The contracts are those of ``[tool.importlinter]`` in pyproject.toml: the one of type ``layers`` gives the picture, all
of them the list of rules. `picture` and `page` return the same without writing, so that a test can tell whether the
files are up to date.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs/images/architecture.svg"
PAGE = ROOT / "docs/explanation/architecture.md"

WIDTH, MARGIN, LEFT = 640, 16, 64  # pixels; LEFT leaves room for the arrow
ABREAST = 4  # boxes next to each other, at most; more are wrapped into another line of the same layer
BOX, GAP, PAD = 40, 8, 7  # height of a box; between boxes; inside of a layer
CHARACTER = 9.2  # pixels of one letter of a box, at most
STYLE = """
  .paper { fill: #ffffff; stroke: #d0d4da; } .layer { fill: #f2f4f7; }
  .package { fill: #dbe9f6; stroke: #2f6da3; } .module { fill: #ffffff; stroke: #2f6da3; }
  .plugin { fill: #fbe8cf; stroke: #a8620b; } .absent { fill: none; stroke: #7a818a; stroke-dasharray: 5 4; }
  text { fill: #1b1f24; font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 15px; }
  .words { font-family: system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; font-size: 14px; }
  .arrow { stroke: #59616b; stroke-width: 2; fill: none; } .head { fill: #59616b; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #14181d; stroke: #3a424c; } .layer { fill: #1d232a; }
    .package { fill: #17364f; stroke: #6fb1e4; } .module { fill: #14181d; stroke: #6fb1e4; }
    .plugin { fill: #47300f; stroke: #e0a255; } .absent { stroke: #98a1ac; }
    text { fill: #e8ecf1; } .arrow { stroke: #a5aeb8; } .head { fill: #a5aeb8; }
  }
"""
KINDS = {
    "package": "package of the engine",
    "module": "single module",
    "plugin": "plug-ins, found by name",
    "absent": "planned",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of daasbench: one name of a layer.

    `kind` is ``package``, ``module`` (a single module of the engine), ``plugin`` (a folder of plug-ins) or ``absent``;
    `sentence` is the first line of its docstring, empty if it has none.
    """

    name: str
    kind: str
    sentence: str


def main() -> None:
    """Write the picture and the page."""
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    print(PICTURE, PAGE, sep="\n")


def contracts() -> list[Mapping[str, Any]]:
    """Return the import contracts, in the order of pyproject.toml."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        found: list[Mapping[str, Any]] = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return found


def layers() -> list[list[Part]]:
    """Return the layers of the contract of that type, the highest first."""
    declared = next(contract["layers"] for contract in contracts() if contract["type"] == "layers")
    return [[part(name) for name in names(layer)] for layer in declared]


def names(layer: str) -> list[str]:
    """Return the names of one layer as import-linter writes it: ``a | b``, ``a : b``, ``(a)`` if it may be absent."""
    return [name.strip().strip("()").strip() for name in layer.replace(":", "|").split("|")]


def part(name: str) -> Part:
    """Return what a name of the contract is in the checkout."""
    folder = "daasbench/" + name.replace(".", "/")
    files = {
        f"{folder}.py": "module",
        f"{folder}/__init__.py": "package",
        f"{name}/__init__.py": "plugin",
    }
    for file, kind in files.items():
        if (ROOT / file).is_file():
            return Part(name=name, kind=kind, sentence=first_line(ROOT / file))
    return Part(name=name, kind="absent", sentence="")


def first_line(path: Path) -> str:
    """Return the first line of a module's docstring, with references as code."""
    words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", words.partition("\n")[0])


# --- the picture ----------------------------------------------------------------------------------------------


def picture() -> str:
    """Return the picture of the layers as SVG, the highest on top."""
    found = layers()
    top = MARGIN
    shapes: list[str] = []
    for layer in found:
        lines = [layer[at : at + ABREAST] for at in range(0, len(layer), ABREAST)]
        height = len(lines) * (BOX + PAD) + PAD
        shapes.append(rectangle("layer", LEFT, top, WIDTH - LEFT - MARGIN, height))
        for number, line in enumerate(lines):
            shapes += boxes(line, top + PAD + number * (BOX + PAD))
        top += height + GAP
    bottom = top - GAP
    shapes += arrow(MARGIN, bottom)
    shapes += legend(top + GAP, {part.kind for layer in found for part in layer})
    height = top + GAP + 2 * 28 + MARGIN
    count = sum(map(len, found))
    title = f"The {count} parts of daasbench in {len(found)} layers: each may import what is below it"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
            f' height="{height}" role="img" aria-labelledby="title">',
            f'<title id="title">{title}</title>',
            f"<style>{STYLE}</style>",
            rectangle("paper", 0.5, 0.5, WIDTH - 1, height - 1),
            *shapes,
            "</svg>",
            "",
        ]
    )


def boxes(line: Sequence[Part], top: float) -> Iterator[str]:
    """Yield the boxes of some parts in one line, each at least as wide as its name."""
    room = WIDTH - LEFT - MARGIN - PAD * (len(line) + 1)
    widths = [len(part.name) * CHARACTER + 2 * PAD for part in line]
    spare = (room - sum(widths)) / len(line)
    left = float(LEFT + PAD)
    for part, width in zip(line, widths, strict=True):
        wide = width + spare
        yield rectangle(part.kind, left, top, wide, BOX, hover=part.sentence)
        yield text(part.name, left + wide / 2, top + BOX / 2)
        left += wide + PAD


def arrow(top: float, bottom: float) -> Iterator[str]:
    """Yield the arrow down the left side, and what it means."""
    x, middle = 44, (top + bottom) / 2
    yield f'<path class="arrow" d="M{x} {top} V{bottom - 12}"/>'
    yield f'<path class="head" d="M{x - 7} {bottom - 13} H{x + 7} L{x} {bottom} Z"/>'
    words = text("may import", 24, middle, kind="words")
    yield words.replace("<text ", f'<text transform="rotate(-90 24 {number(middle)})" ', 1)


def legend(top: float, kinds: set[str]) -> Iterator[str]:
    """Yield what the colours of the boxes mean, two in a line."""
    for place, kind in enumerate(kind for kind in KINDS if kind in kinds):
        x, y = LEFT + PAD + (place % 2) * 270, top + (place // 2) * 28
        yield rectangle(kind, x, y, 26, 18)
        yield text(KINDS[kind], x + 36, y + 9, kind="words", anchor="start")


def rectangle(kind: str, left: float, top: float, width: float, height: float, hover: str = "") -> str:
    """Return a rounded rectangle; `hover` is what a browser shows over it."""
    inside = f"><title>{escape(hover)}</title></rect>" if hover else "/>"
    sides = f'x="{number(left)}" y="{number(top)}" width="{number(width)}" height="{number(height)}"'
    return f'<rect class="{kind}" {sides} rx="6"{inside}'


def text(words: str, x: float, y: float, *, kind: str = "", anchor: str = "middle") -> str:
    """Return a line of text about the point (x, y)."""
    named = f'class="{kind}" ' if kind else ""
    place = f'x="{number(x)}" y="{number(y)}" text-anchor="{anchor}" dominant-baseline="central"'
    return f"<text {named}{place}>{escape(words)}</text>"


def number(value: float) -> str:
    """Return a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


# --- the page -------------------------------------------------------------------------------------------------


def page() -> str:
    """Return the page with its generated lists updated; the text outside of the marks is written by hand."""
    words = PAGE.read_text(encoding="utf-8")
    for name, lines in (("layers", layer_table()), ("contracts", contract_list())):
        begin, end = f"<!-- {name}: written by docs/make_architecture.py -->", f"<!-- end of {name} -->"
        head, _, rest = words.partition(begin)
        _, _, tail = rest.partition(end)
        if not tail:
            raise LookupError(f"{PAGE}: needs the lines {begin} and {end}")
        words = "\n".join([f"{head}{begin}", *lines, f"{end}{tail}"])
    return words


def layer_table() -> list[str]:
    """Return the table of the parts, the highest layer first."""
    rows = [
        f"| {level} | `{part.name}` | {KINDS[part.kind]} | {part.sentence.replace('|', chr(92) + '|')} |"
        for level, layer in enumerate(layers(), 1)
        for part in layer
    ]
    return ["| Layer | Part | Kind | Content |", "|---|---|---|---|", *rows]


def contract_list() -> list[str]:
    """Return the names of all contracts, which are sentences."""
    return [f"- {contract['name']}." for contract in contracts()]


if __name__ == "__main__":
    main()
