"""The pages and the picture that docs/make_*.py write are those that the code gives; the site's navigation is whole."""

from __future__ import annotations

import importlib
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports a script of docs/ by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))

    def load(name: str) -> ModuleType:
        sys.modules.pop(name, None)
        return importlib.import_module(name)

    return load


def test_the_picture_of_the_architecture_is_that_of_the_contracts(generator: Any) -> None:
    made = generator("make_architecture")
    assert made.PICTURE.read_text(encoding="utf-8") == made.picture(), "the contracts have changed: run make docs"


def test_the_lists_of_the_architecture_are_those_of_the_contracts(generator: Any) -> None:
    made = generator("make_architecture")
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "contracts or docstrings have changed: run make docs"


def test_the_list_of_public_names_is_up_to_date(generator: Any) -> None:
    made = generator("make_api")
    assert made.FILE.read_text(encoding="utf-8") == made.page(), "public names have changed: run make docs"


def test_every_audience_has_public_names_and_each_says_what_it_is(generator: Any) -> None:
    made = generator("make_api")
    for audience in made.AUDIENCES:
        assert any(made.public_names(name) for name in made.existing(audience)), audience.title


def test_whatever_the_contracts_are_the_picture_shows_every_part_once(
    generator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = generator("make_architecture")
    text = """
        [[contracts]]
        name = "no layers"
        type = "forbidden"
        [[contracts]]
        name = "Upper may import lower"
        type = "layers"
        layers = ["cli", "a : b | (planning)", "kernels", "study", "c | d | e | f | g"]
    """
    monkeypatch.setattr(made, "contracts", lambda: tomllib.loads(text)["contracts"])
    tree = ET.fromstring(made.picture())
    shown = [one.text for one in tree.iter("{http://www.w3.org/2000/svg}text")]
    for name in ("cli", "a", "b", "planning", "kernels", "study", "c", "d", "e", "f", "g"):
        assert shown.count(name) == 1
    kinds = {one.name: one.kind for layer in made.layers() for one in layer}
    assert (kinds["cli"], kinds["study"], kinds["kernels"], kinds["a"]) == ("package", "module", "plugin", "absent")
    assert made.contract_list() == ["- no layers.", "- Upper may import lower."]


def test_public_names_are_those_that_a_module_declares_or_defines_or_imports_as_themselves(
    generator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = generator("make_api")
    (tmp_path / "declares.py").write_text('__all__ = ["b", "A"]\n\ndef b(): """B."""\n\nclass A: """A."""\n\nC = 1\n')
    (tmp_path / "defines.py").write_text(
        "from daasbench.errors import UsageError as UsageError\nfrom daasbench.errors import Locked\n\n"
        'N = 1\n"""A number:\nhow many | of what."""\n\ndef _private(): ...\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert made.public_names("declares") == ["A", "b"]
    assert made.public_names("defines") == ["N", "UsageError"]
    assert made.row("defines", "N") == "| `N` | value | A number: how many \\| of what. |"
    assert "nothing was run" in made.row("defines", "UsageError")


def test_every_link_of_the_pages_is_moved_to_its_place_on_the_site(generator: Any, tmp_path: Path) -> None:
    pytest.importorskip("sphinx")  # nothing of it is imported here; without it there is no site
    made = generator("make_site")
    made.SOURCE = tmp_path
    assert made.staged(ROOT / "docs/decisions") == "decisions/index.md"
    assert made.staged(ROOT / "docs/benchmarks/README.md") == "benchmarks/index.md"
    assert made.staged(ROOT / "CONTRIBUTING.md") == "developer/contributing.md"
    text = made.linked(ROOT / "CONTRIBUTING.md")
    assert "](../how-to/add-a-runner.md)" in text
    assert "](../files/LICENSE)" in text
    assert (tmp_path / "files/LICENSE").is_file()


def test_the_site_fetches_nothing_and_its_version_is_the_packages(generator: Any) -> None:
    settings = (ROOT / "docs/site/conf.py").read_text(encoding="utf-8") + (ROOT / "docs/site/site.css").read_text()
    assert "http" not in settings
    assert "intersphinx" not in settings


def test_the_citation_has_the_version_of_the_package() -> None:
    import daasbench

    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert f"version: {daasbench.__version__}" in lines
