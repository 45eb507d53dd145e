"""Read the declaration of a platform, by the name of a shipped file or by a path."""

from __future__ import annotations

from pathlib import Path

from daasbench import registry
from daasbench.contracts import Queue
from daasbench.errors import ScenarioError, unknown_sentence
from daasbench.host import toml_file
from daasbench.model import Platform, parsing


def load_platform(named: str, folder: Path, where: str) -> tuple[str, Platform]:
    """Return name and declaration of a platform; `named` is the name of a shipped file or a path.

    Raises
    ------
    ScenarioError, PluginError
        If there is no such file, its content is wrong, or its runner cannot be loaded.
    """
    if "/" in named or named.endswith(".toml"):
        path = folder / named
        if not path.is_file():
            kind = "is a folder" if path.is_dir() else "no such file"
            raise ScenarioError(f"{where}: {str(path)!r}: {kind}; name a shipped platform or a TOML file")
    else:
        shipped = shipped_files("platforms")
        if named not in shipped:
            raise ScenarioError(unknown_sentence("platform", named, shipped, where))
        path = shipped[named]
    platform = parsing.convert(toml_file.read(path), Platform, str(path))
    if platform.runner not in registry.names("runners"):
        known = registry.names("runners")
        raise ScenarioError(unknown_sentence("runner", platform.runner, known, f"{path}: runner"))
    registry.runner(platform.runner).check(platform.options, f"{path}: options")
    return path.stem, platform


def is_this_machine(platform: Platform) -> bool:
    """Return whether the cases of a platform compute on this machine, so that what it does not declare is known here.

    A runner may say so by a method ``is_here(options)``; else the jobs of a queue compute elsewhere.
    """
    runner = registry.runner(platform.runner)
    is_here = getattr(runner, "is_here", None)
    return bool(is_here(platform.options)) if is_here else not isinstance(runner, Queue)


def shipped_files(folder: str = "") -> dict[str, Path]:
    """Return the TOML files that installed packages ship, by stem: scenarios, or the files of a sub-folder.

    If two packages ship the same name, the file of the first package is used; daasbench is the first of all.
    """
    files: dict[str, Path] = {}
    for package in registry.scenario_folders():
        for path in sorted((package / folder).glob("*.toml")):
            files.setdefault(path.stem, path)
    return files
