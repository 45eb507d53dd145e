"""The goal of a scenario: recorded, and said to be judged by nothing yet."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from daasbench.model import Goal
from daasbench.scenario.goal import goal_note, goal_notes

NOTE = "The goal (deadline_s = 900) is recorded, but this version does not check it yet."


def test_the_note_names_every_part_of_the_goal_as_a_person_wrote_it() -> None:
    goal = Goal(deadline_s=900, datasets_per_year=12000, dataset_gb=40, results_gb=0.25)
    assert goal_note(goal) == (
        "The goal (deadline_s = 900, datasets_per_year = 12000, dataset_gb = 40, results_gb = 0.25) is recorded, but"
        " this version does not check it yet."
    )
    assert "deadline_s = 1e-09" in goal_note(Goal(deadline_s=1e-9))
    assert "results_gb = 0)" in goal_note(Goal(results_gb=0))


def test_an_empty_goal_is_none() -> None:
    assert goal_note(Goal()) == ""


def test_each_goal_is_noted_once_and_a_damaged_scenario_has_none() -> None:
    texts = ["[goal]\ndeadline_s = 900\n", "goal = 3", "[goal", "question = 'Which?'", "[goal]\ndeadline_s = 900.0"]
    assert goal_notes(texts) == [NOTE]


@pytest.mark.parametrize("options", [("--dry-run",), ("--quick",)])
def test_a_plan_and_a_run_note_that_the_goal_is_not_judged(say: Callable[..., Any], options: tuple[str, ...]) -> None:
    small = ("--set", "cases.sizes=tiny", "--set", "cases.implementations=numpy", "--set", "cases.threads=1")
    said = say("run", "azimuthal_integration", *small, "--set", "goal.deadline_s=900", *options)
    assert said.code == 0, said
    assert said.err.count(f"note: {NOTE}\n") == 1


def test_the_json_of_a_plan_has_the_note(say: Callable[..., Any]) -> None:
    said = say("run", "azimuthal_integration", "--set", "goal.deadline_s=900", "--dry-run", "--json")
    assert NOTE in json.loads(said.out)["notes"]
