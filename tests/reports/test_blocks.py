"""The blocks of which reports are made: names for authors, the plain page."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

from daasbench.reports import blocks

EVIL = '<script>alert(1)</script> | & "quoted" `x` [a](javascript:b)'


def test_every_public_name_of_the_blocks_is_there() -> None:
    assert [name for name in blocks.__all__ if not hasattr(blocks, name)] == []


def test_importing_the_blocks_imports_nothing_that_is_slow() -> None:
    program = (
        "import sys; import daasbench.reports.blocks;"
        "print([name for name in ('matplotlib', 'jinja2', 'pandas', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_hostile_words_stay_words_on_a_plain_page(folder: Callable[..., Any]) -> None:
    section = blocks.PlainSection(title=EVIL, sentences=(EVIL,), columns=("Case", EVIL), rows=((EVIL, EVIL),))
    page = blocks.PlainPage(question=EVIL, answers=(EVIL,), level=blocks.EvidenceLevel.RUNS, sections=(section,))
    frame = blocks.page_frame(folder().add("numba", [0.01, 0.011]).gather(), "mine")
    html, markdown = page.text(frame, "html"), page.text(frame, "md")
    assert "<script" not in html + markdown
    assert html.count("&lt;script&gt;") > 5
    table = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert [line.replace("\\|", "").count("|") for line in table] == [3, 3]


def test_a_plain_page_has_gaps_machines_and_the_commands_that_repeat_it(folder: Callable[..., Any]) -> None:
    page = blocks.PlainPage(question="Which?", answers=("None.",), level=blocks.EvidenceLevel.NONE, sections=())
    frame = blocks.page_frame(folder().add("numba", [0.01, 0.011]).gather(), "mine")
    for wanted in ("html", "md"):
        text = page.text(frame, wanted)
        assert "node-7" in text
        assert "daasbench report mine --results results" in text
        assert "Nothing is missing: every planned case has a correct result." in text


def test_one_rank_is_called_a_rank_and_not_a_thread(folder: Callable[..., Any]) -> None:
    made = folder().add("mpi", [0.01], threads=1).add("numba", [0.01], threads=1).add("mpi", [0.01], threads=2)
    names = {blocks.name(entry) for entry in blocks.entries(made.gather())}
    assert names == {"mpi (1 rank)", "numba (1 thread)", "mpi (1 rank × 2 threads)"}


def test_a_command_at_the_end_of_a_sentence_can_be_copied(folder: Callable[..., Any]) -> None:
    command = "daasbench run my_scenario.toml --set 'cases.sizes=[\"tiny\"]' --again"
    page = blocks.PlainPage(
        question="Which?", answers=(), level=blocks.EvidenceLevel.NONE, sections=(), missing=f"Too few <b>: {command}"
    )
    frame = blocks.page_frame(folder().add("numba", [0.01]).gather(), "mine")
    assert f"Too few &lt;b&gt;: `{command}`" in page.text(frame, "md")
    shown = command.replace("'", "&#39;").replace('"', "&#34;")
    assert f"Too few &lt;b&gt;: <code>{shown}</code>" in page.text(frame, "html")
