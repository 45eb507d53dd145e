"""What a file of the repository refers to is in the repository: pages, their sections, and the pages' links."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / ".github").rglob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMED = re.compile(r"(?<![\w./$-])docs/[\w./-]++(?:#[\w-]+)?+(?!\*)")  # a pattern with a star is none
LINK = re.compile(r"\]\((?!\w+:)(?P<path>[^)#\s]*)(?:#(?P<section>[^)\s]+))?\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
OUTSIDE = re.compile(r"\b(?:KERNELS|DESIGN|CONVENTIONS|REPORTS)\b")  # notes that the first authors had beside it
OWN = "tests/test_references.py"  # its own examples lead nowhere
OF_A_TEST = {"docs/page.md"}  # written by tests into folders of their own


class Reference(NamedTuple):
    """A path and a section that a line of a file names."""

    where: str
    path: str
    section: str


def texts() -> dict[str, str]:
    """Return the text of every tracked text file by its name; of every source file and page where there is no git."""
    try:
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        names = sorted(name for name in listed.split("\0") if name)
    except (OSError, subprocess.CalledProcessError):
        folders = ("daasbench", "kernels", "scenarios", "runners", "reports", "tests", "ci", "docs")
        paths = [*ROOT.glob("*.*"), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
        names = sorted(str(path.relative_to(ROOT)) for path in paths if path.is_file())
    found = {}
    for name in names:
        try:
            found[name] = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):  # a picture; a file that is about to be committed away
            continue
    return found


def sections(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the forges that render Markdown make them."""
    words = CODE.sub(lambda found: found[0].strip("`") if "\n" not in found[0] else "", page.read_text("utf-8"))
    plain = [re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(words)]
    return {re.sub(r"[^\w\- ]", "", one.strip().lower()).replace(" ", "-") for one in plain}


def dangling(one: Reference) -> bool:
    """Return whether a reference leads nowhere; ``docs/decisions/0007`` is short for the page of that number."""
    path = ROOT / one.path
    if re.search(r"decisions/\d{4}$", one.path):
        return not list(path.parent.glob(f"{path.name}-*.md"))
    if not path.exists():
        return True
    return bool(one.section) and one.section not in sections(path)


def named() -> list[Reference]:
    """Return every path below docs/ that a file names."""
    found = []
    for name, text in texts().items():
        for number, line in enumerate(text.splitlines(), start=1):
            for word in NAMED.findall(line):
                path, _, section = word.partition("#")
                found.append(Reference(f"{name}:{number}", path.rstrip("."), section))
    return [one for one in found if one.path not in OF_A_TEST and not one.where.startswith(OWN)]


def links(page: Path) -> list[Reference]:
    """Return the links of a page to files beside it, their paths from the root of the checkout."""
    words = CODE.sub("", page.read_text(encoding="utf-8"))
    found = []
    for match in LINK.finditer(words):
        target = (page.parent / match["path"]).resolve() if match["path"] else page
        found.append(Reference(page.name, str(target.relative_to(ROOT)), match["section"] or ""))
    return found


def test_every_page_that_a_file_names_exists() -> None:
    found = named()
    assert len(found) > 20  # the pattern still finds what it looks for
    assert [f"{one.where}: {one.path}#{one.section}" for one in found if dangling(one)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_to_a_section(page: Path) -> None:
    assert [f"{one.path}#{one.section}" for one in links(page) if dangling(one)] == []


def words_of(name: str, text: str) -> list[tuple[int, str]]:
    """Return the lines of a file that people read, with their numbers; of a Python file its comments and strings."""
    if not name.endswith(".py"):
        return list(enumerate(text.splitlines(), start=1))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(one.start[0], one.string) for one in tokens if one.type in (tokenize.COMMENT, tokenize.STRING)]


def test_no_file_cites_a_document_that_is_not_in_the_repository() -> None:
    found = [
        f"{name}:{number}: {words}"
        for name, text in texts().items()
        if name != OWN
        for number, words in words_of(name, text)
        if OUTSIDE.search(words)
    ]
    assert found == []


def test_every_page_is_reached_from_the_first_by_links() -> None:
    waiting, seen = [ROOT / "docs/index.md"], set()
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for one in links(page):
            target = ROOT / one.path
            waiting += sorted(target.glob("*.md")) if target.is_dir() else [target] if target.suffix == ".md" else []
    assert [str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md") if page not in seen] == []


def test_a_reference_that_leads_nowhere_is_seen() -> None:
    assert dangling(Reference("", "docs/how-to/no-such-page.md", ""))
    assert dangling(Reference("", "docs/decisions/9999", ""))
    assert dangling(Reference("", "docs/explanation/measuring.md", "no-such-section"))
    assert not dangling(Reference("", "docs/decisions/0001", ""))
    assert not dangling(Reference("", "docs/explanation/measuring.md", "verification-must-not-disturb"))
