"""Another machine's commands and files, over ssh: the same place as :class:`.shell.Here`, elsewhere.

A host is any POSIX system with GNU's or busybox's ``tar``, ``find``, ``head`` and ``tail``; nothing is installed for
the sake of the connection.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from daasbench.errors import LedgerError, ScenarioError, Unreachable
from daasbench.model import Option
from daasbench.records import LOG_FILE, RECORDS_FILE

from .connection import Connection
from .shell import NOT_FOUND, Answer, keep

GROWING = (RECORDS_FILE, LOG_FILE)  # what is only ever appended to, and comes piece by piece
OVERLAP_BYTES = 1024  # read again to tell that what is here is the beginning of what is there
SLOWEST_BYTES_PER_S = 100_000.0  # below that, a copy is given up
REPEATABLE = ("squeue", "sacct", "sinfo", "scontrol", "scancel", "mkdir", "cat", "ls", "test", "true")
REFUSED = ("No space left", "quota exceeded", "Read-only file system", "Permission denied", "Not a directory",
           "File name too long", "File exists", "No such file or directory")  # fmt: skip
SETTINGS = {"TZ": "UTC", "SLURM_TIME_FORMAT": "standard", "LC_ALL": "C"}
_HOST = re.compile(r"[A-Za-z0-9_][\w.@:%+~-]*")

# The scripts: what varies comes as $1, $2 ... or on standard input, never within the text.
_TAIL = (  # pairs of offset and path -> a line "size offset path" and the bytes from there on, for each that exists
    "xargs -0 -n 200 sh -c '"
    'while [ $# -gt 1 ]; do if [ -f "$2" ]; then if [ -r "$2" ]; then n=$(($(wc -c <"$2"))); else n=-1; fi; '
    'printf "%s %s %s\\n" "$n" "$1" "$2"; '
    'if [ $n -gt $1 ]; then tail -c +$(($1+1)) -- "$2" | head -c $((n-$1)); fi; fi; shift 2; done\' sh'
)
_WRITE = (  # $1: folder; a tar archive on standard input
    'mkdir -p -- "$1" && cd -- "$1" && p=$(mktemp -d .part.XXXXXX) || exit 1; trap \'rm -rf -- "$1/$p"\' EXIT; '
    'tar -xf - -C "$p" && cd "$p" || exit 1; '
    "cp -rlf . .. 2>/dev/null && exit 0; "  # at once; where there are no hard links:
    "find . -type d -exec sh -c 'for f; do mkdir -p -- \"../$f\" || exit; done' sh {} + && "
    'find . -type f -exec sh -c \'for f; do mv -f -- "$f" "../$f" || exit; done\' sh {} +; c=$?; cd ..; exit $c'
)
_READ = "tar -cPf - --null --no-recursion -T - 2>/dev/null"  # of those that do not exist it says nothing
_SIZES = 'for f in "$1" "$2"; do if [ -f "$f" ]; then wc -c <"$f"; else echo -1; fi; done'
_APPEND = (  # $1: file, $2: its part, $3: its size, $4: how much of the part there is
    'mkdir -p -- "$(dirname -- "$2")" && if [ "$4" = 0 ]; then rm -f -- "$2"; fi && cat >>"$2" || exit 1; '
    'if [ $(($(wc -c <"$2"))) -ne "$3" ]; then echo "only a part of it arrived" >&2; exit 1; fi; mv -f -- "$2" "$1"'
)
_PATH = '"${SHELL:-sh}" -lc \'printf "\\n:%s\\n" "$PATH"\' 2>/dev/null </dev/null'  # of who logs in


class Ssh:
    """A place that is reached by ssh.

    Parameters
    ----------
    host
        ``user@login.site``, or a name of the user's ssh configuration.
    words
        More words for ssh.
    sleep
        What waits between attempts at a lost connection.

    Attributes
    ----------
    bytes_in, bytes_out
        Content copied to the place and from it by this object, without what ssh adds.
    """

    def __init__(self, host: str, words: Sequence[str] = (), sleep: Callable[[float], None] = time.sleep) -> None:
        self.where = host
        self.bytes_in = 0
        self.bytes_out = 0
        self._path: str | None = None  # of who logs in; None: not asked for, "": not known
        self._connection = Connection(host, words, sleep)

    def __repr__(self) -> str:
        return f"Ssh({self.where!r})"

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        self._connection.close()

    def run(
        self, words: Sequence[str], *, stdin: str | None = None, timeout_s: float = 60.0, again: bool | None = None
    ) -> Answer:
        """Return what a command said there; where an answer is lost, only what may happen twice is asked again.

        `again`: whether it may; None: if it is one of Slurm's questions, not if it is ``sbatch``.

        Raises
        ------
        Unreachable
            The connection cannot be had, or is lost in a command that is no mere question: whether it was obeyed
            is not known.
        """
        answer = self._run(words, stdin or "", timeout_s, again)
        if answer.code == NOT_FOUND and "/" not in words[0] and self._path is None:  # set for who logs in, maybe
            found = self._connection.ask(_PATH, timeout_s=timeout_s).out.decode(errors="replace").splitlines()
            self._path = next((line[1:] for line in reversed(found) if line.startswith(":")), "")
            if self._path:
                answer = self._run(words, stdin or "", timeout_s, again)
        return answer

    def _run(self, words: Sequence[str], stdin: str, timeout_s: float, again: bool | None) -> Answer:
        script = "; ".join(f"{name}={value}; export {name}" for name, value in SETTINGS.items())
        if self._path:
            script += f"; PATH=$PATH:{shlex.quote(self._path)}"
        again = PurePosixPath(words[0]).name in REPEATABLE if again is None else again
        with tempfile.TemporaryFile() as file:
            file.write(stdin.encode())
            file.flush()
            file.seek(0)
            said = self._connection.ask(f"{script}; {shlex.join(words)}", stdin=file, timeout_s=timeout_s, again=again)
        return Answer(said.code, said.out.decode(errors="replace"), said.err)

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents there."""
        self._obey('mkdir -p -- "$1"', [path], path)

    def write(self, files: Mapping[str, str], folder: str) -> int:
        """Write whole files there, in one question; return the bytes of their content."""
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
            self._obey(_WRITE, [folder], folder, archive, timeout_s=_patience(sent))
        self.bytes_in += sent
        return sent

    def put(self, file: Path, path: str) -> int:
        """Copy one file there, unless one of its size is there; go on where an earlier copy was cut.

        Raises
        ------
        LedgerError
            The file cannot be read, or the place refuses it.
        """
        before = self.bytes_in
        try:
            with open(file, "rb", buffering=0) as stream:
                self._connection.patiently(lambda: self._put_once(stream, path))
        except OSError as error:
            raise LedgerError(f"{file}: cannot be read: {error.strerror}; nothing was submitted") from error
        return self.bytes_in - before

    def _put_once(self, stream: io.FileIO, path: str) -> None:
        check = os.fstat(stream.fileno())
        partial = f"{path}.{check.st_size}-{check.st_mtime_ns}.part"  # of this very content, whoever began it
        whole, part = (int(size) for size in self._once(_SIZES, [path, partial], path, None, 60.0).split())
        if whole == check.st_size:
            return
        begin = max(0, part) if part <= check.st_size else 0
        stream.seek(begin)
        words = [path, partial, str(check.st_size), str(begin)]
        self._once(_APPEND, words, path, stream, _patience(check.st_size - begin))
        self.bytes_in += check.st_size - begin

    def read(self, paths: Sequence[str]) -> dict[str, str]:
        """Return the text of those files that exist there, in one question."""

        found: dict[str, str] = {}
        if not paths:
            return found
        with tempfile.TemporaryFile() as question:
            question.write(b"".join(path.encode(errors="surrogateescape") + b"\0" for path in paths))
            question.flush()
            question.seek(0)
            said = self._connection.ask(_READ, stdin=question, timeout_s=600.0)
        if not said.out:
            raise Unreachable(f"{self.where}: files cannot be read there: tar does not work; ask the site for GNU tar")
        with tarfile.open(fileobj=io.BytesIO(said.out)) as tar:
            for entry in tar:
                stream = tar.extractfile(entry)
                if stream is not None:
                    found[entry.name] = stream.read().decode(errors="replace")
                    self.bytes_out += entry.size
        return found

    def fetch(self, names: Sequence[str], folder_there: str, folder_here: Path) -> int:
        """Bring what is new in the named files; what came before a connection was lost is kept.

        A growing file is asked for from a little before the end of what is here, so that only new bytes come; if
        that little is not the same, the whole of it is brought and merged.
        """
        before = self.bytes_out
        whole: set[str] = set()
        self._connection.patiently(lambda: self._fetch_once(names, folder_there, folder_here, whole))
        if whole:
            self._connection.patiently(lambda: self._fetch_once(sorted(whole), folder_there, folder_here, None))
        return self.bytes_out - before

    def _fetch_once(self, names: Sequence[str], there: str, here: Path, whole: set[str] | None) -> None:
        """Ask for the files once and keep what comes; those whose beginning differs are added to `whole`."""
        paths = {f"{there}/{name}": name for name in names}
        wanted = [(path, _begin(here / name) if whole is not None else 0) for path, name in paths.items()]
        with tempfile.TemporaryFile() as out:
            try:
                self._ask_for(wanted, out)
            finally:
                for path, begin, content, complete in _pieces(out):
                    name = paths.get(path, "")
                    if not name or not (complete or name in GROWING):
                        continue
                    self.bytes_out += len(content)
                    if name not in GROWING or whole is None:
                        keep(name, content, here)
                    elif not _append(here / name, begin, content):
                        whole.add(name)

    def _ask_for(self, wanted: Sequence[tuple[str, int]], out: BinaryIO) -> None:
        with tempfile.TemporaryFile() as question:
            for path, begin in wanted:
                if "\n" in path:
                    raise LedgerError(f"{path!r}: a line break in the name of a file or folder; choose another")
                question.write(f"{begin}\0{path}\0".encode(errors="surrogateescape"))
            question.flush()
            question.seek(0)
            code, err = self._connection.once(_TAIL, out, stdin=question, timeout_s=3600.0)
        if code != 0:
            raise Unreachable(f"{self.where}: files cannot be read there: {_last(err)}; run the same command again")

    def _obey(
        self, script: str, words: Sequence[str], path: str, stdin: BinaryIO | None = None, timeout_s: float = 60.0
    ) -> None:
        """Run a script that writes; it does the same if it is run twice."""
        said = self._connection.ask(_with(script, words), stdin=stdin, timeout_s=timeout_s)
        if said.code != 0:
            raise self._refusal(path, said.err)

    def _once(self, script: str, words: Sequence[str], path: str, stdin: BinaryIO | None, timeout_s: float) -> str:
        with tempfile.TemporaryFile() as out:
            code, err = self._connection.once(_with(script, words), out, stdin=stdin, timeout_s=timeout_s)
            if code != 0:
                raise self._refusal(path, err)
            out.seek(0)
            return out.read().decode()

    def _refusal(self, path: str, err: str) -> LedgerError | Unreachable:
        why = next((word for word in REFUSED if word.lower() in err.lower()), "")
        if not why:
            return Unreachable(f"{self.where}:{path}: cannot be written: {_last(err)}; nothing was submitted")
        fix = "free some space there" if why in REFUSED[:2] else "name a folder that you may write in"
        message = f"{self.where}:{path}: cannot be written: {why}; nothing was submitted"
        return LedgerError(f"{message}: {fix}, or another one by the option folder, and run the same command again")


