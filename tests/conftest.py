"""What every test may use, and the one line that names what this machine lacks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("DAASBENCH_DATA") or CHECKOUT.parent / "shared" / "data").resolve()
_absent: set[str] = set()


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the root of the checkout."""
    return CHECKOUT


@pytest.fixture(scope="session")
def real_file() -> Callable[[str], Path]:
    """Return a function from a path below DAASBENCH_DATA to the measured file; the test is left out without it."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            lacking(f"measured file {name} (set DAASBENCH_DATA)")
        return path

    return find


@pytest.fixture(scope="session")
def needs() -> Callable[[str], None]:
    """Return a function that leaves the test out, and names it at the end, where a module is not installed."""

    def need(module: str) -> None:
        import importlib.util

        if importlib.util.find_spec(module) is None:
            lacking(f"Python package {module}")

    return need


def lacking(what: str) -> None:
    """Leave this test out because the machine lacks `what`; it is named in one line at the end."""
    _absent.add(what)
    pytest.skip(f"absent: {what}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name in one line what this machine lacks."""
    if _absent:
        terminalreporter.write_line("absent on this machine: " + "; ".join(sorted(_absent)))
