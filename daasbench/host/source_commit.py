"""Identify the running source code: the commit of the checkout with its local changes, or the installed version."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import subprocess
from pathlib import Path

_SOURCES = ("daasbench", "kernels", "scenarios", "runners", "reports")


def suite_commit(checkout: Path | None = None) -> str:
    """Return an identifier of the suite's source code: ``0123456789ab``, ``0123456789ab+89abcdef`` or ``0.1.0``.

    For a checkout: the first 12 digits of its commit; if files of the engine, kernels, runners, reports or scenarios
    are changed or not committed, ``+`` and 8 digits of the hash of their names and contents follow. For an installed
    package, or without git: the version of the package. This function never raises. It starts one git process, some
    10 ms.

    Parameters
    ----------
    checkout
        Default: the folder that holds the imported package.
    """
    checkout = checkout or Path(__file__).resolve().parents[2]
    status = _status(checkout) if (checkout / ".git").exists() else None
    if status is None:
        return _version()
    commit, changed = status
    return f"{commit[:12]}+{_content_hash(checkout, changed)}" if changed else commit[:12]


def _status(checkout: Path) -> tuple[str, list[str]] | None:
    """Return the commit and the changed and untracked source files; None if git gives no answer."""
    # the checkout may belong to another user (a container's bind mount); its code is already running
    command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "-z"]
    command += ["--branch", "--untracked-files=all", "--no-renames", "--ignore-submodules", "--", *_SOURCES]
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    quiet["GIT_OPTIONAL_LOCKS"] = "0"  # read only: never write the index while another process commits
    try:
        done = subprocess.run(command, cwd=checkout, env=quiet, capture_output=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    commit, changed = "", []
    for entry in os.fsdecode(done.stdout).split("\0"):
        kind, _, rest = entry.partition(" ")
        if entry.startswith("# branch.oid "):
            commit = entry.rpartition(" ")[2]
        elif kind == "?":
            changed.append(rest)
        elif kind in ("1", "u"):  # the path is the last of 8 (changed) or of 10 (unmerged) fields
            changed.append(rest.split(" ", 7 if kind == "1" else 9)[-1])
    return (commit, sorted(changed)) if commit.isalnum() else None  # "(initial)": no commit yet


def _content_hash(checkout: Path, names: list[str]) -> str:
    content = hashlib.sha256()
    for name in names:
        try:
            text = (checkout / name).read_bytes()
        except OSError:  # deleted
            text = b"\0deleted"
        content.update(f"{name}\0{len(text)}\0".encode(errors="surrogateescape"))
        content.update(text)
    return content.hexdigest()[:8]


def _version() -> str:
    try:
        return importlib.metadata.version("daasbench")
    except importlib.metadata.PackageNotFoundError:
        from daasbench.version import __version__

        return __version__
