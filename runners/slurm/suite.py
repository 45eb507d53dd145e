"""The installed daasbench, so that it can be installed elsewhere: what names its code, and the wheel of it."""

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


class Suite(msgspec.Struct, frozen=True):
    """What a Python has: its version and program and, where there is daasbench, which."""

    python: str = ""
    program: str = ""
    content: str = ""  # of its code; "" there is none
    version: str = ""
    commit: str = ""
    error: str = ""
    files: dict[str, bytes] = {}  # of the one that runs here: its code, read once, so that all is of one moment

    def __repr__(self) -> str:
        return f"Suite({self.message!r}, {self.program!r})"

    @property
    def message(self) -> str:
        """Return what a person knows it by."""
        return f"{self.version} ({self.commit})" if self.commit != self.version else f"{self.version} ({self.content})"


def this_suite() -> Suite:
    """Return the daasbench that runs here; reads its files, some 20 ms."""
    files = package_files()
    return msgspec.structs.replace(msgspec.convert(fingerprint(files), Suite), files=files)


def question() -> str:
    """Return the program that says of a Python which daasbench it has, for its standard input."""
    return Path(daasbench.host.code_fingerprint.__file__).read_text(encoding="utf-8")


def pack(suite: Suite, folder: Path) -> Path:
    """Return a wheel of the suite that runs here, from a checkout or installed, written into `folder`.

    No tool and no network is needed: the package is pure Python, and its metadata are those it was installed with.
    """
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    check = next(text for name in METADATA if (text := distribution.read_text(name)))
    info = f"{DISTRIBUTION}-{distribution.version}.dist-info"
    content = dict(suite.files)
    content[f"{info}/METADATA"] = check.encode()
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: daasbench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content[f"{info}/entry_points.txt"] = (distribution.read_text("entry_points.txt") or "").encode()
    content[f"{info}/RECORD"] = _record(content, f"{info}/RECORD")
    path = folder / suite.content / f"{DISTRIBUTION}-{distribution.version}-py3-none-any.whl"
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
