"""Staging copies a job's input files and daasbench to a machine that shares no files with this machine.

Everything is copied into one folder and named by its content, so that it is copied only once. ``files/<hash>/<name>``
is a file of the user; ``env-<...>/bin/python`` runs daasbench (:mod:`.remote_python`). The names are known before
anything is sent: a pure function rewrites the job, and ``--dry-run`` shows the result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from daasbench.authoring.user_file import source_of
from daasbench.model import Job, digest
from daasbench.scenario.input_files import content_hash

from .remote_python import RemotePython
from .ssh import SshTransport

_BESIDE = re.compile(r"\{folder\}/([\w./-]*\w)")  # a file next to the kernel's TOML file that it names


class Staging:
    """The folder on another machine that holds daasbench and the users' files.

    Parameters
    ----------
    transport
        Reaches the machine.
    folder
        Absolute, seen by its login node and by its compute nodes.
    python
        The site's Python: either a plain Python, from which an environment is made, or a Python that has daasbench.
    extras
        Extras of daasbench that are installed into that environment: ``mpi``, ``dask``.
    """

    def __init__(
        self, transport: SshTransport, folder: str, python: str = "python3", extras: Sequence[str] = ()
    ) -> None:
        self.transport = transport
        self.folder = folder.rstrip("/")
        self.python = RemotePython(transport, self.folder, python, extras)
        self._copied: set[str] = set()
        self._hashes: dict[tuple[str, int, int], str] = {}

    def __repr__(self) -> str:
        return f"Staging({self.transport.where!r}, {self.folder!r})"

    @property
    def interpreter(self) -> str:
        """Return the Python that runs daasbench on that machine."""
        return self.python.interpreter

    def rewritten(self, job: Job) -> tuple[Job, dict[str, str]]:
        """Return the job with the paths of that machine, and the files to copy: remote path to local path. Pure.

        Raises
        ------
        InputError
            One of the files cannot be read.
        """
        staged: dict[str, str] = {}
        sources = {kernel: self._source(source, staged) for kernel, source in job.sources.items()}
        inputs = {
            name: {key: self._stage([Path(path)], staged) for key, path in paths.items()}
            for name, paths in job.inputs.items()
        }
        return msgspec.structs.replace(job, sources=sources, inputs=inputs), staged

    def _source(self, source: str, staged: dict[str, str]) -> str:
        """Return the remote path of a kernel's file, with the kernel chosen in it; stage the files that it names."""
        file, chosen = source_of(Path(source))
        files = [file]
        if file.suffix == ".toml":
            named = set(_BESIDE.findall(file.read_text(encoding="utf-8")))
            files += [path for name in sorted(named) if (path := file.parent / name).is_file()]
        remote = self._stage(files, staged)
        return f"{remote}:{chosen}" if chosen else remote

    def _stage(self, files: list[Path], staged: dict[str, str]) -> str:
        """Add files that stay in one folder to `staged`; return the remote path of the first."""
        root = files[0].parent
        names = {path: path.relative_to(root).as_posix() for path in files}
        content = {names[path]: self._hash(path) for path in files}
        folder = f"{self.folder}/files/{digest(content)}"
        staged.update({f"{folder}/{name}": str(path) for path, name in names.items()})
        return f"{folder}/{names[files[0]]}"

    def _hash(self, path: Path) -> str:
        try:
            state = path.stat()
        except OSError:
            return content_hash({"": str(path)})  # raises the error that names the file
        key = (str(path), state.st_size, state.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = content_hash({"": str(path)})
        return self._hashes[key]

    def copy(self, staged: Mapping[str, str]) -> int:
        """Copy the staged files that are not on that machine yet; return the bytes that were sent.

        Raises
        ------
        LedgerError
            The machine refuses them.
        """
        sent = 0
        for remote, local in staged.items():
            if remote not in self._copied:
                sent += self.transport.put(Path(local), remote)
                self._copied.add(remote)
        return sent
