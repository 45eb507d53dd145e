"""What a job needs that is not there: the suite, and the files that its cases name.

Everything lies in one folder there and is named by its content, so that it is brought once:
``env-<...>/bin/python`` runs the suite, ``files/<hash>/<name>`` is a file of the user's. The names are known before
anything is sent: a job is rewritten by a pure function, and ``--dry-run`` shows it.
"""

from __future__ import annotations

import re
import shlex
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from daasbench.authoring.user_file import source_of
from daasbench.errors import SubmitError, UsageError
from daasbench.model import Job, digest
from daasbench.scenario.input_files import content_hash

from .shell import NOT_FOUND, Answer
from .ssh import Ssh
from .suite import Suite, pack, question, this_suite

OLDEST = (3, 11)
ASK_S = 120.0  # a Python on a shared file system may be slow to start
INSTALL_S = 1800.0
_BESIDE = re.compile(r"\{folder\}/([\w./-]*\w)")  # what a kernel of programs names beside its file

# $1: the environment, $2: a folder of its own, $3: the Python, $4: the wheel. The site's own pip fills it where it
# can: to give each environment a pip takes longer than all the rest.
_INSTALL = (
    'trap \'c=$?; [ $c -eq 0 ] || rm -rf -- "$2"\' EXIT; mkdir -p -- "$(dirname -- "$2")" && '
    '"$3" -m venv --without-pip "$2" >&2 || exit; '
    'if "$3" -m pip --python "$2/bin/python" --version >/dev/null 2>&1; then set -- "$@" --python "$2/bin/python"; '
    'else "$3" -m venv "$2" >&2 || exit; set -- "$1" "$2" "$2/bin/python" "$4"; fi; '
    '"$3" -m pip ${5+"$5" "$6"} install --no-input --disable-pip-version-check -q "$4" >&2 && ln -sfn -- "$2" "$1"'
)
# $1 and $2 as above, $3: a Python that has daasbench: started under its own name, for it knows its packages by that
_BORROW = (
    'mkdir -p -- "$2/bin" && printf "#!/bin/sh\\nexec %s \\"\\$@\\"\\n" "$3" >"$2/bin/python" && '
    'chmod +x -- "$2/bin/python" && ln -sfn -- "$2" "$1"'
)


