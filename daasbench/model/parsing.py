"""From the tables of a file to nouns: one clear sentence for whatever is wrong in a file that a person wrote."""

from __future__ import annotations

import datetime
import difflib
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from daasbench.errors import ScenarioError, unknown_sentence

if TYPE_CHECKING:
    import msgspec.inspect as inspect

T = TypeVar("T")
Steps = list[str | int]

LARGEST = 2**63 - 1  # the largest whole number of TOML

_MESSAGE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"Object (?P<is>contains unknown|missing required) field `(?P<name>.+)`")
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+|\.\.\.)\]")
_TYPE_NAMES = {  # by type of msgspec
    "IntType": "a whole number",
    "FloatType": "a number",
    "BoolType": "true or false",
    "StrType": "text",
    "ListType": "a list",
    "DictType": "a table",
    "StructType": "a table",
    "DateType": "a date",
}


def convert(raw: Any, kind: type[T], where: str, at: str = "") -> T:
    """Return `raw` as the noun `kind`; raise ScenarioError naming file, key, and what would be right.

    Parameters
    ----------
    where
        How the file is named in messages.
    at
        The key of `raw` in the file: ``"cases[0].options"``; "" is the whole file.
    """
    for key, number in _impossible_numbers(raw, at):
        raise ScenarioError(f"{where}: {key}: {number} cannot be used; write a finite number of usual size")
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise ScenarioError(_sentence(str(error), raw, kind, where, at)) from error


def _impossible_numbers(raw: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield key and number of each number that is not finite or is larger than TOML allows."""
    if isinstance(raw, dict):
        for name, value in raw.items():
            yield from _impossible_numbers(value, f"{key}.{name}" if key else str(name))
    elif isinstance(raw, list):
        for index, value in enumerate(raw):
            yield from _impossible_numbers(value, f"{key}[{index}]")
    elif (isinstance(raw, float) and not math.isfinite(raw)) or (isinstance(raw, int) and abs(raw) > LARGEST):
        yield key, str(raw)


def _sentence(message: str, raw: Any, kind: Any, where: str, at: str) -> str:
    match = _MESSAGE.match(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    info, value, steps = _follow(kind, raw, path)
    key = _join(at, steps)
    if field := _FIELD.search(what):
        if field["is"] == "contains unknown":
            return unknown_sentence("key", field["name"], _keys(info), f"{where}: {key}" if key else where)
        return f"{where}: {_join(key, [field['name']])}: is required and missing"
    place = f"{where}: {key}" if key else where
    return f"{place}: expected {_expected(info, value)}, got {_given(value)}"


def _follow(kind: Any, raw: Any, path: str) -> tuple[inspect.Type, Any, Steps]:
    """Return the type and the value at `path`, and the path with its dots filled in."""
    import msgspec.inspect as inspect

    info, value = inspect.type_info(kind), raw
    steps: Steps = []
    for match in _STEP.finditer(path):
        step: str | int
        if match["name"]:
            step = match["name"]
            found = fields(info).get(step)
        elif match["index"] == "...":  # in a mapping: msgspec does not name the key
            found = next(arm.value_type for arm in _arms(info) if isinstance(arm, inspect.DictType))
            step = next(name for name, entry in value.items() if not _fits(entry, found))
        else:
            step = int(match["index"])
            found = next(
                arm.item_type for arm in _arms(info) if isinstance(arm, inspect.ListType | inspect.VarTupleType)
            )
        if found is None:
            break
        info, value = found, value[step]
        steps.append(step)
    return info, value, steps


def _fits(value: Any, info: inspect.Type) -> bool:
    import msgspec.inspect as inspect

    structs = [arm.cls for arm in _arms(info) if isinstance(arm, inspect.StructType)]
    if structs:
        try:
            msgspec.convert(value, structs[0])
        except msgspec.ValidationError:
            return False
        return True
    accepted = {
        inspect.StrType: str,
        inspect.IntType: int,
        inspect.FloatType: (int, float),
        inspect.BoolType: bool,
        inspect.ListType: list,
    }
    arms = _arms(info)
    return any(isinstance(value, accepted.get(type(arm), object)) for arm in arms)  # type: ignore[arg-type]


def _join(at: str, steps: Steps) -> str:
    for step in steps:
        at += f"[{step}]" if isinstance(step, int) else f".{step}" if at else step
    return at


def _expected(info: inspect.Type, value: Any) -> str:
    """Return what would be right: the description of the key, its choices, or its type with its bounds."""
    import msgspec.inspect as inspect

    if described := _description(info):
        return described
    arms = _arms(info)
    choices = [str(choice) for arm in arms if isinstance(arm, inspect.LiteralType) for choice in arm.values]
    if choices:
        near = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.5)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"one of {', '.join(map(repr, choices))}{hint}"
    return " or ".join(filter(None, map(_type_words, arms)))


def _type_words(arm: inspect.Type) -> str:
    name = type(arm).__name__
    words = _TYPE_NAMES.get(name, "")
    if least := getattr(arm, "min_length", None):
        return f"{words} of {least} or more"
    if getattr(arm, "pattern", None):
        return f"{words} of the form {getattr(arm, 'pattern')}"  # noqa: B009  (not every type has one)
    bounds = [
        f"{preposition} {bound:g}{more}"
        for key, preposition, more in (
            ("ge", "of", " or more"),
            ("gt", "above", ""),
            ("le", "up to", ""),
            ("lt", "below", ""),
        )
        if (bound := getattr(arm, key, None)) is not None
    ]
    return " ".join([words, " and ".join(bounds)]).strip()


def _given(value: Any) -> str:
    """Return a value in words, as the rest of a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) < 80 else "a long text"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def fields(kind: Any) -> dict[str, inspect.Type]:
    """Return the type of each key of a table; `kind` is a Struct, or a type that `fields` returned."""
    import msgspec.inspect as inspect

    info = kind if isinstance(kind, inspect.Type) else inspect.type_info(kind)
    structs = [arm for arm in _arms(info) if isinstance(arm, inspect.StructType)]
    return {field.encode_name: field.type for struct in structs for field in struct.fields}


def marked(info: inspect.Type, mark: str) -> bool:
    """Return whether a key carries ``Meta(extra={mark: True})``."""
    import msgspec.inspect as inspect

    if isinstance(info, inspect.Metadata):
        return bool((info.extra or {}).get(mark)) or marked(info.type, mark)
    return isinstance(info, inspect.UnionType) and any(marked(arm, mark) for arm in info.types)


def only_text(info: inspect.Type) -> bool:
    """Return whether only text is allowed for a key."""
    import msgspec.inspect as inspect

    text = (inspect.StrType, inspect.LiteralType, inspect.NoneType)
    return all(isinstance(arm, text) for arm in _arms(info))


def _keys(info: inspect.Type) -> list[str]:
    return list(fields(info))


def _arms(info: inspect.Type) -> list[inspect.Type]:
    import msgspec.inspect as inspect

    if isinstance(info, inspect.Metadata):
        return _arms(info.type)
    if isinstance(info, inspect.UnionType):
        return [arm for part in info.types for arm in _arms(part)]
    return [info]


def _description(info: inspect.Type) -> str:
    import msgspec.inspect as inspect

    if isinstance(info, inspect.Metadata):
        return str((info.extra_json_schema or {}).get("description", "")) or _description(info.type)
    if isinstance(info, inspect.UnionType):
        return next(filter(None, map(_description, info.types)), "")
    return ""
