"""Names to plug-ins: lazily, and each in isolation.

A plug-in that cannot be loaded is a warning in a listing and an error only for who asks for it by name.
Groups of entry points: ``daasbench.kernels``, ``.runners``, ``.reports``, ``.providers``, and
``daasbench.scenarios`` for packages that carry scenarios, platforms and price sheets.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import msgspec

from daasbench.authoring.user_file import content_of, is_file, kernel_from_file, source_of
from daasbench.contracts import Implementation, Kernel, Report, Runner
from daasbench.errors import PluginError, unknown

PREFIX = "daasbench."
OURS = "daasbench"  # the distribution whose plug-ins come before others of the same name

# What a plug-in of each group must have; the protocols of `contracts` say what it is.
PARTS = {
    "kernels": ("name", "card", "sizes", "options", "implementations", "reads_files", "work", "make", "verify"),
    "runners": ("name", "check", "render", "submit", "poll", "fetch", "cancel"),
    "reports": ("name", "title", "formats", "write"),
}
QUEUE_PARTS = ("every_s", "split", "render_all", "submit_all", "find", "cancel_all")  # a runner has all or none


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """One name in a listing: where it comes from, and why it cannot be used, if so."""

    name: str
    group: str
    target: str
    distribution: str
    error: str | None = None


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the installed distributions declare."""

    points: dict[str, dict[str, metadata.EntryPoint]]  # by group and name
    warnings: list[str]


# --- what is declared -----------------------------------------------------------------------------------------


@functools.cache
def _found() -> _Found:
    """Return the entry points of every distribution; one that cannot be read is a warning."""
    points: dict[str, dict[str, metadata.EntryPoint]] = {}
    warnings: list[str] = []
    seen: set[str] = set()
    for distribution in sorted(metadata.distributions(), key=_is_ours, reverse=True):
        try:
            declared = [one for one in distribution.entry_points if one.group.startswith(PREFIX)]
            name = distribution.name if declared else ""
        except Exception as error:  # foreign metadata, broken in whatever way
            warnings.append(f"{_place(distribution)}: its entry points cannot be read: {error}; reinstall that package")
            continue
        if not declared or name in seen:  # the same distribution further down the path
            continue
        seen.add(name)
        for point in declared:
            group = point.group.removeprefix(PREFIX)
            first = points.setdefault(group, {}).setdefault(point.name, point)
            if first is not point:
                message = f"{_singular(group)} {point.name!r} is brought by {_origin(first)} and by {_origin(point)}"
                warnings.append(f"{message}; the first of them is used: uninstall the one that you do not want")
    return _Found(points=points, warnings=warnings)


def _is_ours(distribution: metadata.Distribution) -> bool:
    folder = getattr(distribution, "_path", None)  # cheaper than to read the metadata of every distribution
    return folder is not None and folder.name.partition("-")[0].partition(".")[0] == OURS


def _place(distribution: metadata.Distribution) -> str:
    return str(getattr(distribution, "_path", None) or "an installed package")


def _origin(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _singular(group: str) -> str:
    return group.removesuffix("s")


def warnings() -> list[str]:
    """Return what is wrong with the installed plug-ins as a whole: unreadable metadata, names used twice."""
    return list(_found().warnings)


def names(group: str) -> list[str]:
    """Return the names in `group` (``"kernels"``, ``"runners"``, ``"reports"``), sorted; loads nothing."""
    return sorted(_found().points.get(group, {}))


def kernels() -> list[str]:
    """Return the names of the installed kernels."""
    return names("kernels")


# --- loading --------------------------------------------------------------------------------------------------


@functools.cache
def _load(group: str, name: str) -> Any:
    points = _found().points.get(group, {})
    if name not in points:
        raise unknown(_singular(group), name, points)
    point = points[name]
    try:
        return _checked(point.load(), group, name)
    except (Exception, SystemExit) as error:  # a plug-in is foreign code: whatever it raises is its own failure
        message = str(error) if isinstance(error, _Misshapen) else f"{type(error).__name__}: {error}"
        raise PluginError(
            f"{_singular(group)} {name!r} from {_origin(point)} cannot be loaded: {message};"
            " mend or uninstall that package"
        ) from error


class _Misshapen(Exception):
    """What was loaded is not what its group needs."""


def _checked(plugin: Any, group: str, name: str) -> Any:
    """Return a plug-in, if it has the parts that its group needs."""
    if isinstance(plugin, type) != (group == "runners"):
        wanted = "a class" if group == "runners" else "an object, not a class"
        raise _Misshapen(f"expected {wanted}, got {plugin!r}")
    for part in PARTS.get(group, ()):
        try:
            getattr(plugin, part)
        except AttributeError as error:
            raise _Misshapen(f"it is no {_singular(group)}: it has no {part!r}") from error
    missing = [part for part in QUEUE_PARTS if not hasattr(plugin, part)]
    if group == "runners" and 0 < len(missing) < len(QUEUE_PARTS):
        present = next(part for part in QUEUE_PARTS if part not in missing)
        raise _Misshapen(f"it has {present!r}, as a queue has, but not {', '.join(missing)}")
    if group == "kernels" and plugin.name != name:
        raise _Misshapen(f"it calls itself {plugin.name!r}, its package {name!r}")
    return plugin


def catalogue(group: str) -> list[Plugin]:
    """Return every plug-in of `group`, loaded in isolation: a broken one carries its error."""
    found = []
    for name in names(group):
        point = _found().points[group][name]
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


def runner(name: str) -> Runner:
    """Return a new runner `name`; raise UnknownName or PluginError."""
    make: Callable[[], Runner] = _load("runners", name)
    try:
        return make()
    except Exception as error:  # as above
        message = f"{type(error).__name__}: {error}"
        raise PluginError(f"runner {name!r} cannot be made: {message}; mend or uninstall its package") from error


def report(name: str) -> Report:
    """Return the report `name`; raise UnknownName or PluginError."""
    return cast(Report, _load("reports", name))


def shelves() -> list[Path]:
    """Return the folders of all installed packages that carry ``*.toml`` scenarios and ``platforms/``, ours first."""
    points: Mapping[str, metadata.EntryPoint] = _found().points.get("scenarios", {})
    found = []
    for point in points.values():
        try:
            spec = importlib.util.find_spec(point.value)
        except Exception:  # its package cannot be imported: it ships nothing, and what else it brings says why
            continue
        if spec and spec.submodule_search_locations:
            found.append(Path(next(iter(spec.submodule_search_locations))))
    return found


# --- versions -------------------------------------------------------------------------------------------------


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
        return f"file-{content_of(source)}"
    from daasbench.version import __version__

    return __version__


__all__ = [
    "PARTS",
    "QUEUE_PARTS",
    "Plugin",
    "catalogue",
    "is_file",
    "kernel",
    "kernel_from_file",
    "kernels",
    "names",
    "report",
    "runner",
    "shelves",
    "source_of",
    "version_of",
    "warnings",
]
