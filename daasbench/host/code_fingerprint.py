"""Identify the daasbench of a Python: ``python - <code_fingerprint.py`` prints it as JSON, on any machine.

This file is sent as text to an unknown Python, so it uses only the standard library of Python 3.6 and later. If two
installations have the same `content`, they have the same code, even if their versions differ.
"""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

ROOMS = ("kernels", "scenarios", "runners", "reports")
SUFFIXES = (".py", ".toml", ".c", ".csv", ".j2", ".css")


def package_files():
    # type: () -> dict[str, bytes]
    """Return the content of every file of the package, by its name in a wheel; empty if there is no daasbench."""
    found = {}  # type: dict[str, bytes]
    whole = importlib.util.find_spec("daasbench")
    if whole is None or whole.origin is None:  # only a folder of that name
        return found
    for package in ("daasbench", *(f"daasbench.{room}" for room in ROOMS)):
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations if spec else None) or ():
            for path in Path(root).rglob("*"):
                if path.suffix in SUFFIXES or path.name == "py.typed":
                    found[f"{package.replace('.', '/')}/{path.relative_to(root).as_posix()}"] = path.read_bytes()
    return found


def content_of(files):
    # type: (dict[str, bytes]) -> str
    """Return a hash of the names and the content of files: 16 hexadecimal digits."""
    total = hashlib.sha256()
    for name, text in sorted(files.items()):
        total.update(f"{name}\0{len(text)}\0".encode())
        total.update(text)
    return total.hexdigest()[:16]


def suite_content():
    # type: () -> str
    """Return the hash of the daasbench of this Python; "" if it has none. This takes some 20 ms."""
    files = package_files()
    return content_of(files) if files else ""


def fingerprint(files=None):
    # type: (dict[str, bytes] | None) -> dict[str, str]
    """Return the Python's version and program and, if it has daasbench, the version, commit and content of that."""
    about = {"python": ".".join(map(str, sys.version_info[:3])), "program": sys.executable}
    try:
        files = package_files() if files is None else files
        if files:
            about["content"] = content_of(files)
            from daasbench.host.source_commit import suite_commit
            from daasbench.version import __version__

            about["version"] = __version__
            about["commit"] = suite_commit()
    except Exception as error:  # a broken installation is reported, not raised
        about["error"] = f"{type(error).__name__}: {error}"
    return about


if __name__ == "__main__":
    sys.path[:] = [folder for folder in sys.path if folder]  # not the working folder
    sys.stdout.write(json.dumps(fingerprint()) + "\n")
