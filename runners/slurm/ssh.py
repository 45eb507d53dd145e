"""The transport over ssh.

The other machine is any POSIX system with GNU's or busybox's ``tar``, ``find``, ``head`` and ``tail``; nothing needs
to be installed on it.
"""

from __future__ import annotations

import io
import os
import shlex
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from daasbench.errors import LedgerError, Unreachable

from . import remote_scripts as scripts
from .connection import Connection
from .merging import GROWING, append_new, first_byte, merge_file
from .transport import NOT_FOUND, SETTINGS, CommandResult

SLOWEST_BYTES_PER_S = 100_000.0  # bytes per second; a slower copy is stopped
REPEATABLE = ("squeue", "sacct", "sinfo", "scontrol", "scancel", "mkdir", "cat", "ls", "test", "true")
REFUSALS = ("No space left", "quota exceeded", "Read-only file system", "Permission denied", "Not a directory",
            "File name too long", "File exists", "No such file or directory")  # fmt: skip


class SshTransport:
    """Runs commands and accesses files on a machine that is reached by ssh.

    Parameters
    ----------
    host
        ``user@login.site``, or a name of the user's ssh configuration.
    arguments
        Further arguments of ssh.
    sleep
        Waits between attempts at a lost connection.

    Attributes
    ----------
    bytes_in, bytes_out
        Content copied to the machine and from it by this object, without the overhead of ssh.
    """

    def __init__(self, host: str, arguments: Sequence[str] = (), sleep: Callable[[float], None] = time.sleep) -> None:
        self.where = host
        self.bytes_in = 0
        self.bytes_out = 0
        self._login_path: str | None = None  # PATH of a login shell; None: not read yet, "": not known
        self._connection = Connection(host, arguments, sleep)

    def __repr__(self) -> str:
        return f"SshTransport({self.where!r})"

    def close(self) -> None:
        """Close the connection; the next command opens another."""
        self._connection.close()

    # --- commands

    def run(
        self, command: Sequence[str], *, stdin: str | None = None, timeout_s: float = 60.0, repeat: bool | None = None
    ) -> CommandResult:
        """Return the result of a command; if the answer is lost, a command that may run twice is repeated.

        `repeat` says whether it may run twice; None: Slurm's queries may, ``sbatch`` must not.

        Raises
        ------
        Unreachable
            No connection can be opened, or it is lost during a command that must not run twice: it is not known
            whether that command took effect.
        """
        result = self._run(command, stdin or "", timeout_s, repeat)
        if result.code == NOT_FOUND and "/" not in command[0] and self._login_path is None:
            output = self._connection.run(scripts.LOGIN_PATH, timeout_s=timeout_s).out.decode(errors="replace")
            lines = reversed(output.splitlines())
            self._login_path = next((line[1:] for line in lines if line.startswith(":")), "")
            if self._login_path:
                result = self._run(command, stdin or "", timeout_s, repeat)
        return result

    def _run(self, command: Sequence[str], stdin: str, timeout_s: float, repeat: bool | None) -> CommandResult:
        script = "; ".join(f"{name}={value}; export {name}" for name, value in SETTINGS.items())
        if self._login_path:
            script += f"; PATH=$PATH:{shlex.quote(self._login_path)}"
        repeat = PurePosixPath(command[0]).name in REPEATABLE if repeat is None else repeat
        with _temporary(stdin.encode()) as file:
            result = self._connection.run(
                f"{script}; {shlex.join(command)}", stdin=file, timeout_s=timeout_s, repeat=repeat
            )
        return CommandResult(result.code, result.out.decode(errors="replace"), result.err)

    # --- files to the machine

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents."""
        self._change(scripts.MAKE_FOLDER, [path], path)

    def write(self, files: Mapping[str, str], folder: str) -> int:
        """Write whole files by one command; return the bytes of their content."""
        sent = 0
        with tempfile.TemporaryFile() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                for name, text in files.items():
                    entry = tarfile.TarInfo(str(PurePosixPath(name)))
                    entry.size, entry.mode = len(text.encode()), 0o644
                    tar.addfile(entry, io.BytesIO(text.encode()))
                    sent += entry.size
            archive.flush()
            archive.seek(0)
            self._change(scripts.WRITE, [folder], folder, archive, timeout_s=_timeout_s(sent))
        self.bytes_in += sent
        return sent

    def put(self, file: Path, path: str) -> int:
        """Copy one file, unless a file of its size exists; continue a copy that was interrupted.

        Raises
        ------
        LedgerError
            The file cannot be read, or the machine refuses it.
        """
        before = self.bytes_in
        try:
            with open(file, "rb", buffering=0) as stream:
                self._connection.with_retries(lambda: self._put_once(stream, path))
        except OSError as error:
            raise LedgerError(f"{file}: cannot be read: {error.strerror}; nothing was submitted") from error
        return self.bytes_in - before

    def _put_once(self, stream: io.FileIO, path: str) -> None:
        state = os.fstat(stream.fileno())
        partial = f"{path}.{state.st_size}-{state.st_mtime_ns}.part"  # of this content, whichever process began it
        whole, part = (
            int(size) for size in self._change_once(scripts.SIZES, [path, partial], path, None, 60.0).split()
        )
        if whole == state.st_size:
            return
        begin = max(0, part) if part <= state.st_size else 0
        stream.seek(begin)
        arguments = [path, partial, str(state.st_size), str(begin)]
        self._change_once(scripts.APPEND, arguments, path, stream, _timeout_s(state.st_size - begin))
        self.bytes_in += state.st_size - begin

    def _change(
        self, script: str, arguments: Sequence[str], path: str, stdin: BinaryIO | None = None, timeout_s: float = 60.0
    ) -> None:
        """Run a script that writes; to run it twice has the same effect as to run it once."""
        result = self._connection.run(scripts.with_arguments(script, arguments), stdin=stdin, timeout_s=timeout_s)
        if result.code != 0:
            raise self._refusal(path, result.err)

    def _change_once(
        self, script: str, arguments: Sequence[str], path: str, stdin: BinaryIO | None, timeout_s: float
    ) -> str:
        command = scripts.with_arguments(script, arguments)
        with tempfile.TemporaryFile() as out:
            code, err = self._connection.run_once(command, out, stdin=stdin, timeout_s=timeout_s)
            if code != 0:
                raise self._refusal(path, err)
            out.seek(0)
            return out.read().decode()

    def _refusal(self, path: str, err: str) -> LedgerError | Unreachable:
        refusal = next((text for text in REFUSALS if text.lower() in err.lower()), "")
        if not refusal:
            return Unreachable(f"{self.where}:{path}: cannot be written: {_last_line(err)}; nothing was submitted")
        fix = "free some space there" if refusal in REFUSALS[:2] else "name a folder that you may write in"
        message = f"{self.where}:{path}: cannot be written: {refusal}; nothing was submitted"
        return LedgerError(f"{message}: {fix}, or name another by the option folder, and run the same command again")

    # --- files from the machine

    def read(self, paths: Sequence[str]) -> dict[str, str]:
        """Return the text of those files that exist, by one command."""
        found: dict[str, str] = {}
        if not paths:
            return found
        with _temporary(b"".join(path.encode(errors="surrogateescape") + b"\0" for path in paths)) as names:
            result = self._connection.run(scripts.READ, stdin=names, timeout_s=600.0)
        if not result.out:
            message = f"{self.where}: its files cannot be read, because its tar does not work"
            raise Unreachable(f"{message}; ask the site for GNU tar")
        with tarfile.open(fileobj=io.BytesIO(result.out)) as tar:
            for entry in tar:
                stream = tar.extractfile(entry)
                if stream is not None:
                    found[entry.name] = stream.read().decode(errors="replace")
                    self.bytes_out += entry.size
        return found

    def fetch(self, names: Sequence[str], remote_folder: str, folder: Path) -> int:
        """Copy the new parts of the named files; if the connection is lost, the parts that arrived are kept.

        A growing file is fetched from shortly before the end of the local copy, so that only new bytes are sent. If the
        overlap differs, the whole file is fetched and merged.
        """
        before = self.bytes_out
        differing: set[str] = set()
        self._connection.with_retries(lambda: self._fetch_once(names, remote_folder, folder, differing))
        if differing:
            self._connection.with_retries(lambda: self._fetch_once(sorted(differing), remote_folder, folder, None))
        return self.bytes_out - before

    def _fetch_once(self, names: Sequence[str], remote_folder: str, folder: Path, differing: set[str] | None) -> None:
        """Fetch the files once and keep what arrives; add those whose beginning differs to `differing`.

        None: fetch whole files, and merge them.
        """
        paths = {f"{remote_folder}/{name}": name for name in names}
        wanted = [(path, first_byte(folder / name) if differing is not None else 0) for path, name in paths.items()]
        with tempfile.TemporaryFile() as out:
            try:
                self._tail(wanted, out)
            finally:
                for path, begin, content, complete in _parts(out):
                    name = paths.get(path, "")
                    if not name or not (complete or name in GROWING):
                        continue
                    self.bytes_out += len(content)
                    if name not in GROWING or differing is None:
                        merge_file(name, content, folder)
                    elif not append_new(folder / name, begin, content):
                        differing.add(name)

    def _tail(self, wanted: Sequence[tuple[str, int]], out: BinaryIO) -> None:
        """Write the end of each file, from its offset on, to `out`."""
        for path, _ in wanted:
            if "\n" in path:
                raise LedgerError(f"{path!r}: this name of a file or folder has a line break; choose another name")
        with _temporary(b"".join(f"{n}\0{path}\0".encode(errors="surrogateescape") for path, n in wanted)) as offsets:
            code, err = self._connection.run_once(scripts.TAIL, out, stdin=offsets, timeout_s=3600.0)
        if code != 0:
            message = f"{self.where}: its files cannot be read: {_last_line(err)}"
            raise Unreachable(f"{message}; run the same command again")


def _temporary(content: bytes) -> BinaryIO:
    """Return an open temporary file with this content, at its beginning."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  (the caller closes it)
    file.write(content)
    file.flush()
    file.seek(0)
    return file


def _timeout_s(size_bytes: int) -> float:
    """Return how long a copy may take."""
    return 120.0 + size_bytes / SLOWEST_BYTES_PER_S


def _last_line(err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def _parts(out: BinaryIO) -> Iterator[tuple[str, int, bytes, bool]]:
    """Yield path, offset, content and whether it is complete, of each file that `TAIL` printed."""
    out.seek(0)
    while (line := out.readline()).endswith(b"\n"):
        size, begin, path = line[:-1].split(b" ", 2)
        name = path.decode(errors="surrogateescape")
        if int(size) < 0:
            raise Unreachable(f"{name}: you have no right to read it on that machine; change its permissions")
        length = max(0, int(size) - int(begin))
        content = out.read(length)
        yield name, int(begin), content, len(content) == length
