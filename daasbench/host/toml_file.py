"""Read a TOML file: return its tables, or raise an error that names file and line."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

from daasbench.errors import ScenarioError


def read(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; raise ScenarioError, which names file and line."""
    try:
        if path.is_dir():
            raise ScenarioError(f"{path}: is a folder; name a TOML file")
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError as error:
        raise ScenarioError(f"{path}: no such file{_similar(path)}") from error
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: is not a text file in UTF-8; expected TOML") from error
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: is not TOML: {str(error)[:1].lower()}{str(error)[1:]}") from error
    except RecursionError as error:
        raise ScenarioError(f"{path}: is nested too deeply for a scenario") from error


def _similar(path: Path) -> str:
    """Return the question whether the user meant a file with a similar name in the same folder; "" if there is none."""
    try:
        names = [other.name for other in path.parent.iterdir() if other.suffix == path.suffix]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {str(path.parent / near[0])!r}?" if near else ""
