"""Names to plug-ins: lazily, and each in isolation.

A plug-in that cannot be loaded is a warning in a listing and an error only for who asks for it by name.
Groups of entry points: ``daasbench.kernels``, ``.runners``, ``.reports``, ``.providers``, and
``daasbench.scenarios`` for packages that carry scenarios, platforms and price sheets.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import msgspec

from daasbench.authoring import FunctionKernel
from daasbench.contracts import Implementation, Kernel, Report, Runner
from daasbench.errors import PluginError, unknown

PREFIX = "daasbench."


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """One name in a listing: where it comes from, and why it cannot be used, if so."""

    name: str
    group: str
    target: str
    distribution: str
    error: str | None = None


@functools.cache
def _entry_points(group: str) -> Mapping[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=PREFIX + group)}


@functools.cache
def _load(group: str, name: str) -> Any:
    points = _entry_points(group)
    singular = group.removesuffix("s")
    if name not in points:
        raise unknown(singular, name, points)
    point = points[name]
    try:
        return point.load()
    except Exception as error:  # a plug-in is foreign code: whatever it raises is its own failure
        raise PluginError(
            f"{singular} {name!r} from {_origin(point)} cannot be loaded: {type(error).__name__}: {error};"
            " mend or uninstall that package"
        ) from error


def _origin(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def names(group: str) -> list[str]:
    """Return the names in `group` (``"kernels"``, ``"runners"``, ``"reports"``), sorted; loads nothing."""
    return sorted(_entry_points(group))


def catalogue(group: str) -> list[Plugin]:
    """Return every plug-in of `group`, loaded in isolation: a broken one carries its error."""
    found = []
    for name in names(group):
        point = _entry_points(group)[name]
        error = None
        try:
            _load(group, name)
        except PluginError as broken:
            error = str(broken)
        found.append(Plugin(name=name, group=group, target=point.value, distribution=_origin(point), error=error))
    return found


def kernel(name: str) -> Kernel:
    """Return the kernel `name`; raise UnknownName or PluginError."""
    return cast(Kernel, _load("kernels", name))


def kernels() -> list[str]:
    """Return the names of the installed kernels."""
    return names("kernels")


def runner(name: str) -> Runner:
    """Return a new runner `name`; raise UnknownName or PluginError."""
    return cast(Runner, _load("runners", name)())


def report(name: str) -> Report:
    """Return the report `name`; raise UnknownName or PluginError."""
    return cast(Report, _load("reports", name))


def shelves() -> list[Path]:
    """Return the folders of all installed packages that carry ``*.toml`` scenarios and ``platforms/``."""
    found = []
    for point in _entry_points("scenarios").values():
        spec = importlib.util.find_spec(point.value)
        if spec and spec.submodule_search_locations:
            found.append(Path(next(iter(spec.submodule_search_locations))))
    return found


def kernel_from_file(path: Path) -> FunctionKernel:
    """Return the kernel that a user's Python file defines; ``file.py:name`` chooses among several.

    Raises
    ------
    PluginError
        The file is missing, does not run, or defines no kernel, or more than one and none is chosen.
    """
    text, _, chosen = str(path).partition(".py:")
    file = Path(text + ".py") if chosen else path
    if not file.is_file():
        raise PluginError(f"{file}: no such file; name a Python file that defines a kernel")
    module = _run_file(file)
    found = {one.name: one for one in vars(module).values() if isinstance(one, FunctionKernel)}
    if chosen and chosen not in found:
        raise unknown("kernel", chosen, found, str(file))
    if not found:
        raise PluginError(f"{file}: defines no kernel; decorate a function with @daasbench.kernel(...)")
    if len(found) > 1 and not chosen:
        raise PluginError(f"{file}: defines {len(found)} kernels; choose one: {file}:{sorted(found)[0]}")
    one = found[chosen] if chosen else next(iter(found.values()))
    if one._make is None and not one.reads_files:
        raise PluginError(f"{file}: kernel {one.name} has no inputs; add @{one.name}.inputs(tiny={{...}})")
    return one


def _run_file(file: Path) -> ModuleType:
    name = "daasbench_user_" + hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:12]
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PluginError(f"{file}: is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that what it defines can be pickled
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's own code
        del sys.modules[name]
        raise PluginError(f"{file}: does not run: {type(error).__name__}: {error}") from error
    return module


def is_file(name: str) -> bool:
    """Return whether a kernel's name is a path of a user's Python file."""
    return name.endswith(".py") or ".py:" in name


def version_of(implementation: Implementation, source: Path | None = None) -> str:
    """Return what identifies the code of an implementation.

    A peer: the version of its package (``absent`` if it is not installed). A user's file: the hash of its
    content. Ours: the version of the suite, whose commit is part of the resume key anyway.
    """
    if implementation.version:
        return implementation.version
    if implementation.packages and implementation.peer:
        try:
            return metadata.version(implementation.packages[0])
        except metadata.PackageNotFoundError:
            return "absent"
    if source is not None:
        return "file-" + hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    from daasbench import __version__

    return __version__
