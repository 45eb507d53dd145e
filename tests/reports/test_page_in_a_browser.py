"""A real browser shows the page, from the file alone and without a network."""

from __future__ import annotations

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


@pytest.fixture(scope="module")
def browser(program: Callable[..., str]) -> str:
    """Return the browser that is installed here."""
    return program("chromium", "chromium-browser", "google-chrome", fix="apt install chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, fill: Callable[[Path], Any]) -> Path:
    """Return the page of a report with every outcome."""
    evidence = fill(tmp_path_factory.mktemp("every")).gather()
    return report.write(evidence, tmp_path_factory.mktemp("page"), ["html"])[0]


def show(browser: str, page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [browser, *QUIET, f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


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
