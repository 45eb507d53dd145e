"""``--set``: a key twice, or a list that is not written as one, is refused with how to write it."""

from __future__ import annotations

import tomllib

import pytest

from daasbench.cli.scenario_options import ScenarioRequest
from daasbench.errors import ScenarioError


@pytest.mark.parametrize(
    ("setting", "fix"),
    [
        ("cases.sizes=tiny,small", """'cases.sizes=["tiny","small"]'"""),
        ("cases.implementations=numpy, numba", """'cases.implementations=["numpy","numba"]'"""),
        ("cases.0.threads=1,2,max", """'cases.0.threads=[1,2,"max"]'"""),
        ("repeat.processes=3,12", "'repeat.processes=[3,12]'"),
        ("platforms=here,here-priced", """'platforms=["here","here-priced"]'"""),
    ],
)
def test_a_list_without_brackets_is_refused_and_shown_as_toml(setting: str, fix: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        ScenarioRequest("tomography").set_values([setting])
    assert str(caught.value) == f"--set {setting}: this is one text; write a list: --set {fix}"
    key, _, value = fix.strip("'").partition("=")
    ScenarioRequest("tomography").set_values([f"{key}={value}"])
    assert tomllib.loads(f"value = {value}")


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        (["cases.sizes=tiny", "cases.sizes=small"], """write a list: --set 'cases.sizes=["tiny","small"]'"""),
        (["cases[0].seed=1", "cases.0.seed=2"], "write a list: --set 'cases.0.seed=[1,2]'"),
        (["repeat.processes=3", "repeat.processes=5"], "set each key once"),
        (["bins=3", "bins=5"], "set each key once"),
    ],
)
def test_a_key_that_is_set_twice_is_refused(settings: list[str], fix: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        ScenarioRequest("azimuthal_integration").set_values(settings)
    key = settings[1].partition("=")[0]
    assert str(caught.value) == f"--set {settings[1]}: {key} is set twice; {fix}"


def test_a_text_with_a_comma_remains_a_text_where_no_list_is_taken() -> None:
    request = ScenarioRequest("azimuthal_integration")
    request.set_values(["question=How fast, and why?", "position=tth=5.2,eta=1"])
    assert request.raw["question"] == "How fast, and why?"
    assert request.raw["cases"][0]["options"] == {"position": "tth=5.2,eta=1"}
