"""Pages use no word that docs/developer/language.md replaces; the glossary lists each term once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "docs/developer/language.md"
GLOSSARY = ROOT / "docs/reference/glossary.md"
NOT_READ = {
    RULES,  # has the list itself
    ROOT / "CHANGELOG.md",  # quotes the words that were replaced
}
GENERATED = {"api.md", "cli.md", "first.md", "memory.md", "peers.md"}  # from docstrings, help and measurements
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *(ROOT / ".github").rglob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if page not in NOT_READ and page.name not in GENERATED and "kernels" not in page.parts
)
SHOWN = re.compile(
    r"```.*?```|`[^`\n]*`|\]\([^)]*\)|<!--.*?-->", re.DOTALL
)  # code, links and comments are not sentences

# A word of the table, and where it is wrong. The pattern excludes its ordinary meanings, which are allowed.
REPLACED = {
    "way": r"(?<!the same )(?<!this )(?<!under )\bways?\b",
    "told": r"\btold\b(?! yet)",
    "errand": r"\berrands?\b",
    "contender": r"\bcontenders?\b",
    "seat": r"\bseats?\b",
    "has the word": r"\bha[sd] the word\b",
    "turn": r"\bturns?\b",
    "hello": r"\bhellos?\b",
    "doubt": r"\bdoubts?\b",
    "presence": r"\bpresence\b",
    "look at": r"\blook(?:s|ed|ing)? at\b",
    "cure": r"\bcure[sd]?\b",
    "lack": r"\black(?:s|ed|ing)?\b",
    "place": r"(?<!in )\bplaces?\b",
    "rung": r"\brungs?\b",
    "climb": r"\bclimb(?:s|ed|ing)?\b",
    "summit": r"\bsummits?\b",
    "beyond N another rank buys": r"\bbuys?\b",
    "stands": r"\bstands?\b",
    "is left": r"\b(?:is|are) left\b",
    "goes on": r"\bgo(?:es)? on\b",
    "left out": r"\bleft out\b",
    "the same command goes on": r"\bsame command goes\b",
    "the weather": r"\bweather\b",
    "footing": r"\bfooting\b",
    "beside": r"\bbesides?\b",
    "least work": r"\bleast work\b",
    "of the limit": r"(?<!share )(?<!quarter )(?<!tenth )\bof the limit\b",
    "team": r"\bteams?\b",
    "crew": r"\bcrews?\b",
    "verified right": r"\bverified right\b",
}
# Words of the table that are also ordinary words of a sentence: only a reader can tell the two apart.
READ_BY_PEOPLE = {"word (a message", "a state)", "account", "longest", "there", "here (in sentences)",
                  "spread (a kernel over ranks)"}  # fmt: skip


def sentences(page: Path) -> list[tuple[int, str]]:
    """Return the lines of a page without code and links, with their numbers."""
    text = SHOWN.sub(lambda found: "\n" * found[0].count("\n"), page.read_text(encoding="utf-8"))
    return list(enumerate(text.splitlines(), start=1))


def terms() -> list[str]:
    """Return the terms that the glossary defines, in its order."""
    return re.findall(r"^\| \*\*(.+?)\*\* \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_uses_a_word_that_has_a_plainer_one(page: Path) -> None:
    found = [
        f"line {number}: {word!r}: {line.strip()}"
        for number, line in sentences(page)
        for word, pattern in REPLACED.items()
        if re.search(pattern, line, re.IGNORECASE)
    ]
    assert found == [], f"{RULES.relative_to(ROOT)} says what to write instead"


def test_every_word_of_the_list_is_searched_for_or_read_by_people() -> None:
    table = RULES.read_text(encoding="utf-8").split("| Instead of | Say |\n|---|---|\n")[1].split("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines()]
    listed = {word.strip() for cell in cells for word in re.split("[,;]", cell)}
    assert listed - REPLACED.keys() == READ_BY_PEOPLE


@pytest.mark.parametrize("word", REPLACED)
def test_a_replaced_word_in_a_sentence_is_found(word: str) -> None:
    assert re.search(REPLACED[word], word.replace("N another", "2 another"), re.IGNORECASE)


@pytest.mark.parametrize(
    "plain", ["in the same way", "cannot be told yet", "share of the limit", "in place", "is under way"]
)
def test_an_ordinary_meaning_is_allowed(plain: str) -> None:
    assert [word for word, pattern in REPLACED.items() if re.search(pattern, plain, re.IGNORECASE)] == []


def test_the_glossary_defines_each_term_once_in_alphabetical_order() -> None:
    assert len(terms()) > 40
    assert terms() == sorted(terms(), key=str.lower)
    assert len({term.lower() for term in terms()}) == len(terms())


def test_every_definition_is_one_cell_that_does_not_begin_with_its_term() -> None:
    rows = re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    assert [term for term, _ in rows] == terms()
    assert [term for term, text in rows if " | " in text] == []
    assert [term for term, text in rows if re.match(rf"(?:an? )?{term}\b", text, re.IGNORECASE)] == []


@pytest.fixture(scope="module")
def read() -> str:
    """Return what people read besides the glossary: pages, and the texts of reports and of the command line."""
    rooms = [
        *(ROOT / "reports").rglob("*.py"),
        *(ROOT / "reports").rglob("*.j2"),
        *(ROOT / "daasbench/cli").glob("*.py"),
    ]
    return "\n".join(one.read_text(encoding="utf-8") for one in [*PAGES, *rooms] if one != GLOSSARY).lower()


@pytest.mark.parametrize("term", terms())
def test_every_term_of_the_glossary_is_used_on_a_page_or_in_a_report(term: str, read: str) -> None:
    words = re.escape(term.lower()).replace(r"\ ", r"[\s_]+").replace("process", "process(?:es)?")
    assert re.search(rf"\b{words}s?\b", read)


OF_A_SITE = re.compile(r"^(?:host|folder|partition|queue|account|cores_per_node|memory_gb) = ", re.MULTILINE)


def test_every_line_of_a_platform_that_differs_between_sites_is_marked() -> None:
    lines = [
        (page.name, line)
        for page in (ROOT / "docs/how-to").glob("*.md")
        for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for line in block.splitlines()
        if OF_A_SITE.match(line)
    ]
    assert {name for name, _ in lines} >= {"slurm.md", "remote-cluster.md", "platforms.md"}
    assert [f"{name}: {line}" for name, line in lines if "# edit" not in line] == []


def test_a_page_about_slurm_says_what_happens_without_memory_gb() -> None:
    for name in ("slurm", "remote-cluster", "platforms"):
        page = " ".join((ROOT / f"docs/how-to/{name}.md").read_text(encoding="utf-8").split())
        assert "If you omit `memory_gb`" in page
        assert "too little" in page
