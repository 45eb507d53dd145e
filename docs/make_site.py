"""Render docs/ as a site in .venv/site/, offline, with ``python docs/make_site.py``.

The pages are copied to .venv/site-source/ with what a site needs beside them: an index of every folder, the pages of
the root (CONTRIBUTING.md and others), and a page per public module with the docstrings. Sphinx renders the copy; a
warning, such as a link that leads nowhere, is an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import make_api

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SOURCE, SITE = ROOT / ".venv/site-source", ROOT / ".venv/site"

SECTIONS = {
    "tutorial": ("Tutorial", "To learn daasbench."),
    "how-to": ("How-to", "To do one task."),
    "reference": ("Reference", "To look up details."),
    "explanation": ("Explanation", "To understand the results."),
    "developer": ("Developer", "To change daasbench."),
    "decisions": ("Decisions", "What was decided, and why. Each decision has one page."),
    "benchmarks": ("Benchmarks", "The time that daasbench itself takes, and the speed of its kernels."),
}
OF_THE_ROOT = {
    "CONTRIBUTING.md": "developer/contributing.md",
    "CODE_OF_CONDUCT.md": "developer/code-of-conduct.md",
    "SECURITY.md": "developer/security.md",
    "CHANGELOG.md": "developer/changelog.md",
    "README.md": "index.md",
}
LINK = re.compile(r"\]\((?!\w+:|#)(?P<path>[^)#\s]+)(?P<section>#[^)\s]*)?\)")
BUILDER = ["-b", "html", "--fail-on-warning", "--keep-going", "--quiet", "--jobs", "2"]


def main() -> int:
    """Copy, add and render; return Sphinx' exit status."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for page in sorted(DOCS.rglob("*.md")):
        write(staged(page), linked(page))
    for name, place in OF_THE_ROOT.items():
        if name != "README.md":
            write(place, linked(ROOT / name))
    shutil.copytree(DOCS / "images", SOURCE / "images")
    for place, text in module_pages():
        write(place, text)
    for section, (title, words) in SECTIONS.items():
        add_index(section, title, words)
    sections = [f"{title} <{section}/index>" for section, (title, _) in SECTIONS.items()]
    write("index.md", (SOURCE / "index.md").read_text(encoding="utf-8") + toctree(sections))
    command = [sys.executable, "-m", "sphinx", *BUILDER, "-c", str(DOCS / "site"), str(SOURCE), str(SITE)]
    status = subprocess.run(command, check=False).returncode
    print(SITE / "index.html" if status == 0 else "the site is not complete", flush=True)
    return status


def write(place: str, text: str) -> None:
    """Write a page of the copy."""
    path = SOURCE / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def staged(path: Path) -> str:
    """Return where a file of the checkout is in the copy: a folder and its README.md are the folder's index."""
    name = str(path.relative_to(ROOT))
    if name in OF_THE_ROOT:
        return OF_THE_ROOT[name]
    if DOCS not in path.parents:
        return f"files/{name}"
    inside = path.relative_to(DOCS)
    if path.is_dir():
        return str(inside / "index.md")
    return str(inside.with_name("index.md") if path.name == "README.md" else inside)