def check_host(options: Mapping[str, Option], where: str) -> None:
    """Raise ScenarioError, naming `where`, if the options ``host`` and ``ssh`` are not of their form."""
    host = options.get("host")
    if "host" in options and (not isinstance(host, str) or not _HOST.fullmatch(host)):
        raise ScenarioError(f'{where}.host: expected a host such as "user@login.site", got {host!r}')
    words = options.get("ssh", [])
    if "ssh" in options and "host" not in options:
        raise ScenarioError(f"{where}.ssh: is for a remote cluster; name its host too")
    if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
        raise ScenarioError(f'{where}.ssh: expected a list of words such as ["-F", "config"], got {words!r}')


def shell_at(options: Mapping[str, Option]) -> Ssh | None:
    """Return the place that a platform's options name by ``host``; None: this machine."""
    host, words = options.get("host"), options.get("ssh", [])
    if host is None or not isinstance(words, list):
        return None
    return Ssh(str(host), [str(word) for word in words])


def _with(script: str, words: Sequence[str]) -> str:
    return shlex.join(["sh", "-c", script, "sh", *words])


def _patience(size_bytes: int) -> float:
    """Return how long a copy may take."""
    return 120.0 + size_bytes / SLOWEST_BYTES_PER_S


def _last(err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def _begin(path: Path) -> int:
    """Return from where on a file is asked for: a little before the end of what is here."""
    if path.name not in GROWING:
        return 0
    try:
        return max(0, path.stat().st_size - OVERLAP_BYTES)
    except OSError:
        return 0


def _pieces(out: BinaryIO) -> Iterator[tuple[str, int, bytes, bool]]:
    """Yield path, begin, content and whether it is complete, of each file in an answer."""
    out.seek(0)
    while (line := out.readline()).endswith(b"\n"):
        size, begin, path = line[:-1].split(b" ", 2)
        name = path.decode(errors="surrogateescape")
        if int(size) < 0:
            raise Unreachable(f"{name}: may not be read there; give yourself the right to")
        length = max(0, int(size) - int(begin))
        content = out.read(length)
        yield name, int(begin), content, len(content) == length


def _append(path: Path, begin: int, content: bytes) -> bool:
    """Append what of `content` (from `begin` on) is not here yet; return False if what is here is not its beginning.

    Of a ledger whole lines are taken; a torn one comes again.
    """
    try:
        size = path.stat().st_size if path.exists() else 0
        overlap = size - begin
        if len(content) < overlap:
            return True  # an earlier state of it: what is here stays
        if overlap:
            with open(path, "rb") as stream:
                stream.seek(begin)
                if stream.read(overlap) != content[:overlap]:
                    return False
        new = content[overlap:]
        if path.name == RECORDS_FILE:
            new = new[: new.rfind(b"\n") + 1]
        if new or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab") as stream:
                stream.write(new)
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror}; what it would have held is still where it was measured"
        raise LedgerError(message) from error
    return True
