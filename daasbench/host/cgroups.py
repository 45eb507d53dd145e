"""The processors and the memory that Linux control groups allow: cgroup v1, v2 and both at once.

Every function takes the `root` of a file tree that holds ``proc`` and ``sys``, so that recorded trees of other
machines can be read in tests. Sources: ``man 7 cgroups``, ``Documentation/admin-guide/cgroup-v2.rst``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")


def read_text(path: Path) -> str | None:
    """Return the stripped text of a small system file; None if it is absent or cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def read_number(path: Path) -> int | None:
    """Return the whole number in a system file; None if it is absent or says ``max``."""
    text = read_text(path)
    try:
        return int(text) if text else None
    except ValueError:
        return None


def processor_quota(root: Path = ROOT) -> float | None:
    """Return how many processors the quotas of the control groups allow; None: no quota."""
    quotas = []
    for folder, unified in _groups("cpu", root):
        if unified:
            quota, _, period = (read_text(folder / "cpu.max") or "max").partition(" ")
        else:
            quota = read_text(folder / "cpu.cfs_quota_us") or "-1"
            period = read_text(folder / "cpu.cfs_period_us") or ""
        if quota.isdigit() and int(quota) > 0:
            quotas.append(int(quota) / int(period if period.isdigit() and int(period) > 0 else "100000"))
    return min(quotas, default=None)


def memory_left_bytes(root: Path = ROOT) -> int | None:
    """Return the bytes that the memory limits of the control groups still allow; None: no limit.

    Page cache that the kernel can drop (``inactive_file``) counts as available.
    """
    left = []
    for folder, unified in _groups("memory", root):
        limit = read_number(folder / ("memory.max" if unified else "memory.limit_in_bytes"))
        used = read_number(folder / ("memory.current" if unified else "memory.usage_in_bytes"))
        if limit is None or limit >= 2**62:  # v1 writes "no limit" as the largest whole page
            continue
        cache = _statistic(folder / "memory.stat", "inactive_file" if unified else "total_inactive_file")
        left.append(max(0, limit - max(0, (used or 0) - cache)))
    return min(left, default=None)


def _statistic(path: Path, name: str) -> int:
    for line in (read_text(path) or "").splitlines():
        word, _, value = line.partition(" ")
        if word == name and value.isdigit():
            return int(value)
    return 0


def _groups(controller: str, root: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the folders of this process's group and of all groups above it, and whether each belongs to v2."""
    membership = _membership(root)
    for line in (read_text(root / "proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.partition(" ")
        if kind not in ("cgroup", "cgroup2"):
            continue
        if kind == "cgroup" and controller not in options.split()[-1].split(","):
            continue
        group = membership.get("" if kind == "cgroup2" else controller)
        if group is None:
            continue
        shown, mounted = before.split()[3:5]  # the part of the hierarchy that is mounted, and its mount point
        for folder in _folders(root / mounted.lstrip("/"), shown, group):
            yield folder, kind == "cgroup2"


def _membership(root: Path) -> dict[str, str]:
    groups = {}
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _folders(mounted: Path, shown: str, group: str) -> Iterator[Path]:
    """Yield the folder of the group and its parents up to the mount point; only this point if the group is hidden."""
    path = PurePosixPath(group)
    inside = path.relative_to(shown) if path.is_relative_to(shown) else PurePosixPath()
    if ".." in inside.parts:
        inside = PurePosixPath()
    folder = mounted / inside
    yield folder
    while folder != mounted:
        folder = folder.parent
        yield folder
