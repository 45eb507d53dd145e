"""The daasbench of a Python on this or another machine: its identity, and a wheel of the running daasbench."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

import daasbench.host.code_fingerprint
from daasbench.host.code_fingerprint import fingerprint, package_files

DISTRIBUTION = "daasbench"
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file of a wheel, so that the same code makes the same bytes
METADATA = ("METADATA", "PKG-INFO")  # of a wheel, of an egg


class Installation(msgspec.Struct, frozen=True):
    """A Python: its version and program and, if it has daasbench, the version, commit and content of that."""

    python: str = ""
    program: str = ""
    content: str = ""  # identifies its code; "": it has no daasbench
    version: str = ""
    commit: str = ""
    error: str = ""
    files: dict[str, bytes] = {}  # the running code, read once, so that all files are of one moment

    def __repr__(self) -> str:
        return f"Installation({self.label!r}, {self.program!r})"

    @property
    def label(self) -> str:
        """Return its version and commit for messages; without a commit, its content."""
        return f"{self.version} ({self.commit if self.commit != self.version else self.content})"


def this_installation() -> Installation:
    """Return the daasbench that runs here; reads its files, some 20 ms."""
    files = package_files()
    return msgspec.structs.replace(msgspec.convert(fingerprint(files), Installation), files=files)


def probe_program() -> str:
    """Return the program that prints which daasbench a Python has; the Python reads it from its standard input."""
    return Path(daasbench.host.code_fingerprint.__file__).read_text(encoding="utf-8")


def parse_probe(output: str) -> Installation:
    """Return the identity that a Python printed; raise ValueError if it printed something else."""
    try:
        return msgspec.json.decode(output.splitlines()[-1], type=Installation)
    except (IndexError, msgspec.DecodeError) as error:
        raise ValueError(f"no answer of a Python: {output[-80:]!r}") from error


def build_wheel(installation: Installation, folder: Path) -> Path:
    """Return a wheel of the daasbench that runs here, from a checkout or installed, written into `folder`.

    It needs no tool and no network: the package is pure Python, and its metadata are those of its installation.
    """
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    metadata = next(text for name in METADATA if (text := distribution.read_text(name)))
    info = f"{DISTRIBUTION}-{distribution.version}.dist-info"
    content = dict(installation.files)
    content[f"{info}/METADATA"] = metadata.encode()
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: daasbench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content[f"{info}/entry_points.txt"] = (distribution.read_text("entry_points.txt") or "").encode()
    content[f"{info}/RECORD"] = _record(content, f"{info}/RECORD")
    path = folder / installation.content / f"{DISTRIBUTION}-{distribution.version}-py3-none-any.whl"
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name in sorted(content, key=lambda name: (".dist-info/" in name, name)):
            wheel.writestr(zipfile.ZipInfo(name, EPOCH), content[name], zipfile.ZIP_DEFLATED)
    path.write_bytes(packed.getvalue())
    return path


def _record(content: Mapping[str, bytes], itself: str) -> bytes:
    lines = []
    for name, text in sorted(content.items()):
        checksum = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={checksum},{len(text)}\n")
    return "".join([*lines, f"{itself},,\n"]).encode()
