"""The tariff of a site: its file, its defaults with their sources, and its draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from daasbench.costs.on_site import OnSiteCosts, node_hour
from daasbench.costs.site_tariff import TERMS, read_tariff, template
from daasbench.costs.uncertainty import Mark, quantiles
from daasbench.errors import DaasbenchError

from ..conftest import CHECKOUT

EXAMPLE = CHECKOUT / "scenarios" / "tariffs" / "example-site.toml"
HEAD = 'site = "s"\ncurrency = "EUR"\ndate = 2026-11-30\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "site.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_the_template_is_a_tariff_as_it_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(template("CHF"), encoding="utf-8")
    tariff = read_tariff(path)
    assert tariff.currency == "CHF"
    costs, utilisation = tariff.costs("gpu")
    assert (costs.nodes, costs.node_price, utilisation) == (4, 280_000, 0.65)


def test_the_template_with_all_defaults_switched_on_gives_the_same_costs(tmp_path: Path) -> None:
    """Each commented default is a line that can be used."""
    names = [term.name for term in TERMS]
    lines = template().splitlines()
    on = [line[2:] if line[2:].split(" = ")[0] in names else line for line in lines]
    assert len(set(on) - set(lines)) >= 14
    for name, text in (("off", lines), ("on", on)):
        (tmp_path / f"{name}.toml").write_text("\n".join(text), encoding="utf-8")
    assert read_tariff(tmp_path / "on.toml").costs("gpu") == read_tariff(tmp_path / "off.toml").costs("gpu")


def test_the_example_site_has_costs_near_the_worked_example() -> None:
    """It differs in A (1 - d) only: 0.9506 instead of 0.95."""
    costs, utilisation = read_tariff(EXAMPLE).costs("gpu-8xH100")
    assert float(node_hour(costs, utilisation)) == pytest.approx(21.2803, rel=1e-3)


def test_what_a_site_does_not_write_is_named_as_an_assumption_with_its_source(tmp_path: Path) -> None:
    tariff = read_tariff(written(tmp_path, "[nodes.cpu]\nnode_price = 18000\nbusy_kw = 0.9\npue = 1.2\n"))
    assumed = {term.name: prior for term, prior in tariff.assumptions("cpu")}
    assert "pue" not in assumed
    assert {"life_years", "electricity", "utilisation"} <= assumed.keys()
    assert all(prior.source for prior in assumed.values())
    own = tariff.kind("cpu")["pue"]
    assert (own.mark, own.source) == (Mark.READ, "tariff of s, 2026-11-30")


def test_draws_keep_own_numbers_and_spread_the_defaults() -> None:
    costs, utilisation = read_tariff(EXAMPLE).draws("cpu-2x96", seed=1, count=4000)
    assert isinstance(costs, OnSiteCosts)
    assert np.ptp(costs.node_price) == 0
    assert 0.4 <= utilisation.min() < utilisation.max() <= 0.9
    found = quantiles(np.asarray(node_hour(costs, utilisation)))
    assert found.p5 < 1.6 < found.p95


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[nodes.cpu]\nnode_price = 1\n", "nodes.cpu.busy_kw: is required and missing"),
        ("[nodes.cpu]\nnode_prise = 1\n", "nodes.cpu: no term 'node_prise'; did you mean 'node_price'"),
        ("[nodes.cpu]\nnode_price = -1\nbusy_kw = 1\n", "nodes.cpu: node_price: -1 is negative"),
        ("[nodes.cpu]\nnode_price = 1\nbusy_kw = 1\nutilisation = 1.2\n", "utilisation: 1.2 is not a share"),
        ("[nodes.cpu]\nnode_price = 1\nbusy_kw = 1\nlife_years = -3\n", "life_years: -3 is negative"),
        (
            "[nodes.cpu]\nnode_price = 1\nbusy_kw = 1\npue = { value = 1.2, low = 0.5, high = 2 }\n",
            "pue: 0.5 is below 1",
        ),
        (
            "[nodes.cpu]\nnode_price = 1\nbusy_kw = 1\npue = { value = 3, low = 1, high = 2 }\n",
            "nodes.cpu.pue: the value 3.0 is not within its range",
        ),
        ("[nodes]\n", "no kind of node"),
    ],
)
def test_a_tariff_that_cannot_be_is_refused_by_file_and_key(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DaasbenchError, match="site.toml: .*" + sentence.replace("(", r"\(")):
        read_tariff(written(tmp_path, text))


def test_a_kind_of_node_that_is_not_there_says_which_are() -> None:
    with pytest.raises(DaasbenchError, match="cpu-2x96"):
        read_tariff(EXAMPLE).costs("cpu")
