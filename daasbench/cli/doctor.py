"""``daasbench doctor``: this machine, or platforms before they are used."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from daasbench.inspection import Inspection, look_at


def inspect_platforms(names: Sequence[str], results: Path) -> list[Inspection]:
    """Return what is found of some platforms; each is looked at once."""
    today = datetime.datetime.now(datetime.UTC).date()
    return [look_at(name, folder=Path(), results=results, today=today) for name in dict.fromkeys(names)]


def as_facts(found: Sequence[Inspection]) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    platforms = [
        {
            "platform": one.platform,
            "runner": one.runner,
            "usable": one.usable,
            "findings": [
                {"level": f.level, "about": f.about, "told": f.told, "cure": f.cure or None} for f in one.findings
            ],
        }
        for one in found
    ]
    return {"schema": 1, "platforms": platforms}


def show_inspections(found: Sequence[Inspection]) -> None:
    """Print one line a finding: how it stands, what was looked at, what was seen, and the cure."""
    for number, one in enumerate(found):
        click.echo(("\n" if number else "") + f"{one.platform}: {one.description or 'a platform without description'}")
        for finding in one.findings:
            cure = f"; {finding.cure}" if finding.cure else ""
            click.echo(f"  {finding.level:8} {finding.about:10} {finding.told}{cure}")
