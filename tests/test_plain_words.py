"""Messages, docstrings and comments use the terms of docs/developer/language.md instead of private metaphors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = (
    *("runners", "kernels", "scenarios", "ci", "daasbench/authoring", "daasbench/compute", "daasbench/formats"),
    *("daasbench/host", "daasbench/inspection", "daasbench/records", "daasbench/scenario", "daasbench/testing"),
)
INSTEAD = {
    r"errands?": "job tracking",
    r"contenders?": "measuring process",
    r"hello": "rank registration",
    r"cures?": "fix",
    r"rungs?|summits?|climbs?": "point, series, largest",
    r"weather|footing": "conditions, start evidence",
    r"goes on|go on|left out": "continues, excluded",
    r"verified right": "correct",
    r"least work": "minimum work",
    r"asked for": "requested",
    r"(?<![Tt]here )is no [a-z]+": "is not a",
    r"(in|at) turns?": "alternately",
}


def lines(room: str) -> list[tuple[str, str]]:
    """Return where each line of the room's Python, TOML and shell files is, and the line."""
    files = sorted(path for path in (ROOT / room).rglob("*") if path.is_file() and path.suffix in ("", ".py", ".toml"))
    return [
        (f"{path.relative_to(ROOT)}:{number}", line)
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_no_line_has_a_word_for_which_there_is_a_standard_term(room: str) -> None:
    found = [
        f"{where}: {match[0]!r}: say {instead}"
        for where, line in lines(room)
        for pattern, instead in INSTEAD.items()
        if (match := re.search(rf"\b({pattern})\b", line))
    ]
    assert found == []
