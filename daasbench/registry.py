"""Find plug-ins by name; each is loaded when it is needed, and separately from the others.

A plug-in that cannot be loaded is a warning in a listing, and an error only if the user names it. Groups of entry
points: ``daasbench.kernels``, ``.runners``, ``.reports``, ``.providers``, and ``daasbench.scenarios`` for
packages that ship scenarios, platforms and price sheets.
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

# The attributes that a plug-in of each group must have; the protocols of `contracts` describe them.
PARTS = {
    "kernels": ("name", "card", "sizes", "options", "implementations", "reads_files", "work", "make", "verify"),
    "runners": ("name", "check", "render", "submit", "poll", "fetch", "cancel"),
    "reports": ("name", "title", "formats", "write"),
}
QUEUE_PARTS = ("every_s", "split", "render_all", "submit_all", "find", "cancel_all")  # a runner has all or none


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a listing: the origin of the plug-in, and, if it cannot be used, the reason."""

    name: str
    group: str
    target: str
    distribution: str
    error: str | None = None


class _Declared(msgspec.Struct, frozen=True, kw_only=True):
    """The entry points of the installed distributions."""

    points: dict[str, dict[str, metadata.EntryPoint]]  # by group and name
    warnings: list[str]


# --- what is declared -----------------------------------------------------------------------------------------


@functools.cache
def _declared() -> _Declared:
    """Return the entry points of every distribution; an unreadable distribution is a warning."""
    points: dict[str, dict[str, metadata.EntryPoint]] = {}
    warnings: list[str] = []
    seen: set[str] = set()
    for distribution in sorted(metadata.distributions(), key=_is_ours, reverse=True):
        try:
            declared = [point for point in distribution.entry_points if point.group.startswith(PREFIX)]
            name = distribution.name if declared else ""
        except Exception as error:  # other packages' metadata can be broken in any way
            warnings.append(
                f"{_folder_of(distribution)}: its entry points cannot be read: {error}; reinstall that package"
            )
            continue
        if not declared or name in seen:  # the same distribution, found again later on the path
            continue
        seen.add(name)
        for point in declared:
            group = point.group.removeprefix(PREFIX)
            first = points.setdefault(group, {}).setdefault(point.name, point)
            if first is not point:
                message = f"{_singular(group)} {point.name!r} is declared by {_origin(first)} and by {_origin(point)}"
                warnings.append(f"{message}; the first is used: uninstall the package that you do not want")
    return _Declared(points=points, warnings=warnings)


def _is_ours(distribution: metadata.Distribution) -> bool:
    folder = getattr(distribution, "_path", None)  # cheaper than reading the metadata of every distribution
    return folder is not None and folder.name.partition("-")[0].partition(".")[0] == OURS


def _folder_of(distribution: metadata.Distribution) -> str:
    return str(getattr(distribution, "_path", None) or "an installed package")


def _origin(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _singular(group: str) -> str:
    return group.removesuffix("s")


def warnings() -> list[str]:
    """Return the problems of all installed plug-ins together: unreadable metadata, duplicate names."""
    return list(_declared().warnings)


def names(group: str) -> list[str]:
    """Return the names in `group` (``"kernels"``, ``"runners"``, ``"reports"``), sorted; loads nothing."""
    return sorted(_declared().points.get(group, {}))


def kernels() -> list[str]:
    """Return the names of the installed kernels."""
    return names("kernels")


# --- loading --------------------------------------------------------------------------------------------------


@functools.cache
def _load(group: str, name: str) -> Any:
    points = _declared().points.get(group, {})
    if name not in points:
        raise unknown(_singular(group), name, points)
    point = points[name]
    try:
        return _checked(point.load(), group, name)
    except (Exception, SystemExit) as error:  # a plug-in is other people's code and can raise anything
        message = str(error) if isinstance(error, _Misshapen) else f"{type(error).__name__}: {error}"
        raise PluginError(
            f"{_singular(group)} {name!r} from {_origin(point)} cannot be loaded: {message};"
            " fix or uninstall that package"
        ) from error


class _Misshapen(Exception):
    """The loaded object does not have what its group needs."""


def _checked(plugin: Any, group: str, name: str) -> Any:
    """Return a plug-in if it has the attributes that its group needs."""
    if isinstance(plugin, type) != (group == "runners"):
        wanted = "a class" if group == "runners" else "an object, not a class"
        raise _Misshapen(f"expected {wanted}, got {plugin!r}")
    for part in PARTS.get(group, ()):
        try:
            getattr(plugin, part)
        except AttributeError as error:
            raise _Misshapen(f"it is not a {_singular(group)}: it has no {part!r}") from error
    missing = [part for part in QUEUE_PARTS if not hasattr(plugin, part)]
    if group == "runners" and 0 < len(missing) < len(QUEUE_PARTS):
        present = next(part for part in QUEUE_PARTS if part not in missing)
        raise _Misshapen(f"it has {present!r} like a queue, but not {', '.join(missing)}")
    if group == "kernels" and plugin.name != name:
        raise _Misshapen(f"its name is {plugin.name!r}, but the name of its entry point is {name!r}")
    return plugin


def catalogue(group: str) -> list[Plugin]:
    """Return every plug-in of `group`, each loaded separately; the entry of a broken plug-in has its error."""
    plugins = []
    for name in names(group):
        point = _declared().points[group][name]
        error = None
        try:
            _load(group, name)
        except PluginError as broken:
            error = str(broken)
        plugins.append(Plugin(name=name, group=group, target=point.value, distribution=_origin(point), error=error))
    return plugins


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
        raise PluginError(f"runner {name!r} cannot be created: {message}; fix or uninstall its package") from error


def report(name: str) -> Report:
    """Return the report `name`; raise UnknownName or PluginError."""
    return cast(Report, _load("reports", name))


def scenario_folders() -> list[Path]:
    """Return the folders of the installed packages that ship scenarios and ``platforms/``; daasbench is first."""
    points: Mapping[str, metadata.EntryPoint] = _declared().points.get("scenarios", {})
    folders = []
    for point in points.values():
        try:
            spec = importlib.util.find_spec(point.value)
        except Exception:  # its package cannot be imported; its other plug-ins report why
            continue
        if spec and spec.submodule_search_locations:
            folders.append(Path(next(iter(spec.submodule_search_locations))))
    return folders


# --- versions -------------------------------------------------------------------------------------------------


def version_of(implementation: Implementation, source: Path | None = None) -> str:
    """Return the text that identifies the code of an implementation.

    For a peer: the version of its package (``absent`` if it is not installed). For a user's file: the hash of its
    content. For an implementation of the suite: the version of the suite; its commit is part of the resume key too.
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
    "scenario_folders",
    "source_of",
    "version_of",
    "warnings",
]
