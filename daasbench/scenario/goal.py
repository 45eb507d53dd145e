"""The goal of a scenario in words. The goal is recorded; no answer is checked against it yet."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable

import msgspec

from daasbench.model import Goal


def goal_note(goal: Goal) -> str:
    """Return the sentence about a goal: it is recorded, and no answer is checked against it; empty without a goal."""
    given = {name: value for name, value in msgspec.structs.asdict(goal).items() if value is not None}
    if not given:
        return ""
    message = ", ".join(f"{name} = {_plain(value)}" for name, value in given.items())
    return f"The goal ({message}) is recorded, but this version does not check it yet."


def goal_notes(scenarios: Iterable[str]) -> list[str]:
    """Return the sentences about the goals in some scenarios' texts, without duplicates; a damaged text has none."""
    found = dict.fromkeys(goal_note(goal) for text in scenarios if (goal := _declared(text)))
    return [note for note in found if note]


def _declared(scenario: str) -> Goal | None:
    try:
        given = tomllib.loads(scenario).get("goal")
        return None if given is None else msgspec.convert(given, Goal)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        return None


def _plain(value: float) -> str:
    """Return a number as a person writes it in TOML: no exponent, no zeros at the end."""
    return f"{value:.10f}".rstrip("0").rstrip(".") if 1e-6 <= abs(value) < 1e15 or not value else repr(value)
