"""TOML files to nouns: one clear sentence for whatever is wrong in a file that a person wrote."""

from __future__ import annotations

import re
import tomllib
import types
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from daasbench.errors import ScenarioError, unknown_sentence

T = TypeVar("T")

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.+)`")
_MISSING = re.compile(r"Object missing required field `(?P<field>.+)`")
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)


def read(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; raise ScenarioError naming file and line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ScenarioError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: is not TOML: {error}") from error


def convert(raw: Any, kind: type[T], where: str, *, strict: bool = True) -> T:
    """Return `raw` as the noun `kind`; raise ScenarioError naming `where`, the key, and what would be right."""
    try:
        return msgspec.convert(raw, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise ScenarioError(sentence(str(error), kind, where)) from error


def sentence(complaint: str, kind: Any, where: str) -> str:
    """Return a msgspec complaint as a sentence: file, key, what is wrong, the nearest word."""
    match = _AT.match(complaint)
    what, path = (match["what"], (match["path"] or "").lstrip(".")) if match else (complaint, "")
    if field := _UNKNOWN.search(what):
        return unknown_sentence("key", field["field"], _keys_at(kind, path), _join(where, path))
    if field := _MISSING.search(what):
        key = f"{path}.{field['field']}" if path else field["field"]
        return f"{where}: {key}: is required and missing"
    return f"{_join(where, path)}: {_plain(what)}"


def _join(where: str, path: str) -> str:
    return f"{where}: {path}" if path else where


def _plain(what: str) -> str:
    words = {"`str`": "text", "`int`": "a whole number", "`float`": "a number", "`bool`": "true or false"}
    words |= {"`array`": "a list", "`object`": "a table", "`null`": "nothing"}
    for native, word in words.items():
        what = what.replace(native, word)
    what = re.sub(
        r"`(int|float|str|bool|array|object|null)( \| (?:int|float|str|bool|array|object|null))+`",
        _either,
        what,
    )
    return what[:1].lower() + what[1:]


def _either(match: re.Match[str]) -> str:
    words = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
    words |= {"array": "a list", "object": "a table", "null": "nothing"}
    return " or ".join(words[one] for one in match[0].strip("`").split(" | ") if one != "null")


def _keys_at(kind: Any, path: str) -> list[str]:
    """Return the keys that the table at `path` may have."""
    for step in re.findall(r"\.?([A-Za-z_]\w*)|\[(?:\d+|\.\.\.)\]", path):
        kind = _field_type(kind, step) if step else _item_type(kind)
    kind = _struct(kind)
    return [one.encode_name for one in msgspec.structs.fields(kind)] if kind else []


def _field_type(kind: Any, name: str) -> Any:
    struct = _struct(kind)
    return get_type_hints(struct, include_extras=True).get(name) if struct else None


def _item_type(kind: Any) -> Any:
    for one in _arms(kind):
        if get_origin(one) is list:
            return get_args(one)[0]
    return None


def _struct(kind: Any) -> Any:
    for one in _arms(kind):
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            return one
    return None


def _arms(kind: Any) -> list[Any]:
    if get_origin(kind) is Annotated:
        return _arms(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [arm for one in get_args(kind) for arm in _arms(one)]
    return [kind]