class Stage:
    """The folder of a place that holds the suite and the users' files.

    Parameters
    ----------
    shell
        The place.
    folder
        Absolute, seen by its login node and by its compute nodes.
    python
        The site's Python: a bare one of which an environment is made, or one that has daasbench already.
    extras
        Extras of daasbench that are installed into an environment made here: ``mpi``, ``dask``.
    """

    def __init__(self, shell: Ssh, folder: str, python: str = "python3", extras: Sequence[str] = ()) -> None:
        self.shell = shell
        self.folder = folder.rstrip("/")
        self.python = python
        self.extras = tuple(extras)
        self.suite: Suite | None = None
        self._ready = False
        self._brought: set[str] = set()
        self._hashes: dict[tuple[str, int, int], str] = {}

    def __repr__(self) -> str:
        return f"Stage({self.shell.where!r}, {self.folder!r})"

    # --- names, before anything is sent

    @property
    def interpreter(self) -> str:
        """Return the Python that runs the suite there."""
        self.suite = self.suite or this_suite()
        return f"{self.folder}/env-{digest([self.suite.content, self.python, self.extras])}/bin/python"

    def rewritten(self, job: Job) -> tuple[Job, dict[str, str]]:
        """Return the job as it is read there, and the files that it needs: path there, path here. Pure.

        Raises
        ------
        InputError
            One of the files cannot be read.
        """
        parcels: dict[str, str] = {}
        sources = {kernel: self._source(source, parcels) for kernel, source in job.sources.items()}
        inputs = {
            name: {key: self._parcel([Path(path)], parcels) for key, path in paths.items()}
            for name, paths in job.inputs.items()
        }
        return msgspec.structs.replace(job, sources=sources, inputs=inputs), parcels

    def _source(self, source: str, parcels: dict[str, str]) -> str:
        """Return the path there of a kernel's file, and of what it names beside it, with the kernel chosen in it."""
        file, chosen = source_of(Path(source))
        files = [file]
        if file.suffix == ".toml":
            named = set(_BESIDE.findall(file.read_text(encoding="utf-8")))
            files += [path for name in sorted(named) if (path := file.parent / name).is_file()]
        there = self._parcel(files, parcels)
        return f"{there}:{chosen}" if chosen else there

    def _parcel(self, files: list[Path], parcels: dict[str, str]) -> str:
        """Add files that stay together to `parcels`; return the path there of the first."""
        root = files[0].parent
        names = {path: path.relative_to(root).as_posix() for path in files}
        content = {names[path]: self._hash(path) for path in files}
        place = f"{self.folder}/files/{digest(content)}"
        parcels.update({f"{place}/{name}": str(path) for path, name in names.items()})
        return f"{place}/{names[files[0]]}"

    def _hash(self, path: Path) -> str:
        try:
            check = path.stat()
        except OSError:
            return content_hash({"": str(path)})  # which says what is wrong
        key = (str(path), check.st_size, check.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = content_hash({"": str(path)})
        return self._hashes[key]

    # --- what is sent

    def bring(self, parcels: Mapping[str, str]) -> int:
        """Bring the files that are not there yet; return the bytes that were sent.

        Raises
        ------
        LedgerError
            The place refuses them.
        """
        sent = 0
        for there, here in parcels.items():
            if there not in self._brought:
                sent += self.shell.put(Path(here), there)
                self._brought.add(there)
        return sent

    def prepare(self) -> int:
        """See to it that the interpreter is there and has this very suite; return the bytes that were sent.

        Raises
        ------
        UsageError
            The site's Python is missing, too old, or has another daasbench.
        SubmitError
            The suite cannot be installed there.
        """
        if self._ready:
            return 0
        interpreter = self.interpreter
        answer = self._ask(interpreter)
        sent = 0
        if answer is None or self.suite is None or answer.content != self.suite.content:
            sent = self._settle(interpreter)
        self._ready = True
        return sent

    def _settle(self, interpreter: str) -> int:
        """Make the interpreter out of the site's Python; return the bytes that were sent."""
        mine = self.suite or this_suite()
        site = self._ask(self.python)
        at = f"{self.shell.where}: {self.python}"
        if site is None:
            message = f"{at}: there is no such Python on the site; nothing was submitted"
            raise UsageError(f"{message}: name one by the option python, such as /opt/python/3.11/bin/python3")
        if tuple(int(part) for part in site.python.split(".")[:2]) < OLDEST:
            message = (
                f"{at} is Python {site.python}, and daasbench needs {OLDEST[0]}.{OLDEST[1]}; nothing was submitted"
            )
            raise UsageError(f"{message}: name a newer one by the option python")
        environment = str(PurePosixPath(interpreter).parent.parent)
        own = f"{environment}.d/{uuid.uuid4().hex[:8]}"
        if site.content == mine.content:
            self._obey(_BORROW, [environment, own, shlex.quote(site.program)], f"{environment}: cannot be made")
            return 0
        wheel, sent = self._bring_wheel()
        if site.content or site.error:
            has = f"has daasbench {site.message}, this controller {mine.message}" if not site.error else site.error
            fix = shlex.join([self.python, "-m", "pip", "install", "--force-reinstall", "--no-deps", wheel])
            message = f"{at} {has}: their records may not be mixed; nothing was submitted"
            raise UsageError(f"{message}: run `{fix}` there, or name a bare Python by the option python")
        named = f"{wheel}[{','.join(self.extras)}]" if self.extras else wheel
        self._obey(_INSTALL, [environment, own, self.python, named], f"{at}: daasbench cannot be installed", wheel)
        there = self._ask(interpreter)
        if there is None or there.content != mine.content:
            has = "none" if there is None else there.error or there.message
            message = f"{self.shell.where}:{environment}: was installed from {wheel}, and has {has}, not {mine.message}"
            raise SubmitError(f"{message}; nothing was submitted: remove that folder and run the same command again")
        return sent

    def _bring_wheel(self) -> tuple[str, int]:
        with tempfile.TemporaryDirectory() as folder:
            wheel = pack(self.suite or this_suite(), Path(folder))
            there = f"{self.folder}/wheels/{wheel.parent.name}/{wheel.name}"
            return there, self.shell.put(wheel, there)

    def _ask(self, python: str) -> Suite | None:
        """Return what a Python there has; None if there is no such Python."""
        answer = self.shell.run([python, "-"], stdin=question(), timeout_s=ASK_S, again=True)
        if answer.code in (NOT_FOUND, 126):
            return None
        try:
            return msgspec.json.decode(answer.out.splitlines()[-1], type=Suite)
        except (IndexError, msgspec.DecodeError) as error:
            message = f"{self.shell.where}: {python} does not run: {_why(answer)}; nothing was submitted"
            raise UsageError(f"{message}: name another by the option python") from error

    def _obey(self, script: str, words: list[str], failed: str, wheel: str = "") -> None:
        answer = self.shell.run(["sh", "-c", script, "sh", *words], timeout_s=INSTALL_S)
        if answer.code == 0:
            return
        raise SubmitError(f"{failed}: {_why(answer)}; nothing was submitted: {_cure(answer.err, wheel)}")


def _why(answer: Answer) -> str:
    lines = [line.strip() for line in (answer.err or answer.out).splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if "rror" in line]
    return (errors or lines or [f"exit code {answer.code}"])[-1][:300]


def _cure(err: str, wheel: str) -> str:
    if "No space left" in err or "quota exceeded" in err:
        return "free some space there, or name another folder by the option folder"
    if "ensurepip" in err or "No module named venv" in err or "No module named pip" in err:
        return "its Python has no venv or no pip; name a whole one by the option python, such as that of a conda"
    return (
        "where the site has no package index, make an environment there by hand, install"
        f" {wheel or 'daasbench'} into it, and name its Python by the option python"
    )
