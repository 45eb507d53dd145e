"""The tolerances in docs/reference/kernel-definitions.md are those of the oracles."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reference/kernel-definitions.md"
ROW = re.compile(r"^\| (?P<kernel>\w+) \| `(?P<name>[A-Z0-9_]+)` \| (?P<value>[^|]+?) \|", re.MULTILINE)
ORACLES = sorted(path.parent.name for path in (ROOT / "kernels").glob("*/oracle.py"))


def documented(kernel: str) -> dict[str, object]:
    """Return the tolerances of a kernel on the page."""
    rows = ROW.finditer(PAGE.read_text(encoding="utf-8"))
    return {row["name"]: ast.literal_eval(row["value"]) for row in rows if row["kernel"] == kernel}


@pytest.mark.parametrize("kernel", ORACLES)
def test_every_tolerance_of_an_oracle_is_on_the_page_with_its_value(kernel: str) -> None:
    oracle = importlib.import_module(f"daasbench.kernels.{kernel}.oracle")
    page = documented(kernel)
    declared = {name for name in vars(oracle) if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and "TOLERANCE" in name}
    assert {name: getattr(oracle, name) for name in declared | set(page)} == page


def test_the_page_has_every_kernel() -> None:
    text = PAGE.read_text(encoding="utf-8")
    kernels = sorted(path.parent.name for path in (ROOT / "kernels").glob("*/problem.py"))
    assert [name for name in kernels if not re.search(rf"^### .*\b{name}\b", text, re.MULTILINE)] == []
