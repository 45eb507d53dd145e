"""A real browser shows the page: what its first screen holds, at two widths and in print, without a network."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from daasbench.reports.summary import report

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
)
FIRST_SCREEN = 800  # pixels
QUESTION = (
    "How fast does this machine reduce powder diffraction frames and reconstruct tomograms, with verified results,"
    " and how close does it come to its limits?"
)
LOOK = """<!doctype html><body style="margin:0">
<iframe srcdoc="PAGE" style="width:WIDTHpx;height:800px;border:0"></iframe>
<pre id="seen"></pre><script>onload = () => {
  const page = document.querySelector("iframe").contentDocument;
  const boxes = {};
  for (const name of ["h1", ".answer", ".trust", "figure", ".caution"]) {
    const found = page.querySelector(name);
    if (found) { const box = found.getBoundingClientRect(); boxes[name] = [box.left, box.top, box.right, box.bottom]; }
  }
  const loaded = page.defaultView.performance.getEntriesByType("resource").length;
  const wide = page.documentElement.scrollWidth;
  const shut = [...page.querySelectorAll("details")].filter(one => !one.open).length;
  document.getElementById("seen").textContent = "SEEN" + JSON.stringify({boxes, wide, loaded, shut}) + "SEEN";
}</script></body>"""


@pytest.fixture(scope="module")
def browser(program: Callable[..., str]) -> str:
    """Return the browser that is installed here."""
    return program("chromium", "chromium-browser", "google-chrome", fix="apt install chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, fill: Callable[[Path], Any]) -> Path:
    """Return the page of a report with every outcome and a long question."""
    made = fill(tmp_path_factory.mktemp("every"))
    made.scenario = f'question = "{QUESTION}"\n'
    return report.write(made.gather(), tmp_path_factory.mktemp("page"), ["html"])[0]


def show(browser: str, page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [browser, *QUIET, f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def look(browser: str, page: Path, folder: Path, width: int) -> dict[str, Any]:
    """Return where the parts of a page are in a window of `width` x 800 pixels, in pixels."""
    outer = folder / "outer.html"
    outer.write_text(LOOK.replace("PAGE", html.escape(page.read_text())).replace("WIDTH", str(width)))
    shown = show(browser, outer, folder / "profile", "--dump-dom", "--virtual-time-budget=5000")
    found = re.search(r"SEEN(\{.*\})SEEN</pre>", shown.stdout)
    assert found, shown.stderr
    seen: dict[str, Any] = json.loads(html.unescape(found[1]))
    return seen


def pages_in_print(browser: str, page: Path, folder: Path) -> int:
    printed = folder / f"{page.stem}.pdf"
    show(browser, page, folder / "profile", f"--print-to-pdf={printed}")
    return len(re.findall(rb"/Type /Page\b", printed.read_bytes()))


def test_the_browser_builds_the_whole_page(browser: str, page: Path, tmp_path: Path) -> None:
    shown = show(browser, page, tmp_path, "--dump-dom", "--enable-logging=stderr")
    assert "<h1" in shown.stdout
    assert shown.stdout.count("<svg") == page.read_text().count("<svg") > 0
    assert shown.stdout.rstrip().endswith("</html>")
    assert "CONSOLE" not in shown.stderr


def test_there_is_something_to_see_at_desktop_and_phone_width(browser: str, page: Path, tmp_path: Path) -> None:
    for width in (1280, 500):
        picture = tmp_path / f"{width}.png"
        show(browser, page, tmp_path / "profile", f"--window-size={width},1600", f"--screenshot={picture}")
        assert picture.stat().st_size > 20_000  # a blank page has some 5 kB


@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_screen_holds_question_answer_trust_and_the_start_of_the_figure(
    browser: str, page: Path, tmp_path: Path, width: int
) -> None:
    seen = look(browser, page, tmp_path, width)
    boxes = seen["boxes"]
    for part in ("h1", ".answer", ".trust"):
        left, top, right, bottom = boxes[part]
        assert 0 <= left < right <= width, part
        assert 0 <= top < bottom <= FIRST_SCREEN, part
    assert boxes["h1"][3] <= boxes[".answer"][1] < boxes[".trust"][1] < boxes["figure"][1] < FIRST_SCREEN - 100


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_not_wider_than_the_screen_and_loads_nothing(
    browser: str, page: Path, tmp_path: Path, width: int
) -> None:
    seen = look(browser, page, tmp_path, width)
    assert seen["wide"] <= width
    assert seen["loaded"] == 0


def test_opened_details_do_not_make_the_page_wider_than_a_phone(browser: str, page: Path, tmp_path: Path) -> None:
    opened = tmp_path / "opened.html"
    opened.write_text(page.read_text().replace("<details>", "<details open>"))
    assert look(browser, opened, tmp_path, 390)["wide"] <= 390


def test_details_are_folded_on_a_screen_and_open_in_print(browser: str, page: Path, tmp_path: Path) -> None:
    assert look(browser, page, tmp_path, 1280)["shut"] > 4
    opened = tmp_path / "opened.html"
    opened.write_text(page.read_text().replace("<details>", "<details open>"))
    without = tmp_path / "without.html"
    without.write_text(re.sub(r"</summary>.*?</details>", "</summary></details>", page.read_text(), flags=re.DOTALL))
    folded = pages_in_print(browser, page, tmp_path)
    assert folded == pages_in_print(browser, opened, tmp_path)
    assert folded > pages_in_print(browser, without, tmp_path)


def test_a_caution_is_above_the_answer(browser: str, folder: Callable[..., Any], tmp_path: Path) -> None:
    made = folder()
    for implementation, seconds in (("numba", 0.01), ("numpy", 0.2)):
        made.add(implementation, [seconds, 1.01 * seconds, 1.02 * seconds])
    made.disturb(0.4)
    written = report.write(made.gather(), tmp_path / "page", ["html"])[0]
    boxes = look(browser, written, tmp_path, 390)["boxes"]
    assert boxes["h1"][3] <= boxes[".caution"][1] < boxes[".caution"][3] <= boxes[".answer"][1]
    assert boxes[".trust"][3] <= FIRST_SCREEN
