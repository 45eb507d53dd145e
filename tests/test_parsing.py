"""Files become nouns, or one sentence says what is wrong in them."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from daasbench.errors import ScenarioError
from daasbench.host import toml_file
from daasbench.model import parsing


class Leaf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The inside of a :class:`Tree`."""

    height: Annotated[int, msgspec.Meta(ge=1)] = 1
    colour: Literal["green", "red"] = "green"
    when: Annotated[datetime.date, msgspec.Meta(description="a date such as 2026-11-01")] | None = None


class Tree(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The noun that the tests convert to."""

    name: str
    leaves: list[Leaf] = []
    best: Leaf | None = None
    numbers: dict[str, int | str] = {}
    share: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.5
    file: Annotated[str, msgspec.Meta(extra={"file": True})] | None = None


CASES = [
    ({}, "q.toml: name: is required and missing"),
    ({"name": "a", "leafs": []}, "q.toml: no key 'leafs'; did you mean 'leaves'? (known: best, file, leaves, name,"),
    ({"name": "a", "best": {"hight": 3}}, "q.toml: best: no key 'hight'; did you mean 'height'?"),
    (
        {"name": "a", "leaves": [{}, {"height": 0}]},
        "q.toml: leaves[1].height: expected a whole number of 1 or more, got 0",
    ),
    (
        {"name": "a", "leaves": [{"colour": "gren"}]},
        "leaves[0].colour: expected one of 'green', 'red' (did you mean 'gr",
    ),
    ({"name": "a", "leaves": {}}, "q.toml: leaves: expected a list, got a table"),
    (
        {"name": "a", "best": {"when": "today"}},
        "q.toml: best.when: expected a date such as 2026-11-01, got the text 'to",
    ),
    (
        {"name": "a", "numbers": {"one": 1, "two": []}},
        "q.toml: numbers.two: expected a whole number or text, got an em",
    ),
    ({"name": "a", "share": 1}, "q.toml: share: expected a number above 0 and below 1, got 1"),
    ({"name": "a", "share": float("nan")}, "q.toml: share: nan cannot be used; write a finite number"),
    ({"name": "a", "leaves": [{"height": 10**30}]}, "q.toml: leaves[0].height: 1000000000000000000000000000000 cannot"),
    ({"name": True}, "q.toml: name: expected text, got true"),
]


@pytest.mark.parametrize(("raw", "sentence"), CASES, ids=[sentence[:50] for _, sentence in CASES])
def test_the_sentence_names_file_key_and_what_would_be_right(raw, sentence):
    with pytest.raises(ScenarioError) as refused:
        parsing.convert(raw, Tree, "q.toml")
    assert str(refused.value).startswith(sentence) or sentence in str(refused.value)


def test_a_key_is_named_from_the_top_of_the_file():
    with pytest.raises(ScenarioError, match=r"q.toml: cases\[0\].options.height: expected a whole number"):
        parsing.convert({"height": "tall"}, Leaf, "q.toml", "cases[0].options")


def test_what_is_right_becomes_the_noun():
    tree = parsing.convert({"name": "a", "leaves": [{"height": 2}], "share": 0.25}, Tree, "q.toml")
    assert tree == Tree(name="a", leaves=[Leaf(height=2)], share=0.25)


def test_a_byte_order_mark_and_windows_line_ends_are_no_error(tmp_path: Path):
    path = tmp_path / "q.toml"
    path.write_bytes('name = "a"\r\nshare = 0.5\r\n'.encode("utf-8-sig"))
    assert toml_file.read(path) == {"name": "a", "share": 0.5}


def test_a_mark_is_found_on_an_optional_key():
    fields = parsing.fields(Tree)
    assert [key for key, info in fields.items() if parsing.marked(info, "file")] == ["file"]


def test_only_text_is_text():
    fields = parsing.fields(Tree)
    assert parsing.only_text(fields["name"])
    assert parsing.only_text(fields["file"])
    assert parsing.only_text(parsing.fields(Leaf)["colour"])
    assert not parsing.only_text(fields["share"])
