"""Every code block of the README and of the docs is run, and what the docs tell of the code is true.

In a page, a comment above a block says what to do with it: ``<!-- file: NAME -->`` writes it, ``<!-- not run: WHY -->``
leaves it alone, ``<!-- here: NAME ... -->`` puts sample files beside it. Blocks of ``sh`` and ``python`` are run, in
order, in one folder a page.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from daasbench.model import Beamline, Goal, LimitsRule, Outcome, Platform, Price, Reason, Repeat
from daasbench.scenario.grid import CaseBlock
from daasbench.scenario.plan import Scenario

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>file|not run|here): (?P<what>.+?) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)```", re.DOTALL
)
LINK = re.compile(r"\]\((?!https?://|#)(?P<path>[^)#]+)")
SPOKEN = ("text", "console", "json", "csv")  # what a command answers, or a shape: nothing to run
PONI = """# A Pilatus-like detector, 200 mm behind the sample
Detector: Detector
Detector_config: {"pixel1": 0.000172, "pixel2": 0.000172, "max_shape": [195, 187], "orientation": 3}
Distance: 0.2
Poni1: 0.0168
Poni2: 0.0161
Rot1: 0.0
Rot2: 0.0
Rot3: 0.0
Wavelength: 1e-10
poni_version: 2.1
"""


class Block(msgspec.Struct, frozen=True):
    """A fenced block of a page, and the comment above it."""

    kind: str
    text: str
    mark: str = ""
    what: str = ""


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield Block(match["kind"], match["text"], match["mark"] or "", match["what"] or "")


def is_run(block: Block) -> bool:
    """Return whether a block has to be run."""
    return block.kind in ("sh", "bash", "python") and block.mark not in ("file", "not run")


def write_sample(name: str, folder: Path) -> None:
    """Write a sample file that a page names: a frame, its mask, or its geometry."""
    import fabio.edfimage
    import fabio.tifimage

    shape = (195, 187)
    if name == "frame.tif":
        frame = np.random.default_rng(1).poisson(100, shape).astype(np.uint32)
        fabio.tifimage.TifImage(data=frame).write(str(folder / name))
    elif name == "mask.edf":
        mask = np.zeros(shape, np.uint8)
        mask[90:100] = 1
        fabio.edfimage.EdfImage(data=mask).write(str(folder / name))
    elif name == "cal.poni":
        (folder / name).write_text(PONI, encoding="utf-8")
    else:
        raise KeyError(name)


def run(block: Block, folder: Path) -> None:
    """Run a block as a reader would; fail with what it said."""
    interpreter = [sys.executable, "-"] if block.kind == "python" else ["sh", "-e"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        interpreter, input=block.text, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        check=False, timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, f"{block.text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.slow
@pytest.mark.timeout(900)  # a page is as long as it is
@pytest.mark.parametrize("page", [page for page in PAGES if any(map(is_run, blocks(page)))], ids=lambda page: page.name)
def test_every_code_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.mark == "file":
            (tmp_path / block.what).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.what).write_text(block.text, encoding="utf-8")
        if block.mark == "here":
            for name in block.what.split():
                write_sample(name, tmp_path)
        if is_run(block):
            run(block, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_code_block_is_run_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        assert is_run(block) or block.mark or block.kind in SPOKEN, f"say what to do with this block:\n{block.text}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [match["path"] for match in LINK.finditer(text) if not (page.parent / match["path"]).exists()] == []


# --- the reference pages --------------------------------------------------------------------------------------


def documented(heading: str) -> dict[str, str]:
    """Return key and default of each row of the table below a heading of scenario.md."""
    text = (ROOT / "docs/reference/scenario.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", section, re.MULTILINE))


def default_of(field: Any) -> str:
    """Return a field's default as scenario.md writes it."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None:
        return "none"
    return "see below" if isinstance(value, msgspec.Struct) else f"`{msgspec.json.encode(value).decode()}`"


@pytest.mark.parametrize(
    ("heading", "noun"),
    [
        ("Scenario", Scenario),
        ("`[[cases]]`", CaseBlock),
        ("`[repeat]`", Repeat),
        ("`[limits]`", LimitsRule),
        ("`[goal]`", Goal),
        ("`[beamline]`", Beamline),
        ("Platform", Platform),
        ("`price`", Price),
    ],
)
def test_every_key_of_a_file_is_documented_with_its_default(heading: str, noun: type[msgspec.Struct]) -> None:
    assert documented(heading) == {one.encode_name: default_of(one) for one in msgspec.structs.fields(noun)}


def test_the_glossary_names_every_outcome_and_every_reason() -> None:
    text = (ROOT / "docs/reference/glossary.md").read_text(encoding="utf-8")
    outcomes = text.split("**Outcomes**: ")[1].split("\n")[0]
    reasons = text.split("**Reasons** of an outcome that is not `ok`: ")[1].split(". ")[0]
    assert re.findall(r"`(\w+)`", outcomes) == list(Outcome)
    assert re.findall(r"`(\w+)`", reasons) == list(Reason)


def test_the_exit_codes_are_those_of_the_errors() -> None:
    from daasbench.errors import BudgetError, DaasbenchError, Unfinished, UsageError

    text = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    message = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert message == {0, 1, 130} | {one.exit_code for one in (UsageError, Unfinished, BudgetError, DaasbenchError)}


@pytest.fixture(scope="module")
def pages() -> Callable[[], dict[str, str]]:
    """Return the function that makes the pages of the kernels."""
    spec = importlib.util.spec_from_file_location("make_kernels", ROOT / "docs/make_kernels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages  # type: ignore[no-any-return]


def test_the_pages_of_the_kernels_are_up_to_date(pages: Callable[[], dict[str, str]]) -> None:
    folder = ROOT / "docs/reference/kernels"
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert written == pages(), "the cards have changed: run make docs"
