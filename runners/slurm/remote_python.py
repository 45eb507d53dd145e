"""The Python on another machine that has the running daasbench: ``env-<...>/bin/python`` in the staging folder.

It is made once from the site's Python. It is either an environment into which a wheel is installed, or a script that
starts a Python that already has this daasbench.
"""

from __future__ import annotations

import shlex
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from daasbench.errors import SubmitError, UsageError
from daasbench.model import digest

from .packaging import Installation, build_wheel, parse_probe, probe_program, this_installation
from .transport import NOT_EXECUTABLE, NOT_FOUND, CommandResult, Transport

OLDEST = (3, 11)
PROBE_S = 120.0  # seconds: a Python on a shared file system may start slowly
INSTALL_S = 1800.0

# $1: the environment, $2: a new folder, $3: the Python, $4: the wheel. The site's own pip fills the environment
# if possible, because installing a pip in each environment takes longer than all other steps.
_INSTALL = (
    'trap \'c=$?; [ $c -eq 0 ] || rm -rf -- "$2"\' EXIT; mkdir -p -- "$(dirname -- "$2")" && '
    '"$3" -m venv --without-pip "$2" >&2 || exit; '
    'if "$3" -m pip --python "$2/bin/python" --version >/dev/null 2>&1; then set -- "$@" --python "$2/bin/python"; '
    'else "$3" -m venv "$2" >&2 || exit; set -- "$1" "$2" "$2/bin/python" "$4"; fi; '
    '"$3" -m pip ${5+"$5" "$6"} install --no-input --disable-pip-version-check -q "$4" >&2 && ln -sfn -- "$2" "$1"'
)
# $1 and $2 as above, $3: a Python that has daasbench; it is started by its own name, by which it finds its packages
_USE_EXISTING = (
    'mkdir -p -- "$2/bin" && printf "#!/bin/sh\\nexec %s \\"\\$@\\"\\n" "$3" >"$2/bin/python" && '
    'chmod +x -- "$2/bin/python" && ln -sfn -- "$2" "$1"'
)


class RemotePython:
    """The Python in a staging folder, and how it is made from the site's Python (:class:`.staging.Staging`)."""

    def __init__(self, transport: Transport, folder: str, site_python: str, extras: Sequence[str]) -> None:
        self.transport = transport
        self.folder = folder
        self.site_python = site_python
        self.extras = tuple(extras)
        self._own: Installation | None = None
        self._ready = False

    @property
    def own(self) -> Installation:
        """Return the identity of the running daasbench, which is read once."""
        self._own = self._own or this_installation()
        return self._own

    @property
    def interpreter(self) -> str:
        """Return the path of the Python; its name depends on the content, the site's Python and the extras."""
        return f"{self.folder}/env-{digest([self.own.content, self.site_python, self.extras])}/bin/python"

    def prepare(self) -> int:
        """Make the Python unless it exists with the running daasbench; return the bytes that were sent.

        Raises
        ------
        UsageError
            The site's Python is missing, too old, or has another daasbench.
        SubmitError
            daasbench cannot be installed.
        """
        if self._ready:
            return 0
        installed = self._probe(self.interpreter)
        sent = 0
        if installed is None or installed.content != self.own.content:
            sent = self._make()
        self._ready = True
        return sent

    def _make(self) -> int:
        """Make the Python from the site's Python; return the bytes that were sent."""
        site = self._probe(self.site_python)
        at = f"{self.transport.where}: {self.site_python}"
        if site is None:
            message = f"{at}: the site has no such Python; nothing was submitted"
            raise UsageError(f"{message}: name another by the option python, such as /opt/python/3.11/bin/python3")
        if is_too_old(site):
            message = f"{at} is Python {site.python}, daasbench needs {OLDEST[0]}.{OLDEST[1]}; nothing was submitted"
            raise UsageError(f"{message}: name a newer one by the option python")
        environment = str(PurePosixPath(self.interpreter).parent.parent)
        own_folder = f"{environment}.d/{uuid.uuid4().hex[:8]}"
        if site.content == self.own.content:
            arguments = [environment, own_folder, shlex.quote(site.program)]
            self._change(_USE_EXISTING, arguments, f"{environment}: cannot be made")
            return 0
        wheel, sent = self._send_wheel()
        if site.content or site.error:
            differs = site.error or f"has daasbench {site.label}, and this machine has {self.own.label}"
            fix = shlex.join([self.site_python, "-m", "pip", "install", "--force-reinstall", "--no-deps", wheel])
            message = f"{at} {differs}: records of both must not be mixed; nothing was submitted"
            raise UsageError(f"{message}: run `{fix}` there, or name a bare Python by the option python")
        named = f"{wheel}[{','.join(self.extras)}]" if self.extras else wheel
        arguments = [environment, own_folder, self.site_python, named]
        self._change(_INSTALL, arguments, f"{at}: daasbench cannot be installed", wheel)
        self._verify(environment, wheel)
        return sent

    def _verify(self, environment: str, wheel: str) -> None:
        """Raise SubmitError unless the new environment has the running daasbench."""
        made = self._probe(self.interpreter)
        if made is None or made.content != self.own.content:
            has = "no daasbench" if made is None else made.error or made.label
            message = f"{self.transport.where}:{environment}: was installed from {wheel}, but has {has}"
            fix = "remove that folder and run the same command again"
            raise SubmitError(f"{message} instead of {self.own.label}; nothing was submitted: {fix}")

    def _send_wheel(self) -> tuple[str, int]:
        with tempfile.TemporaryDirectory() as folder:
            wheel = build_wheel(self.own, Path(folder))
            remote = f"{self.folder}/wheels/{wheel.parent.name}/{wheel.name}"
            return remote, self.transport.put(wheel, remote)

    def _probe(self, python: str) -> Installation | None:
        """Return which daasbench a Python has; None if there is no such Python."""
        result = self.transport.run([python, "-"], stdin=probe_program(), timeout_s=PROBE_S, repeat=True)
        if result.code in (NOT_FOUND, NOT_EXECUTABLE):
            return None
        try:
            return parse_probe(result.out)
        except ValueError as error:
            message = f"{self.transport.where}: {python} does not run: {_reason(result)}; nothing was submitted"
            raise UsageError(f"{message}: name another by the option python") from error

    def _change(self, script: str, arguments: list[str], failed: str, wheel: str = "") -> None:
        result = self.transport.run(["sh", "-c", script, "sh", *arguments], timeout_s=INSTALL_S)
        if result.code != 0:
            raise SubmitError(f"{failed}: {_reason(result)}; nothing was submitted: {_fix(result.err, wheel)}")


def is_too_old(site: Installation) -> bool:
    """Return whether daasbench does not run on this Python."""
    return tuple(int(part) for part in site.python.split(".")[:2]) < OLDEST


def _reason(result: CommandResult) -> str:
    lines = [line.strip() for line in (result.err or result.out).splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if "rror" in line]
    return (errors or lines or [f"exit code {result.code}"])[-1][:300]


def _fix(err: str, wheel: str) -> str:
    if "No space left" in err or "quota exceeded" in err:
        return "free some space there, or name another folder by the option folder"
    if "ensurepip" in err or "No module named venv" in err or "No module named pip" in err:
        return "its Python has no venv or no pip; name a complete Python by the option python, such as that of conda"
    return (
        "if the site has no package index, make an environment there by hand, install"
        f" {wheel or 'daasbench'} into it, and name its Python by the option python"
    )