def linked(page: Path) -> str:
    """Return the text of a page with its links as they are in the copy; other files that it links come along."""
    here = Path(staged(page)).parent

    def moved(match: re.Match[str]) -> str:
        target = (page.parent / match["path"]).resolve()
        place = staged(target)
        if place.startswith("files/") and target.is_file():
            (SOURCE / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(target, SOURCE / place)
        return f"]({relative(here, place)}{match['section'] or ''})"

    return LINK.sub(moved, page.read_text(encoding="utf-8"))


def relative(here: Path, place: str) -> str:
    """Return the path of a file of the copy relative to the folder `here` of it."""
    return "/".join([*[".."] * len(here.parts), place])


def add_index(section: str, title: str, words: str) -> None:
    """Add the tree of its pages to a section's index, which is made where there is none."""
    folder = SOURCE / section
    pages = [path.relative_to(folder) for path in folder.rglob("*.md")]
    own = [page for page in pages if len(page.parts) == 1 and page.name != "index.md"]
    below = [page for page in pages if len(page.parts) == 2 and page.name == "index.md"]
    names = sorted((str(page.with_suffix("")) for page in [*own, *below]), key=order(section))
    index = folder / "index.md"
    head = index.read_text(encoding="utf-8") if index.exists() else f"# {title}\n\n{words}\n"
    write(f"{section}/index.md", head + toctree(names, hidden=index.exists()))
    for page in below:
        inner = sorted(path.stem for path in (folder / page.parent).glob("*.md") if path.name != "index.md")
        known = (folder / page).read_text(encoding="utf-8")
        write(f"{section}/{page}", known + toctree(inner))


def order(section: str) -> Callable[[str], tuple[int, str]]:
    """Return the key by which a section's pages are sorted: as docs/index.md names them, then by name."""
    named = re.findall(rf"\]\({section}/([\w/-]+?)\.md", (DOCS / "index.md").read_text(encoding="utf-8"))
    return lambda name: (named.index(name) if name in named else len(named), name)


def toctree(names: list[str], *, hidden: bool = True) -> str:
    """Return the block that puts pages into the navigation."""
    return "\n".join(["", "```{toctree}", *([":hidden:"] if hidden else []), ":maxdepth: 1", "", *names, "```", ""])


def module_pages() -> Iterator[tuple[str, str]]:
    """Yield place and text of the pages with the docstrings of the public names."""
    modules = [name for audience in make_api.AUDIENCES for name in make_api.existing(audience)]
    words = "Every [public name](../api.md) with its signature and its docstring."
    yield (
        "reference/python/index.md",
        "\n".join(["# Python", "", words, "", *(f"- [`{n}`]({n}.md)" for n in modules), ""]),
    )
    homes = home_pages(modules)
    for name in modules:
        lines = [f"# {name}", "", "```{eval-rst}", f".. automodule:: {name}", "   :no-members:", ""]
        for public in make_api.public_names(name):
            at_home = homes.get(id(make_api.value_of(name, public)), name) == name
            lines += directive(name, public, at_home=at_home)
        yield f"reference/python/{name}.md", "\n".join([*lines, "```", ""])


def home_pages(modules: list[str]) -> dict[int, str]:
    """Return the module whose page links lead to, by the identity of a class or function that several modules export.

    That is the module that defines it, else the one that defines its package, else the first.
    """
    homes: dict[int, tuple[int, str]] = {}
    for place, module in enumerate(modules):
        for public in make_api.public_names(module):
            value = make_api.value_of(module, public)
            defined = str(getattr(value, "__module__", ""))
            rank = place if defined == module else len(modules) * (1 if defined.startswith(f"{module}.") else 2) + place
            if make_api.kind_of(value) != "value":
                homes[id(value)] = min(homes.get(id(value), (rank, module)), (rank, module))
    return {key: module for key, (_, module) in homes.items()}


def directive(module: str, name: str, *, at_home: bool) -> list[str]:
    """Return the lines that render one public name; links lead to it only where it is `at_home`."""
    kind = make_api.kind_of(make_api.value_of(module, name))
    unlinked = [] if at_home else ["   :no-index:"]
    if kind == "value":
        return [f".. py:data:: {module}.{name}", *unlinked, "", f"   {make_api.sentence_of(module, name)}", ""]
    if kind == "function":
        return [f".. autofunction:: {module}.{name}", *unlinked, ""]
    options = ["   :members:", *unlinked, ""]
    if kind == "protocol":  # never called: it has no arguments to show
        return [f".. autoclass:: {module}.{name}()", *options]
    return [f".. auto{'exception' if kind == 'error' else 'class'}:: {module}.{name}", *options]


if __name__ == "__main__":
    raise SystemExit(main())
